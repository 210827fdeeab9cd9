"""What is measured of readings, the same for those of the detector and those drawn from the tables."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...detect.observation import LIMB_SLOTS
from ...models.inputs import HEATMAP_SLOTS
from .calibrate import CHAINS, PaError, courses_of
from .covariates import CLASSES, VIEWS, facing, view_of
from .outcome import Outcome
from .prepare import LOST
from .swaps import EVENTS, permutations, recognise
from .timing import LAGS, event_correlations

LEVELS = (0.1, 0.25, 0.5, 0.75, 0.9)
_LIMBS = list(LIMB_SLOTS)
_FEWEST = 30


def statistics(seen: Outcome, pa_error: PaError) -> dict[str, Any]:
    """JSON. Lengths in fractions of the person's size, 3D in mm over the 12 limb landmarks; quantiles at LEVELS.
    pa_error((N,12,3), (N,12,3)) -> (N,) mm after similarity Procrustes."""
    event, clear = recognise(seen.seen, seen.truth, torch.ones(len(seen)), seen.classes)
    order = permutations()[event]
    error = (seen.seen.gather(1, order[..., None].expand(-1, -1, 2)) - seen.truth).norm(dim=-1)
    confidence, peak = seen.confidence.gather(1, order), seen.peak.gather(1, order)
    lost = torch.where(seen.classes < 2, error, torch.nan).nanmedian(1).values > LOST
    view = view_of(facing(seen.landmarks, seen.position))
    heat = error[:, list(HEATMAP_SLOTS)]
    return {
        "readings": len(seen),
        "by_class": {
            name: _by_class(error, confidence, peak, seen.classes == kind) for kind, name in enumerate(CLASSES)
        },
        "error_seen_by_landmark": [_round(_median(error[seen.classes[:, k] == 0, k]), 4) for k in range(33)],
        "lost": _share(lost),
        "lost_by_view": {name: _share(lost[view == k]) for k, name in enumerate(VIEWS)},
        "swaps": _swaps(event, clear & ~lost[:, None], view),
        "log_error_and_confidence": _correlation(error.clamp_min(1e-4).log(), confidence),
        "log_error_and_peak": _correlation(error.clamp_min(1e-4).log(), peak),
        "log_error_and_log_width": _correlation(heat.clamp_min(1e-4).log(), seen.width.log()),
        "neighbours": _neighbours(seen.error, error, ~lost),
        "width": _quantiles(seen.width),
        "offset": _quantiles(seen.offset),
        "mask": _mask(seen.mask),
        "world": _world(seen, view, pa_error),
        "time": _time(seen, lost, event),
    }


def _by_class(error: Tensor, confidence: Tensor, peak: Tensor, member: Tensor) -> dict[str, Any]:
    return {
        "share": _share(member), "error": _quantiles(error[member]), "confidence": _quantiles(confidence[member]),
        "peak": _quantiles(peak[member]), "sure_but_wrong": _share((error > 0.1)[member & (confidence > 0.8)]),
    }  # fmt: skip


def _swaps(event: Tensor, clear: Tensor, view: Tensor) -> dict[str, dict[str, float | None]]:
    """Share of readings whose sides could be told, by view."""
    rates: dict[str, dict[str, float | None]] = {}
    for kind, judged in ((1, 0), (2, 2), (3, 1)):
        rates[EVENTS[kind]] = {
            name: _share((event == kind)[clear[:, judged] & (view == k)]) for k, name in enumerate(VIEWS)
        } | {"all": _share((event == kind)[clear[:, judged]])}
    return rates


def _neighbours(error: Tensor, length: Tensor, rows: Tensor) -> dict[str, float | None]:
    """Along limbs and, to compare, between left and right limbs: correlation of the errors' logarithms, and mean cosine
    between their directions."""
    error, log = error[rows], length[rows].clamp_min(1e-4).log()

    def both(pairs: tuple[tuple[int, int], ...]) -> tuple[float, float]:
        sizes = [float(torch.corrcoef(torch.stack([log[:, a], log[:, b]]))[0, 1]) for a, b in pairs]
        ways = [float(torch.nn.functional.cosine_similarity(error[:, a], error[:, b], dim=-1).mean()) for a, b in pairs]
        return float(np.mean(sizes)), float(np.mean(ways))

    if len(error) < _FEWEST:
        return {}
    near, far = both(CHAINS), both(((15, 27), (16, 28), (13, 26), (14, 25)))
    return {
        "size": _round(near[0]),
        "direction": _round(near[1]),
        "size_far": _round(far[0]),
        "direction_far": _round(far[1]),
    }


def _mask(mask: Tensor) -> dict[str, Any]:
    missing, extra = mask.unbind(1)
    iou = (1 - missing) / (1 + extra)
    return {"iou": _quantiles(iou), "missing": _quantiles(missing), "extra": _quantiles(extra)}


def _world(seen: Outcome, view: Tensor, pa_error: PaError) -> dict[str, Any]:
    pa = torch.from_numpy(pa_error(seen.world[:, _LIMBS].numpy(), seen.landmarks[:, _LIMBS].numpy()))
    off = (seen.world - seen.landmarks)[:, _LIMBS]
    spread = seen.world[:, _LIMBS].std(1).median(0).values / seen.landmarks[:, _LIMBS].std(1).median(0).values
    ways = seen.error[..., 0].abs().median() / seen.error[..., 1].abs().median()
    axes = 1000 * off.abs().flatten(0, 1).median(0).values
    flat, deep = seen.world[:, _LIMBS, 2].flatten(), seen.landmarks[:, _LIMBS, 2].flatten()
    return {
        "pa_mm": _quantiles(pa, 1),
        "pa_mean_mm": _round(float(pa.mean()), 1),
        "pa_mean_by_view_mm": {name: _round(float(pa[view == k].mean()), 1) for k, name in enumerate(VIEWS)},
        "mpjpe_mean_mm": _round(1000 * float(off.norm(dim=-1).mean()), 1),
        "median_error_by_axis_mm": [_round(float(v), 1) for v in axes],
        "extent_by_axis": [_round(float(v)) for v in spread],
        "across_over_down_2d": _round(float(ways)),
        "depth_correlation": _round(float(torch.corrcoef(torch.stack([flat, deep]))[0, 1])),
    }


def _time(seen: Outcome, lost: Tensor, event: Tensor) -> dict[str, Any]:
    """Correlations at LAGS frames; None where there are too few clips."""
    found = courses_of(seen)
    for name, hit in (("lost", lost), ("swap", event != 0)):
        found[name] = event_correlations(hit.numpy(), seen.clip, seen.frame)
    known = {name: [None if np.isnan(v) else _round(float(v)) for v in values] for name, values in found.items()}
    return {"lags": list(LAGS), **known}


def _correlation(a: Tensor, b: Tensor) -> float | None:
    known = torch.isfinite(a) & torch.isfinite(b)
    return (
        _round(float(torch.corrcoef(torch.stack([a[known], b[known]]))[0, 1])) if int(known.sum()) >= _FEWEST else None
    )


def _quantiles(values: Tensor, digits: int = 4) -> list[float] | None:
    known = values[torch.isfinite(values)].numpy()
    return [_round(float(v), digits) for v in np.quantile(known, LEVELS)] if len(known) >= _FEWEST else None


def _median(values: Tensor) -> float:
    known = values[torch.isfinite(values)]
    return float(known.median()) if len(known) else float("nan")


def _share(hit: Tensor) -> float | None:
    return _round(float(hit.float().mean()), 4) if hit.numel() >= _FEWEST else None


def _round(value: float, digits: int = 3) -> float:
    return round(value, digits)
