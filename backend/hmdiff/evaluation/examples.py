"""People with exact truth and what a detector said of them: benchmarks make them, methods are measured on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..models.inputs import ModelInputs
from .predict import Meshes

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Examples:
    """B people. Picture quantities are in one unit per benchmark (px, or the plane z = 1) with ``focal`` in the same.

    inputs: what the networks see; truth: exact meshes about the pelvis, camera axes, metres; pelvis (B,3) its true
    position before the camera; landmarks (B,33,3) true, about the pelvis; landmarks_2d (B,33,2) true;
    visible (B,33): nothing is in front of the landmark and it lies inside the picture (truth, not confidence);
    seen_2d (B,33,2), confidence (B,33), world (B,33,3): what the detector said, world NaN where it said nothing;
    focal (B,), principal (B,2); crop (B,3): centre and side of the person's square crop (the detector's landmarks
    times the margin), which becomes 256 px in picture errors;
    mask (B,128,128): the person's own true silhouette in that crop, hidden parts left out, or None;
    people_mask (B,128,128): everybody's pixels in that crop, or None;
    clip (B,) label of the independent recording (bootstrap group); frame (B,) number within it, -1 for single pictures;
    hidden (B,33): the landmark lies inside the picture, but something is in front of it, be it the person's own body
    (what PercIn and MinDist ask about; a landmark outside the picture is neither visible nor hidden), or None.
    """

    inputs: ModelInputs
    truth: Meshes
    pelvis: Floats
    landmarks: Floats
    landmarks_2d: Floats
    visible: Flags
    seen_2d: Floats
    confidence: Floats
    world: Floats
    focal: Floats
    principal: Floats
    crop: Floats
    mask: Flags | None
    people_mask: Flags | None
    clip: NDArray[np.int64]
    frame: NDArray[np.int64]
    hidden: Flags | None = None

    def __len__(self) -> int:
        return len(self.pelvis)

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> Examples:
        """Some of the people, in the order given."""
        truth = Meshes(*(part[rows] for part in (self.truth.vertices, self.truth.joints, self.truth.landmarks)))
        chosen = rows if isinstance(rows, slice) else torch.from_numpy(rows)
        others = {f.name: _cut(getattr(self, f.name), rows) for f in fields(self) if f.name not in ("truth", "inputs")}
        return Examples(truth=truth, inputs=self.inputs[chosen], **others)


def _cut(part: Any, rows: slice | NDArray[np.int64]) -> Any:
    return None if part is None else part[rows]


def join_examples(several: Sequence[Examples]) -> Examples:
    """One after the other; a part that one of them lacks is lacking. At least one is needed."""
    truth = Meshes(
        *(np.concatenate([getattr(one.truth, part) for one in several]) for part in ("vertices", "joints", "landmarks"))
    )
    inputs = ModelInputs(
        *(torch.cat([getattr(one.inputs, part) for one in several]) for part in ("landmarks", "flags", "crop", "grid"))
    )
    names = [f.name for f in fields(Examples) if f.name not in ("truth", "inputs")]
    return Examples(
        inputs=inputs, truth=truth, **{name: _join([getattr(one, name) for one in several]) for name in names}
    )


def _join(columns: list[Any]) -> Any:
    return None if any(part is None for part in columns) else np.concatenate(columns)
