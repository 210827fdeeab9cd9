"""Readings in one form, whether the detector made them or the tables did, so that the two can be compared."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...models.inputs import GRID, HEATMAP_SLOTS
from .covariates import hip_centred
from .draw import Subjects, draw_readings
from .fit_masks import unpack, wear_figures
from .gather import MASK_FIGURES, Table
from .masks import wear
from .randoms import Randoms, draw_randoms
from .tables import NoiseTables


@dataclass(frozen=True)
class Outcome:
    """M readings. truth, seen (M,33,2) over the person's size; landmarks, world (M,33,3) metres around the hips;
    position (M,3); classes (M,33); beyond (M,33,2) see Readings; confidence (M,33), NaN where the reading lies outside
    the picture; peak (M,33); width, offset (M,15) cells of the canonical crop; mask (M,2): missing and extra shares,
    NaN without a mask; clip, frame (M,): -1 for single pictures; event, lost (M,): what was drawn, None for the
    detector's.
    """

    truth: Tensor
    seen: Tensor
    landmarks: Tensor
    world: Tensor
    position: Tensor
    classes: Tensor
    beyond: Tensor
    confidence: Tensor
    peak: Tensor
    width: Tensor
    offset: Tensor
    mask: Tensor
    clip: NDArray[np.int64]
    frame: NDArray[np.int64]
    event: Tensor | None = None
    lost: Tensor | None = None

    def __getitem__(self, rows: NDArray[np.int64]) -> Outcome:
        values: dict[str, Any] = {}
        for field in fields(self):
            value = getattr(self, field.name)
            values[field.name] = None if value is None else value[rows]
        return Outcome(**values)

    def __len__(self) -> int:
        return len(self.seen)

    @property
    def error(self) -> Tensor:
        """(M,33,2), sides as they were named."""
        return self.seen - self.truth


def measured_outcome(table: Table) -> Outcome:
    """What the detector made of the table's people."""
    read = table.readings
    size = torch.from_numpy(read.size)[:, None, None]
    landmarks, seen = torch.from_numpy(read.landmarks), torch.from_numpy(read.seen_2d)
    offset = (torch.from_numpy(read.peak_at) - seen[:, list(HEATMAP_SLOTS)]).norm(dim=-1)
    confidence = torch.where(torch.from_numpy(read.inside), torch.from_numpy(read.confidence), torch.nan)
    names = [MASK_FIGURES.index(name) for name in ("missing", "extra")]
    return Outcome(
        torch.from_numpy(read.truth_2d) / size,
        seen / size,
        hip_centred(landmarks),
        torch.from_numpy(read.world),
        landmarks[:, 23:25].mean(1),
        torch.from_numpy(read.classes.astype(np.int64)),
        torch.from_numpy(read.beyond),
        confidence,
        torch.from_numpy(read.peak),
        torch.from_numpy(read.width),
        offset * (GRID / torch.from_numpy(read.side))[:, None],
        torch.from_numpy(read.mask_drawn[:, names]),
        table.everybody.clip[read.person],
        table.everybody.frame[read.person],
    )


def drawn_outcome(
    like: Outcome, tables: NoiseTables, generator: torch.Generator, masks: NDArray[np.uint8] | None = None
) -> Outcome:
    """What the tables make of the same people, in the same clips. masks (M,392): packed bits of their true masks."""
    metres = _metres(like)
    who = Subjects(like.landmarks, like.position, like.truth, torch.ones(len(like)), like.classes, like.beyond, metres)
    drawn = draw_readings(who, tables, noise_for(like.clip, like.frame, tables, generator))
    mask = torch.full((len(like), 2), torch.nan)
    if masks is not None:
        whole = unpack(masks)
        mask = wear_figures(wear(whole, drawn.mask), whole)[:, :2]
    confidence = torch.where(torch.isfinite(like.confidence), drawn.confidence, torch.nan)
    return Outcome(
        like.truth,
        drawn.points,
        like.landmarks,
        drawn.world,
        like.position,
        like.classes,
        like.beyond,
        confidence,
        drawn.peak,
        drawn.width,
        drawn.offset.norm(dim=-1),
        mask,
        like.clip,
        like.frame,
        drawn.event,
        drawn.lost,
    )


def noise_for(
    clip: NDArray[np.int64], frame: NDArray[np.int64], tables: NoiseTables, generator: torch.Generator
) -> Randoms:
    """Numbers for rows of which some are frames of clips."""
    single = draw_randoms(len(clip), generator, tables)
    moving = np.flatnonzero(clip >= 0)
    if not len(moving):
        return single
    names, which = np.unique(clip[moving], return_inverse=True)
    frames = int(frame.max()) + 1
    flow = draw_randoms(len(names), generator, tables, max(frames, 2))
    source = torch.from_numpy(which * max(frames, 2) + frame[moving])
    for field in fields(Randoms):
        getattr(single, field.name)[torch.from_numpy(moving)] = getattr(flow, field.name)[source]
    return single


def _metres(like: Outcome) -> Tensor:
    """(M,) the person's size in metres at the hips' depth, from the true landmarks."""
    placed = like.landmarks + like.position[:, None]
    flat = placed[..., :2] / placed[..., 2:].clamp_min(0.1)
    return (flat.amax(1) - flat.amin(1)).amax(1) * like.position[:, 2]
