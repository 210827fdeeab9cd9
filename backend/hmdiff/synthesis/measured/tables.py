"""The measured noise as plain arrays, and the file that holds them."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hmdiff_wire.damaged import DAMAGED_NPZ
from hmdiff_wire.errors import HmdiffError
from torch import Tensor

from .covariates import CLASSES, COVARIATES, VIEWS
from .swaps import EVENTS
from .variables import COUNT, GROUPS

SHIPPED = Path(__file__).parents[2] / "data" / "detector_noise.npz"
FORMAT = 1
REACH = 2.9
"""Normal scores beyond which nothing is drawn: three and a half in a thousand."""
KNOTS = 33
"""Values per marginal, at equal steps of the normal score from -REACH to REACH."""
GOOD, LOST = range(2)
"""Two kinds of reading: of this person, or off altogether."""
WORLD_MAPS = (*VIEWS, "all swapped", "lost")
TIMED = (*GROUPS, "direction", "world direction", "field", "lost", "swap", "missed")
"""What has a course in time: the variables' groups, and the rest of what is drawn."""
RATES: tuple[str, ...] = ("missed", "lost", "all", "legs", "arms")
_ROW = 1 + len(COVARIATES)


@dataclass(frozen=True)
class NoiseTables:
    """All of the measured noise model, on one device.

    marginals (COUNT,4,2,KNOTS): quantiles of each variable by CLASSES and GOOD or LOST, logarithms where ``variables``
    says so. cov_mean, cov_std (7,): of the covariates, which count in units of these. trend (COUNT,8): how a normal
    score's mean depends on 1 and them; left (COUNT,): its standard deviation beside that; mix (COUNT,COUNT): lower
    factor of the scores' correlation. bias (4,4,33,2): middle 2D error by view and class, fractions of the size;
    inwards (33,2): share of the way back into the picture that a landmark outside it is put; direction (33,33): factor
    of the correlation of what the errors' directions have in common, agreement (2,A): how much that is, see
    ``draw.direction``, and stretch (33,2) of the two axes. world_map (6,I,99): the detector's world landmarks, metres,
    from ``world_inputs``, by WORLD_MAPS; world_mix (6,108,108): factor of the covariance of their distortion and
    residual (``world.split``). rates (5,8): logistic, of RATES. pull: mean cosine between a heatmap's peak and the
    truth, as seen from the reading. mask_axes (2,A): logarithms of ``eaten`` and ``added``; mask_table (A,A,2): shift
    of the edge and size of the field, in cells, that give them; soft_table (2,S): ``faded`` -> width of the edge in
    cells. time (len(TIMED),4) per second fps: see ``timing.fit_course``. meta: JSON for people.
    """

    marginals: Tensor
    cov_mean: Tensor
    cov_std: Tensor
    trend: Tensor
    left: Tensor
    mix: Tensor
    bias: Tensor
    inwards: Tensor
    direction: Tensor
    agreement: Tensor
    stretch: Tensor
    world_map: Tensor
    world_mix: Tensor
    rates: Tensor
    pull: Tensor
    mask_axes: Tensor
    mask_table: Tensor
    soft_table: Tensor
    time: Tensor
    fps: Tensor
    meta: dict[str, Any]

    def to(self, device: torch.device | str) -> NoiseTables:
        moved = {name: getattr(self, name).to(device) for name in _TENSORS}
        return replace(self, **moved)


_TENSORS = tuple(field.name for field in fields(NoiseTables) if field.name != "meta")
_SHAPES: dict[str, tuple[int | None, ...]] = {
    "marginals": (COUNT, len(CLASSES), 2, KNOTS),
    "cov_mean": (_ROW - 1,),
    "cov_std": (_ROW - 1,),
    "trend": (COUNT, _ROW),
    "left": (COUNT,),
    "mix": (COUNT, COUNT),
    "bias": (len(VIEWS), len(CLASSES), 33, 2),
    "inwards": (33, 2),
    "direction": (33, 33),
    "agreement": (2, None),
    "stretch": (33, 2),
    "world_map": (len(WORLD_MAPS), None, 99),
    "world_mix": (len(WORLD_MAPS), 108, 108),
    "rates": (len(RATES), _ROW),
    "pull": (),
    "mask_axes": (2, None),
    "mask_table": (None, None, 2),
    "soft_table": (2, None),
    "time": (len(TIMED), 4),
    "fps": (),
}
_EXACT = ("fps", "agreement", "mask_axes", "soft_table", "time", "pull", "rates", "cov_mean", "cov_std")
assert EVENTS[1:] == RATES[2:]


def save_tables(path: Path, tables: NoiseTables) -> None:
    """Half precision but for a few; written whole or not at all."""
    arrays: dict[str, Any] = {"format": np.int64(FORMAT), "meta": np.array(json.dumps(tables.meta, sort_keys=True))}
    for name in _TENSORS:
        kind = np.float32 if name in _EXACT else np.float16
        arrays[name] = getattr(tables, name).cpu().numpy().astype(kind)
    blob = io.BytesIO()
    np.savez_compressed(blob, **arrays)
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(blob.getvalue())
    partial.replace(path)


def load_tables(path: Path = SHIPPED) -> NoiseTables:
    """Errors: ``noise.not_found``, ``noise.damaged``, ``noise.format``."""
    fix = "Install hmdiff again." if path == SHIPPED else "Make it again with `hmdiff synth measure`."
    if not path.is_file():
        raise HmdiffError("noise.not_found", f"There is no detector noise in {path}.", fix)
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
            arrays = {name: data[name] for name in data.files}
        version = int(arrays["format"])
        meta = json.loads(str(arrays["meta"]))
        tensors = {} if version != FORMAT else {name: _checked(name, arrays[name]) for name in _TENSORS}
    except DAMAGED_NPZ as error:
        raise HmdiffError("noise.damaged", f"{path.name} is not readable.", fix, repr(error)) from error
    if version != FORMAT:
        raise HmdiffError("noise.format", f"{path.name} has format {version}; this version reads {FORMAT}.", fix)
    return NoiseTables(**tensors, meta=meta)


@lru_cache(maxsize=4)
def shipped_tables(device: str = "cpu") -> NoiseTables:
    """The file that ships, read once per device. Errors: those of ``load_tables``."""
    return load_tables().to(device)


def _checked(name: str, array: Any) -> Tensor:
    tensor = torch.from_numpy(np.asarray(array, np.float32))
    wanted = _SHAPES[name]
    if tensor.ndim != len(wanted) or any(w not in (None, n) for w, n in zip(wanted, tensor.shape, strict=True)):
        raise ValueError(f"{name} has shape {tuple(tensor.shape)}")
    if not torch.isfinite(tensor).all():
        raise ValueError(f"{name} is not finite")
    return tensor
