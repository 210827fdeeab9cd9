"""Frames of one person that follow each other should be alike, or at least move evenly."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..figure import Posed


@dataclass(frozen=True)
class Neighbours:
    """Rows that follow each other: pairs (P,2), triples (T,3), long. pair_weight (P,) and triple_weight (T,): how
    much each counts; 1 between frames at the usual distance, less across a longer one."""

    pairs: Tensor
    triples: Tensor
    pair_weight: Tensor
    triple_weight: Tensor


def neighbours(track: Tensor, times: Tensor, max_gap: float = 0.5, sequence: Tensor | None = None) -> Neighbours:
    """Find them: track (B,) labels (one per person and hypothesis), times (B,) seconds. Frames further apart than
    max_gap are not tied. sequence (B,): another label that must agree (a view, for instance).
    """
    label = track.double()
    if sequence is not None:
        label = label * (float(sequence.max()) + 1) + sequence.double()
    rank = torch.argsort(times, stable=True)
    order = rank[torch.argsort(label[rank], stable=True)]
    before, after = order[:-1], order[1:]
    gap = (times[after] - times[before]).double()
    tied = (label[before] == label[after]) & (gap <= max_gap) & (gap > 0)
    both = tied[1:] & tied[:-1]
    usual = gap[tied].median() if bool(tied.any()) else torch.ones((), dtype=torch.float64)
    weight = (usual / gap.clamp_min(1e-9)).clamp_max(1.0)
    pairs = torch.stack([before[tied], after[tied]], 1)
    triples = torch.stack([before[:-1][both], after[:-1][both], after[1:][both]], 1)
    return Neighbours(
        pairs, triples, weight[tied].float(), torch.minimum(weight[:-1], weight[1:])[both].float(),
    )  # fmt: skip


def smoothness_loss(posed: Posed, near: Neighbours) -> Tensor:
    """(B,): sum over pairs of the squared difference of the codes, the root's turn included (ScoreHMR's temporal loss).

    Each pair's figure is halved between its two frames.
    """
    difference = posed.code[near.pairs[:, 1]] - posed.code[near.pairs[:, 0]]
    return _shared(near.pair_weight * difference.square().sum(1), near.pairs, len(posed.code))


def acceleration_loss(posed: Posed, near: Neighbours) -> Tensor:
    """(B,): sum over triples and joints of the squared second difference of where the joints are, in (10 mm)^2, so that
    even motion costs nothing."""
    a, b, c = (posed.joints[near.triples[:, k]] for k in range(3))
    bend = 100.0 * (a - 2 * b + c)
    return _shared(near.triple_weight * bend.square().sum((1, 2)), near.triples, len(posed.code))


def _shared(values: Tensor, rows: Tensor, count: int) -> Tensor:
    total = values.new_zeros(count)
    for k in range(rows.shape[1]):
        total = total.index_add(0, rows[:, k], values / rows.shape[1])
    return total
