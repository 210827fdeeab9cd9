"""The normal numbers behind a sample, for single pictures or for clips whose errors stay."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .masks import FIELD
from .tables import TIMED, NoiseTables
from .variables import COUNT, GROUPS, PLACES
from .world import RESIDUAL

_HEATMAPS = len(GROUPS["width"])


@dataclass(frozen=True)
class Randoms:
    """N people, each number of unit variance. scores (N,COUNT) correlated as measured; direction (N,33,4): two
    components that neighbours share and two of the landmark's own; world (N,RESIDUAL), offset (N,15,2), field
    (N,14,14), lost, swap, missed (N,) independent of each other."""

    scores: Tensor
    direction: Tensor
    world: Tensor
    offset: Tensor
    field: Tensor
    lost: Tensor
    swap: Tensor
    missed: Tensor


def draw_randoms(
    count: int, generator: torch.Generator, tables: NoiseTables, frames: int = 1, fps: float | None = None
) -> Randoms:
    """count people in frames pictures each (rows clip by clip: count x frames in all), fps (the measured) per second.

    Each number stays over the clip in part, and the rest fades slowly or quickly, as measured for its group.
    """
    device = tables.mix.device

    def flow(names: tuple[str, ...], widths: tuple[int, ...], factor: Tensor | None = None) -> Tensor:
        width, steps = sum(widths), 2 * frames + 1 if frames > 1 else 1
        white = torch.randn(count, steps, width, generator=generator, device=device)
        if factor is not None:
            white = white @ factor.T
        if frames == 1:
            return white[:, 0]
        course = tables.time[[TIMED.index(name) for name in names]]
        course = course.repeat_interleave(torch.tensor(widths, device=device), 0)
        course[:, 2:] = course[:, 2:] ** (float(tables.fps) / (fps or float(tables.fps)))
        return _coloured(white, course).reshape(count * frames, width)

    scores = flow(tuple(PLACES), tuple(place.stop - place.start for place in PLACES.values()), tables.mix)
    x, y = (flow(("direction",), (33,), tables.direction) for _ in range(2))
    widths = (RESIDUAL, 66, 2 * _HEATMAPS, FIELD * FIELD, 1, 1, 1)
    rest = flow(("world direction", "direction", "direction", "field", "lost", "swap", "missed"), widths)
    world, own, offset, field, lost, swap, missed = rest.split(widths, 1)
    way = torch.cat([torch.stack([x, y], -1), own.reshape(-1, 33, 2)], -1)
    assert scores.shape[1] == COUNT
    return Randoms(
        scores, way, world, offset.reshape(-1, _HEATMAPS, 2), field.reshape(-1, FIELD, FIELD),
        lost[:, 0], swap[:, 0], missed[:, 0],
    )  # fmt: skip


def _coloured(white: Tensor, course: Tensor) -> Tensor:
    """white (C,2T+1,K): its first row stays, the others drive two AR(1) processes; course (K,4) as ``fit_course`` gives
    it -> (C,T,K) of unit variance."""
    share, part, slow, quick = course.unbind(1)
    frames = white.shape[1] // 2
    rest = (1 - share - part).clamp_min(0)
    result = share.sqrt() * white[:, :1].expand(-1, frames, -1)
    for weight, left, steps in ((part, slow, white[:, 1 : frames + 1]), (rest, quick, white[:, frames + 1 :])):
        state, fresh, states = steps[:, 0], (1 - left**2).sqrt(), [steps[:, 0]]
        for k in range(1, frames):
            state = left * state + fresh * steps[:, k]
            states.append(state)
        result = result + weight.sqrt() * torch.stack(states, 1)
    return result
