"""Left and right exchanged: recognised in readings where it is clear, and undone."""

from __future__ import annotations

import torch
from torch import Tensor

from ..noise import SWAP
from .covariates import BY_OTHER

NONE, ALL, LEGS_ONLY, ARMS_ONLY = range(4)
EVENTS = ("none", "all", "legs", "arms")
TRUNK_PAIRS, ARM_PAIRS, LEG_PAIRS = ((11, 12), (23, 24)), ((13, 14), (15, 16)), ((25, 26), (27, 28))
ARM_SLOTS, LEG_SLOTS = tuple(range(13, 23)), tuple(range(25, 33))
APART = 0.06
"""Fraction of the person's size that the two of a pair must lie apart, on the picture, to be told from each other."""
BETTER = 0.6
"""A pair counts as exchanged when that explains it this much better."""


def permutation(event: int) -> Tensor:
    """(33,) slots: the reading named k after the event is the one that belongs to permutation[k]."""
    order = torch.arange(33)
    slots = {NONE: (), ALL: tuple(range(33)), LEGS_ONLY: LEG_SLOTS, ARMS_ONLY: ARM_SLOTS}[event]
    for slot in slots:
        order[slot] = SWAP[slot]
    return order


def permutations() -> Tensor:
    """(4,33) for each of EVENTS."""
    return torch.stack([permutation(event) for event in range(len(EVENTS))])


def recognise(seen: Tensor, truth: Tensor, size: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
    """seen, truth (M,33,2) px, size (M,) px, classes (M,33) -> event (M,) of EVENTS and clear (M,3) bool: whether the
    trunk, the arms and the legs could be judged. A group is judged by its pairs that are apart and not behind others.
    """
    votes, clear = [], []
    for group in (TRUNK_PAIRS, ARM_PAIRS, LEG_PAIRS):
        straight, crossed, sure = (
            torch.stack(part, 1)
            for part in zip(*(_pair(seen, truth, size, classes, *pair) for pair in group), strict=True)
        )
        both = torch.where(sure, straight, 0).sum(1), torch.where(sure, crossed, 0).sum(1)
        votes.append(sure.any(1) & (both[1] < BETTER * both[0]))
        clear.append(sure.any(1))
    trunk, arms, legs = votes
    everything = trunk & (arms | ~clear[1] | legs)
    event = torch.where(
        everything, ALL, torch.where(legs & ~trunk, LEGS_ONLY, torch.where(arms & ~trunk, ARMS_ONLY, NONE))
    )
    return event, torch.stack(clear, 1)


def _pair(seen: Tensor, truth: Tensor, size: Tensor, classes: Tensor, a: int, b: int) -> tuple[Tensor, Tensor, Tensor]:
    def between(one: int, other: int) -> Tensor:
        return (seen[:, one] - truth[:, other]).norm(dim=-1)

    apart = (truth[:, a] - truth[:, b]).norm(dim=-1) > APART * size
    sure = apart & (classes[:, a] < BY_OTHER) & (classes[:, b] < BY_OTHER)
    return between(a, a) + between(b, b), between(a, b) + between(b, a), sure
