"""Training's detections: some people read as the measured noise has it, the others as the structured noise does."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from ...models.inputs import HEATMAP_SLOTS
from ..noise import Circumstances, Detections, NoiseModel, circumstances, detect_synthetic
from ..people import People
from .coherent import BONE_NOISE, coherent_points, coherent_world, exaggerated
from .covariates import BY_OTHER, BY_SELF, OUTSIDE, SEEN, hip_centred
from .draw import Drawn, Subjects, draw_readings
from .masks import FIELD, MaskDamage
from .randoms import Randoms, draw_randoms
from .tables import NoiseTables

_SLOTS = list(HEATMAP_SLOTS)


@dataclass(frozen=True)
class Looks:
    """How heatmaps and masks of N detections are to be painted. width, aspect, ghost (N,15), offset (N,15,2) in cells:
    see HeatShape; damage: of the masks; measured (N,) bool: who was read by the measured noise, and found (N,) whether
    the detector finds them at all (always, in single pictures).
    """

    width: Tensor
    aspect: Tensor
    ghost: Tensor
    offset: Tensor
    damage: MaskDamage
    measured: Tensor
    found: Tensor


def detect_mixed(
    people: People, generator: torch.Generator, model: NoiseModel, tables: NoiseTables | None, share: float
) -> tuple[Detections, Looks]:
    """share of the people, chosen by chance, are read as the tables say; all of the others by ``detect_synthetic``."""
    around = circumstances(people, generator, model)
    seen = detect_synthetic(people, generator, model, around)
    looks = plain_looks(seen)
    if tables is None or share <= 0:
        return seen, looks
    chosen = torch.rand(len(seen.size), generator=generator, device=seen.size.device) < share
    rows = chosen.nonzero()[:, 0]
    if not len(rows):
        return seen, looks
    noise = draw_randoms(len(rows), generator, tables)
    bones = torch.randn(len(rows), BONE_NOISE, generator=generator, device=rows.device)
    return _overwritten(people, around, seen, looks, tables, noise, rows, bones)


def detect_clips(
    people: People, frames: int, generator: torch.Generator, model: NoiseModel, tables: NoiseTables, fps: float = 30.0
) -> tuple[Detections, Looks]:
    """Clips of frames pictures, rows clip by clip: errors stay as long as was measured, and what stands in the way, and
    what the detector does not give at all, is one thing per clip. ``Looks.found`` is False in frames it loses."""
    clips = len(people.betas) // frames
    around = circumstances(people, generator, model)
    low, high = (
        edge.unflatten(0, (clips, frames)) for edge in (people.landmarks_2d.amin(1), people.landmarks_2d.amax(1))
    )
    # edges that cut nobody in the first picture cut nobody later either
    first = around.cut.unflatten(0, (clips, frames))[:, 0]
    wide = torch.cat([low.amin(1) - 1, high.amax(1) + 1], 1)
    inside = torch.cat([first[:, :2] <= low[:, 0], first[:, 2:] >= high[:, 0]], 1)
    cut = torch.where(inside, wide, first).repeat_interleave(frames, 0)
    removed = around.removed.unflatten(0, (clips, frames))[:, :1].expand(-1, frames, -1).flatten(0, 1)
    points = people.landmarks_2d
    outside = ((points <= cut[:, None, :2]) | (points >= cut[:, None, 2:])).any(-1)
    around = replace(around, removed=removed, cut=cut, outside=outside)
    seen = detect_synthetic(people, generator, model, around)
    has_world, has_mask = (
        flag.unflatten(0, (clips, frames))[:, :1].expand(-1, frames).flatten()
        for flag in (seen.has_world, seen.has_mask)
    )
    seen = replace(seen, has_world=has_world, has_mask=has_mask)
    noise = draw_randoms(clips, generator, tables, frames, fps)
    rows = torch.arange(clips * frames, device=points.device)
    bones = torch.randn(clips, BONE_NOISE, generator=generator, device=points.device).repeat_interleave(frames, 0)
    seen, looks = _overwritten(people, around, seen, plain_looks(seen), tables, noise, rows, bones, missing=True)
    return seen, looks


def plain_looks(seen: Detections) -> Looks:
    """Of structured detections: round blobs at the landmarks, the broader the lower."""
    peak = seen.peak[:, _SLOTS]
    zero = torch.zeros_like(peak)
    count, one = len(peak), torch.ones_like(seen.size)
    damage = MaskDamage(0 * one, torch.zeros(count, FIELD, FIELD, device=peak.device), one)
    every = torch.ones_like(seen.has_mask)
    return Looks(
        1.3 + 1.6 * (1 - peak), zero, zero, torch.zeros(*peak.shape, 2, device=peak.device), damage, ~every, every
    )


def _overwritten(
    people: People, around: Circumstances, seen: Detections, looks: Looks, tables: NoiseTables, noise: Randoms,
    rows: Tensor, bones: Tensor, missing: bool = False,
) -> tuple[Detections, Looks]:  # fmt: skip
    who = _subjects(people, around, rows)
    drawn = draw_readings(who, tables, noise)
    depth = who.position[:, 2].clamp_min(0.5)
    points = coherent_points(exaggerated(drawn.points, who.points, bones[:, -1]), who.landmarks, depth)
    world = coherent_world(drawn.world, who.landmarks, points, depth, bones)
    cut = around.cut[rows]
    inside = ((points > cut[:, None, :2]) & (points < cut[:, None, 2:])).all(-1)
    seen = replace(
        seen, landmarks_2d=seen.landmarks_2d.index_copy(0, rows, points),
        # the detector gives no confidence to what it puts outside the picture
        confidence=seen.confidence.index_copy(0, rows, drawn.confidence * inside),
        peak=seen.peak.index_copy(0, rows, drawn.peak), world=seen.world.index_copy(0, rows, world),
    )  # fmt: skip
    return seen, _looks(looks, drawn, rows, missing)


def _looks(looks: Looks, drawn: Drawn, rows: Tensor, missing: bool) -> Looks:
    plain = {name: getattr(looks, name).index_copy(0, rows, getattr(drawn, name)) for name in _PAINTED}
    damage = MaskDamage(
        *(getattr(looks.damage, f.name).index_copy(0, rows, getattr(drawn.mask, f.name)) for f in fields(MaskDamage))
    )
    found = looks.found.index_copy(0, rows, drawn.found) if missing else looks.found
    return Looks(**plain, damage=damage, measured=looks.measured.index_fill(0, rows, True), found=found)


_PAINTED = ("width", "aspect", "ghost", "offset")


def _subjects(people: People, around: Circumstances, rows: Tensor) -> Subjects:
    landmarks, points, size = people.landmarks[rows], people.landmarks_2d[rows], around.size[rows]
    position = people.pelvis[rows] + landmarks[:, 23:25].mean(1)
    classes = torch.where(around.hidden[rows], BY_SELF, SEEN)
    classes = torch.where(around.removed[rows], BY_OTHER, classes)
    classes = torch.where(around.outside[rows], OUTSIDE, classes)
    cut = around.cut[rows]
    beyond = (points - points.clamp(cut[:, None, :2], cut[:, None, 2:])) / size[:, None, None]
    return Subjects(hip_centred(landmarks), position, points, size, classes, beyond, size * position[:, 2])
