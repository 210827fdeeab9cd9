"""The table's readings as residuals: exchanged sides undone, mirrored people added, each described."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from ...models.inputs import GRID, HEATMAP_SLOTS
from ..noise import SWAP
from .covariates import covariates, facing, hip_centred, view_of
from .gather import MASK_FIGURES, Table
from .swaps import permutations, recognise
from .variables import COUNT, PLACES, mirrored

LOST = 0.12
"""A reading whose visible landmarks are off by this much of the person's size, in the median, is of something else."""
_SIDES = list(SWAP)


@dataclass(frozen=True)
class Rows:
    """M readings, mirrored ones included. What belongs to landmark k here is what was said of the true landmark k.

    landmarks (M,33,3) metres around the hips, camera axes; position (M,3) of the hips; metres (M,): the person's size;
    classes (M,33); beyond (M,33,2) see Readings; cov (M,7); view, event (M,); clear (M,3); lost (M,) bool; error
    (M,33,2) fractions of the size; world (M,33,3) metres; values (M,COUNT) as in ``variables``, not yet tabulated, NaN
    where unknown, the error's magnitudes about zero and ``world`` left at NaN for the fit to fill; person (M,),
    mirrored (M,) bool.
    """

    landmarks: Tensor
    position: Tensor
    metres: Tensor
    classes: Tensor
    beyond: Tensor
    cov: Tensor
    view: Tensor
    event: Tensor
    clear: Tensor
    lost: Tensor
    error: Tensor
    world: Tensor
    values: Tensor
    pull: Tensor
    person: Tensor
    mirrored: Tensor

    def __len__(self) -> int:
        return len(self.view)

    def __getitem__(self, rows: Tensor | slice) -> Rows:
        return Rows(*(getattr(self, field.name)[rows] for field in fields(self)))


def prepare(table: Table, mirror: bool = True) -> Rows:
    """Readings and, with mirror, their mirror images after them: a left-handed detector is not what we look for."""
    read = table.readings
    size, side = _tensor(read.size), _tensor(read.side)
    truth, seen, classes = (
        _tensor(read.truth_2d),
        _tensor(read.seen_2d),
        torch.from_numpy(read.classes.astype(np.int64)),
    )
    event, clear = recognise(seen, truth, size, classes)
    order = permutations()[event]
    heat_order = torch.tensor(
        [[HEATMAP_SLOTS.index(int(row[slot])) for slot in HEATMAP_SLOTS] for row in permutations()]
    )[event]
    error = (_take(seen, order) - truth) / size[:, None, None]
    to_peak = (_tensor(read.peak_at) - seen[:, list(HEATMAP_SLOTS)]) * (GRID / side)[:, None, None]
    values = torch.full((len(size), COUNT), torch.nan)
    confidence = torch.where(torch.from_numpy(read.inside), _tensor(read.confidence), torch.nan)
    heat = {"width": read.width, "aspect": read.aspect, "ghost": read.ghost}
    own = {"confidence": confidence, "peak": _tensor(read.peak)}
    for name, place in PLACES.items():
        if name in own:
            values[:, place] = own[name].gather(1, order)
        elif name in heat:
            values[:, place] = _tensor(heat[name]).gather(1, heat_order)
        elif name == "offset":
            values[:, place] = to_peak.norm(dim=-1).gather(1, heat_order)
        elif name in MASK_FIGURES:
            values[:, place] = _tensor(read.mask_drawn)[:, [MASK_FIGURES.index(name)]]
    visible = torch.where(classes < 2, error.norm(dim=-1), torch.nan)
    lost = visible.nanmedian(1).values > LOST
    landmarks = _tensor(read.landmarks)
    position = landmarks[:, 23:25].mean(1)
    rows = Rows(
        hip_centred(landmarks), position, size / _tensor(read.metre), classes, _tensor(read.beyond),
        covariates(landmarks, position, classes),
        view_of(facing(landmarks, position)), event, clear, lost, error, _take(_tensor(read.world), order), values,
        _pull(_take(to_peak, heat_order), -error[:, list(HEATMAP_SLOTS)]), torch.from_numpy(read.person),
        torch.zeros(len(size), dtype=torch.bool),
    )  # fmt: skip
    return _both(rows) if mirror else rows


def _pull(offset: Tensor, to_truth: Tensor) -> Tensor:
    """(M,15) cosine between where a heatmap's peak lies from the reading and where the truth does; NaN if too near."""
    cosine = torch.nn.functional.cosine_similarity(offset, to_truth, dim=-1)
    return torch.where(offset.norm(dim=-1) > 1, cosine, torch.nan)


def _both(rows: Rows) -> Rows:
    flip2, flip3 = torch.tensor([-1.0, 1.0]), torch.tensor([-1.0, 1.0, 1.0])
    landmarks, position, classes = rows.landmarks[:, _SIDES] * flip3, rows.position * flip3, rows.classes[:, _SIDES]
    heat = torch.tensor([HEATMAP_SLOTS.index(SWAP[slot]) for slot in HEATMAP_SLOTS])
    values = rows.values[:, mirrored()]
    other = Rows(
        landmarks, position, rows.metres, classes, rows.beyond[:, _SIDES] * flip2,
        covariates(landmarks, position, classes),
        view_of(facing(landmarks, position)), rows.event, rows.clear, rows.lost, rows.error[:, _SIDES] * flip2,
        rows.world[:, _SIDES] * flip3, values, rows.pull[:, heat], rows.person, torch.ones_like(rows.mirrored),
    )  # fmt: skip
    return Rows(*(torch.cat([getattr(rows, f.name), getattr(other, f.name)]) for f in fields(Rows)))


def _take(points: Tensor, order: Tensor) -> Tensor:
    return points.gather(1, order[..., None].expand(-1, -1, points.shape[-1]))


def _tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, np.float32))
