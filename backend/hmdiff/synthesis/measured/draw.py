"""Samples of the measured noise: what the detector would say of people whose truth is known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from ...models.inputs import HEATMAP_SLOTS
from .covariates import covariates, facing, view_of
from .masks import MaskDamage, look_up_damage
from .randoms import Randoms
from .scores import look_up
from .swaps import ALL, ARMS_ONLY, LEGS_ONLY, NONE, permutations
from .tables import RATES, REACH, NoiseTables
from .variables import COUNT, LOGARITHMIC, PLACES
from .world import WHITE, distorted, which_map, world_inputs

_SLOTS = list(HEATMAP_SLOTS)


@dataclass(frozen=True)
class Subjects:
    """Who is looked at. landmarks (N,33,3) metres around the hips, camera axes; position (N,3) of the hips; points
    (N,33,2) true landmarks on the picture, in any unit; size (N,) of the person in that unit; classes (N,33); beyond
    (N,33,2): how far a landmark lies outside the picture, 0 inside, over the size; metres (N,): the size as a length at
    the hips' depth."""

    landmarks: Tensor
    position: Tensor
    points: Tensor
    size: Tensor
    classes: Tensor
    beyond: Tensor
    metres: Tensor


@dataclass(frozen=True)
class Drawn:
    """N readings. points (N,33,2) in the subjects' unit; confidence, peak (N,33) in [0,1], as if all lay in the
    picture; world (N,33,3) metres; width, aspect, ghost (N,15) and offset (N,15,2) cells of the canonical crop: the
    heatmaps, see HeatShape; mask; event (N,) of EVENTS; lost, found (N,) bool.
    """

    points: Tensor
    confidence: Tensor
    peak: Tensor
    world: Tensor
    width: Tensor
    aspect: Tensor
    ghost: Tensor
    offset: Tensor
    mask: MaskDamage
    event: Tensor
    lost: Tensor
    found: Tensor


def draw_readings(who: Subjects, tables: NoiseTables, noise: Randoms) -> Drawn:
    """What the tables make of the noise (``randoms.draw_randoms``) for these people."""
    cov = covariates(who.landmarks, who.position, who.classes)
    row = torch.cat([torch.ones_like(cov[:, :1]), (cov - tables.cov_mean) / tables.cov_std], 1)
    view = view_of(facing(who.landmarks, who.position))
    event, lost, found = _states(row, tables, noise)
    scores = (row @ tables.trend.T + tables.left * noise.scores).clamp(-REACH, REACH)
    values = look_up(scores, who.classes, lost, tables.marginals, logarithmic(str(cov.device)))
    error = _errors(values[:, PLACES["error"]], who, view, lost, tables, noise)
    world = _world(who, error, values[:, PLACES["world"]], which_map(view, event, lost), lost, tables, noise)
    points = who.points + who.size[:, None, None] * error
    order, heat_order = (table[event] for table in _orders(str(cov.device)))
    offset = _offsets(values[:, PLACES["offset"]], -error[:, _SLOTS], tables, noise)
    eaten, added, faded = (values[:, PLACES[name]][:, 0] for name in ("eaten", "added", "faded"))
    damage = look_up_damage(eaten, added, faded, noise.field, tables.mask_axes, tables.mask_table, tables.soft_table)
    width, aspect, ghost = (values[:, PLACES[name]].gather(1, heat_order) for name in ("width", "aspect", "ghost"))
    return Drawn(
        _take(points, order), values[:, PLACES["confidence"]].clamp(0, 1).gather(1, order),
        values[:, PLACES["peak"]].clamp(0, 1).gather(1, order), _take(world, order), width, aspect, ghost.clamp(0, 1),
        _take(offset, heat_order), damage, event, lost, found,
    )  # fmt: skip


def _states(row: Tensor, tables: NoiseTables, noise: Randoms) -> tuple[Tensor, Tensor, Tensor]:
    rate: dict[str, Tensor] = dict(zip(RATES, torch.sigmoid(row @ tables.rates.T).unbind(1), strict=True))
    lost = torch.special.ndtr(noise.lost) < rate["lost"]
    chance = torch.special.ndtr(noise.swap)
    event = torch.full_like(chance, NONE, dtype=torch.long)
    limit = torch.zeros_like(chance)
    for kind, name in ((ALL, "all"), (LEGS_ONLY, "legs"), (ARMS_ONLY, "arms")):
        event = torch.where((chance >= limit) & (chance < limit + rate[name]), kind, event)
        limit = limit + rate[name]
    return torch.where(lost, NONE, event), lost, torch.special.ndtr(noise.missed) >= rate["missed"]


