"""The numbers that the noise model draws for one person, and their places in one row."""

from __future__ import annotations

import torch
from torch import Tensor

from ...models.inputs import HEATMAP_SLOTS
from ..noise import SWAP

GROUPS: dict[str, tuple[int, ...]] = {
    "error": tuple(range(33)), "confidence": tuple(range(33)), "peak": tuple(range(33)),
    "width": HEATMAP_SLOTS, "aspect": HEATMAP_SLOTS, "offset": HEATMAP_SLOTS, "ghost": HEATMAP_SLOTS,
    "world": (-1,), "eaten": (-1,), "added": (-1,), "faded": (-1,),
}  # fmt: skip
"""Variables and the landmarks they belong to; -1: one for the person. ``error``: distance of the reading from where it
is on average, in fractions of the person's size; ``width``, ``aspect``, ``ghost``: see HeatShape; ``offset``: of the
heatmap's peak from the reading, in cells; ``world``: size of the 3D's residual; ``eaten``, ``added``, ``faded``: see
MaskShape. Those in LOGARITHMIC are tabulated as logarithms."""
LOGARITHMIC = ("error", "width", "offset", "world", "eaten", "added")
FLOOR = {"error": 1e-4, "width": 0.3, "offset": 1e-2, "world": 1e-2, "eaten": 0.01, "added": 0.01}
"""Below this a value counts as this: logarithms of nothing."""
COUNT = sum(len(slots) for slots in GROUPS.values())
SLOTS = tuple(slot for slots in GROUPS.values() for slot in slots)
"""(COUNT,) landmark of each variable, -1 for the person's own."""


def places() -> dict[str, slice]:
    """Where each group stands in a row of COUNT."""
    found, start = {}, 0
    for name, slots in GROUPS.items():
        found[name] = slice(start, start + len(slots))
        start += len(slots)
    return found


PLACES = places()


def mirrored() -> Tensor:
    """(COUNT,) place of the other side's variable."""
    order = torch.arange(COUNT)
    for name, slots in GROUPS.items():
        start = PLACES[name].start
        for k, slot in enumerate(slots):
            order[start + k] = start + (slots.index(SWAP[slot]) if slot >= 0 else k)
    return order


def tabulated(name: str, values: Tensor) -> Tensor:
    """Values as they are tabulated."""
    return values.clamp_min(FLOOR[name]).log() if name in LOGARITHMIC else values
