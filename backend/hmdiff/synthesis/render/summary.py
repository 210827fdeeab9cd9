"""How well the detector did on a rendered folder, in a few figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from hmdiff_wire.errors import HmdiffError
from numpy.typing import NDArray

from ...detect.observation import LIMB_SLOTS
from ..noise import SWAP
from .detections import read_seen, seen_path
from .shards import read_shards
from .truth import HIDDEN_OBJECT, HIDDEN_PERSON, HIDDEN_SELF, OUTSIDE

_LIMBS = np.array(LIMB_SLOTS)
_SWAP = np.array(SWAP)
_CROP = 256.0
_VIEWS = ("front", "side", "back")
PaError = Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float64]]


def summarise(folder: Path, pa_error: PaError) -> dict[str, Any]:
    """Figures as JSON. 2D errors are px of a 256-px crop of the person (1.25 x their landmarks' square); 3D: mm over
    the 12 limb landmarks after similarity Procrustes (pa_error((N,12,3), (N,12,3)) -> (N,) mm).

    A person counts as visible with at least half of the 12 limb landmarks not outside nor behind things or others.
    Errors: ``render.not_found``, ``render.not_detected``, ``render.damaged``.
    """
    rows = _collect(folder)
    if not len(rows["found"]):
        raise HmdiffError("render.not_detected", f"Nothing in {folder} was read by the detector yet.",
                          f"Run `hmdiff synth detect {folder}`.")  # fmt: skip
    hidden, found = rows["hidden"], rows["found"]
    by_others = (hidden & (HIDDEN_OBJECT | HIDDEN_PERSON | OUTSIDE)) > 0
    visible = by_others[:, _LIMBS].mean(1) <= 0.5
    frontal = np.abs(rows["azimuth"]) < np.pi / 4
    clear = frontal & (by_others[:, _LIMBS].mean(1) == 0) & (rows["size"] >= 160)
    scale = _CROP / (1.25 * rows["size"])
    error = np.linalg.norm(rows["seen"] - rows["truth"], axis=-1) * scale[:, None]
    crossed = np.linalg.norm(rows["seen"] - rows["truth"][:, _SWAP], axis=-1) * scale[:, None]
    pairs = [slot for slot in LIMB_SLOTS if slot % 2]
    apart = np.linalg.norm(rows["truth"][:, pairs] - rows["truth"][:, _SWAP[pairs]], axis=-1) * scale[:, None] > 12
    clearly = apart & (hidden[:, pairs] == 0) & (hidden[:, _SWAP[pairs]] == 0)
    swapped = error[:, pairs] > crossed[:, pairs]
    view = np.digitize(np.abs(rows["azimuth"]), [np.pi / 4, 3 * np.pi / 4])
    pa = np.full(len(found), np.nan)
    pa[found] = pa_error(rows["world"][found][:, _LIMBS], rows["landmarks"][found][:, _LIMBS])

    def median(values: NDArray[np.floating]) -> float | None:
        values = values[np.isfinite(values)]
        return round(float(np.median(values)), 2) if len(values) else None

    def part(mask: NDArray[np.bool_]) -> float | None:
        return round(float(found[mask].mean()), 4) if mask.any() else None

    some = found & visible

    def share(hit: NDArray[np.bool_], of: NDArray[np.bool_]) -> float:
        return round(float(hit[some].sum() / max(of[some].sum(), 1)), 4)

    return {
        "pictures": rows["pictures"], "people": len(found), "false": rows["false"],
        "visible_people": int(visible.sum()), "found_of_all": part(np.ones(len(found), bool)),
        "found_of_visible": part(visible), "found_of_clear": part(clear),
        "found_by_size": {f"{a}-{b}": part(visible & (rows["size"] >= a) & (rows["size"] < b))
                          for a, b in ((0, 60), (60, 120), (120, 240), (240, 480), (480, 5000))},
        "px_visible": median(error[some][hidden[some] == 0]),
        "px_clear_frontal": median(error[found & clear][hidden[found & clear] == 0]),
        "px_hidden_by_self": median(error[some][hidden[some] == HIDDEN_SELF]),
        "px_hidden_by_others": median(error[some][(hidden[some] & (HIDDEN_OBJECT | HIDDEN_PERSON)) > 0]),
        "px_outside": median(error[some][hidden[some] == OUTSIDE]),
        "px_by_landmark": [median(error[found & visible & (hidden[:, k] == 0), k]) for k in range(33)],
        "swapped_of_clear_pairs": share(swapped & clearly, clearly),
        "swapped_of_all_pairs": share(swapped & apart, apart),
        "pa_mm": {name: median(pa[some & (view == k)]) for k, name in enumerate(_VIEWS)} | {"all": median(pa[some])},
        "pa_mean_mm": round(float(np.nanmean(pa[some])), 1) if some.any() else None,
    }  # fmt: skip


def _collect(folder: Path) -> dict[str, Any]:
    names = ("found", "hidden", "seen", "truth", "world", "landmarks", "azimuth", "size")
    lists: dict[str, list[Any]] = {name: [] for name in names}
    pictures, false = 0, 0
    for shard in read_shards(folder):
        if not seen_path(folder, shard.index).is_file():
            continue
        seen, truth = read_seen(folder, shard.index), shard.truth
        pictures, false = pictures + len(truth["picture"]), false + len(seen["false_row"])
        lists["found"].append(seen["status"] != "missed")
        lists["hidden"].append(truth["hidden_landmarks"])
        lists["seen"].append(seen["landmarks_2d"])
        lists["truth"].append(truth["landmarks_2d"])
        lists["world"].append(seen["world"])
        lists["landmarks"].append(truth["landmarks"])
        lists["azimuth"].append(truth["azimuth"])
        lists["size"].append(np.ptp(truth["landmarks_2d"], axis=1).max(-1))
    joined: dict[str, Any] = {name: np.concatenate(parts) if parts else np.zeros(0) for name, parts in lists.items()}
    return joined | {"pictures": pictures, "false": false}