def _errors(size: Tensor, who: Subjects, view: Tensor, lost: Tensor, tables: NoiseTables, noise: Randoms) -> Tensor:
    """(N,33,2): the middle error of the view and class, and a step of the drawn size in the drawn direction."""
    step = direction(size, noise.direction[..., :2], noise.direction[..., 2:], tables)
    middle = middle_error(tables.bias, tables.inwards, view, who.classes, lost, who.beyond)
    return middle + size[..., None] * step


def direction(size: Tensor, shared: Tensor, own: Tensor, tables: NoiseTables) -> Tensor:
    """(N,33,2) unit vectors: errors of size (N,33) share their direction (N,33,2) with their neighbours' the more, the
    larger they are. tables.agreement: ascending logarithms of the size, and the share of the variance in common."""
    edges, shares = tables.agreement
    log = size.clamp_min(1e-5).log()
    place = (log - edges[0]) / (edges[1] - edges[0])
    place = place.clamp(0, len(edges) - 1.001)
    below = place.long()
    share = shares[below] + (place - below) * (shares[below + 1] - shares[below])
    way = tables.stretch * (share.sqrt()[..., None] * shared + (1 - share).sqrt()[..., None] * own)
    return way / way.norm(dim=-1, keepdim=True).clamp_min(1e-6)


def middle_error(bias: Tensor, inwards: Tensor, view: Tensor, classes: Tensor, lost: Tensor, beyond: Tensor) -> Tensor:
    """(N,33,2) out of bias (4,4,33,2), and of inwards (33,2) for those outside the picture; none for lost readings."""
    slots = torch.arange(33, device=classes.device)
    return (bias[view[:, None], classes, slots] + inwards * beyond) * (~lost)[:, None, None]


def _world(
    who: Subjects, error: Tensor, size: Tensor, which: Tensor, lost: Tensor, tables: NoiseTables, noise: Randoms
) -> Tensor:
    inputs = world_inputs(who.landmarks, error, who.metres, who.classes, lost)
    white = noise.world / (noise.world[:, -WHITE:] ** 2).mean(1, keepdim=True).sqrt() * size
    mean = torch.empty(len(which), 99, device=size.device)
    rest = torch.empty_like(noise.world)
    for index in range(len(tables.world_map)):
        here = (which == index).nonzero()[:, 0]
        mean[here] = inputs[here] @ tables.world_map[index]
        rest[here] = white[here] @ tables.world_mix[index].T
    return distorted(mean.view(-1, 33, 3), rest)


def _offsets(length: Tensor, to_truth: Tensor, tables: NoiseTables, noise: Randoms) -> Tensor:
    """(N,15,2) cells, a little towards the truth: a normal step of mean t has a mean cosine of about 0.63 t."""
    pull = (tables.pull / 0.627) * to_truth / to_truth.norm(dim=-1, keepdim=True).clamp_min(1e-6)
    way = noise.offset + pull
    return length[..., None] * way / way.norm(dim=-1, keepdim=True).clamp_min(1e-6)


@lru_cache(maxsize=4)
def logarithmic(device: str) -> Tensor:
    """(COUNT,) bool: which variables are tabulated as logarithms."""
    flags = torch.zeros(COUNT, dtype=torch.bool)
    for name in LOGARITHMIC:
        flags[PLACES[name]] = True
    return flags.to(device)


@lru_cache(maxsize=4)
def _orders(device: str) -> tuple[Tensor, Tensor]:
    """(4,33) and (4,15): which landmark, and which heatmap, an event puts at each place."""
    order = permutations()
    heat = torch.tensor([[HEATMAP_SLOTS.index(int(row[slot])) for slot in HEATMAP_SLOTS] for row in order])
    return order.to(device), heat.to(device)


def _take(points: Tensor, order: Tensor) -> Tensor:
    return points.gather(1, order[..., None].expand(-1, -1, points.shape[-1]))
