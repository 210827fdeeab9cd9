"""What readings depend on, in curves: for the page and the plots."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...detect.observation import LIMB_SLOTS
from ...models.inputs import HEATMAP_SLOTS
from .covariates import CLASSES, VIEWS, facing, view_of
from .gather import MASK_FIGURES, Table
from .outcome import Outcome
from .scores import REGIONS
from .swaps import permutations, recognise

REGION_NAMES = ("face", "trunk", "elbows", "hands", "knees", "feet")
CONFIDENCES = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 0.99, 0.999, 1.001)
ERRORS = (0.0, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 10.0)
SIZES = (0, 60, 120, 180, 240, 360, 480, 720, 10000)
SHARES = (0.0, 0.01, 0.2, 0.4, 0.6, 0.8, 1.001)
LEVELS = tuple(round(0.05 * k, 2) for k in range(1, 20))
_FEWEST = 30


def conditions(seen: Outcome) -> dict[str, Any]:
    """JSON curves; errors in fractions of the person's size after undoing exchanged sides, depth in mm."""
    event, _ = recognise(seen.seen, seen.truth, torch.ones(len(seen)), seen.classes)
    order = permutations()[event]
    error = (seen.seen.gather(1, order[..., None].expand(-1, -1, 2)) - seen.truth).norm(dim=-1)
    confidence = seen.confidence.gather(1, order)
    view = view_of(facing(seen.landmarks, seen.position))
    limbs = list(LIMB_SLOTS)
    depth = 1000 * (seen.world - seen.landmarks)[:, limbs, 2].abs()
    kinds = seen.classes[:, limbs]
    missing, extra = seen.mask.unbind(1)
    heat = error[:, list(HEATMAP_SLOTS)]
    return {
        "error_by_confidence": {
            name: _by_bin(error[:, region], confidence[:, region], CONFIDENCES)
            for name, region in zip(REGION_NAMES, REGIONS, strict=True)
        }
        | {"all": _by_bin(error, confidence, CONFIDENCES)},
        "large_by_confidence": _by_bin((error > 0.1).float(), confidence, CONFIDENCES, mean=True),
        "error_quantiles": {name: _curve(error[seen.classes == kind]) for kind, name in enumerate(CLASSES)},
        "error_by_landmark": {
            name: [_median(error[seen.classes[:, k] == kind, k]) for k in range(33)]
            for kind, name in enumerate(CLASSES)
        },
        "depth_by_view_mm": {name: _median(depth[view == k], 1) for k, name in enumerate(VIEWS)},
        "depth_by_class_mm": {name: _median(depth[kinds == k], 1) for k, name in enumerate(CLASSES)},
        "width_by_error": _by_bin(seen.width, heat, ERRORS),
        "iou_quantiles": _curve((1 - missing) / (1 + extra)),
        "error_correlation": _matrix(error.clamp_min(1e-4).log()),
    }


def population(table: Table) -> dict[str, Any]:
    """Who was found, what the masks are against the person's own pixels, and checks of what the model takes for
    given."""
    people, read = table.everybody, table.readings
    found = people.found
    visible = (people.blocked + people.outside) <= 0.5
    view = np.degrees(np.abs(np.arctan2(people.turn[:, 1], people.turn[:, 0])))
    error = np.linalg.norm(read.seen_2d - read.truth_2d, axis=-1) / read.size[:, None]
    seen = np.where(read.classes == 0, error, np.nan)
    own = {name: _curve(torch.from_numpy(read.mask_own[:, k])) for k, name in enumerate(MASK_FIGURES)}
    ghost = read.ghost[np.isfinite(read.ghost)]
    depth = read.world[..., 2] - read.world[:, 23:25, 2].mean(1, keepdims=True)
    return {
        "pictures": table.pictures,
        "people": len(found),
        "found": int(found.sum()),
        "false": table.false,
        "found_share": _share(found),
        "found_share_of_visible": _share(found[visible]),
        "missed_by_size_px": _missed(found[visible], people.size[visible], SIZES),
        "missed_by_blocked_share": _missed(found, people.blocked, SHARES),
        "missed_by_outside_share": _missed(found, people.outside, SHARES),
        "missed_by_view": _missed(found[visible], view[visible], (0, 45, 135, 181)),
        "missed_by_elevation": _missed(
            found[visible], np.degrees(people.elevation)[visible], (-90, -5, 10, 25, 40, 90)
        ),
        "missed_by_upright": _missed(found[visible], people.cov[visible, 0], (-1, 0, 0.5, 0.8, 0.95, 1.01)),
        "error_seen_by_size_px": [
            _median(torch.from_numpy(seen[_within(read.size, a, b)]))
            for a, b in zip(SIZES[:-1], SIZES[1:], strict=True)
        ],
        "error_seen_left_right": [_median(torch.from_numpy(seen[:, side::2])) for side in (11, 12)],
        "mask_own_quantiles": own,
        "ghost_share_above": {str(level): _share(ghost > level) for level in (0.25, 0.5, 0.75)},
        "z_and_world_depth_correlation": round(float(np.corrcoef(read.z.ravel(), depth.ravel())[0, 1]), 3),
    }


def _missed(found: np.ndarray, by: np.ndarray, edges: tuple[float, ...]) -> dict[str, Any]:
    chosen = [found[_within(by, a, b)] for a, b in zip(edges[:-1], edges[1:], strict=True)]
    return {
        "edges": list(edges),
        "missed": [None if len(c) < _FEWEST else round(float(1 - c.mean()), 3) for c in chosen],
        "people": [len(c) for c in chosen],
    }


def _within(by: np.ndarray, low: float, high: float) -> np.ndarray:
    return (by >= low) & (by < high)


def _share(hit: np.ndarray) -> float | None:
    return round(float(hit.mean()), 4) if len(hit) else None


def _by_bin(values: Tensor, by: Tensor, edges: tuple[float, ...], mean: bool = False) -> list[float | None]:
    chosen = [values[(by >= a) & (by < b)] for a, b in zip(edges[:-1], edges[1:], strict=True)]
    if mean:
        return [round(float(c.mean()), 4) if len(c) >= _FEWEST else None for c in chosen]
    return [_median(c) for c in chosen]


def _median(values: Tensor, digits: int = 4) -> float | None:
    known = values[torch.isfinite(values)]
    return round(float(known.median()), digits) if len(known) >= _FEWEST else None


def _curve(values: Tensor) -> list[float] | None:
    known = values[torch.isfinite(values)].numpy()
    return [round(float(v), 4) for v in np.quantile(known, LEVELS)] if len(known) >= _FEWEST else None


def _matrix(log: Tensor) -> list[list[float]]:
    return [[round(float(v), 2) for v in row] for row in torch.corrcoef(log.T)]
