"""The regressor on clips when it looks at the neighbouring frames, as `hmdiff animate` does."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from ..bodies.hierarchy import apply_sparse
from ..models.inputs import ModelInputs
from ..models.temporal import look_around
from ..models.weights import LoadedModel
from .predict import Array, read_meshes

OVER_TIME = "regressor_over_time"


@torch.no_grad()
def joints_over_time(
    loaded: LoadedModel, inputs: ModelInputs, frames: NDArray[np.int64], sequences: Sequence[NDArray[np.int64]]
) -> Array | None:
    """inputs of B people in clips at 30 frames a second, frames (B,) their places in time, sequences: rows of each
    person in order -> (B,14,3) metres about the pelvis; None for a model that looks at single frames only.
    """
    model = loaded.model
    if model.temporal is None:
        return None
    hidden = model.regressor.look(inputs.to(model.basis.device))
    joints = np.full((len(hidden), 14, 3), np.nan, np.float32)
    for rows in sequences:
        at = torch.from_numpy(frames[rows] - frames[rows].min())
        clip = hidden.new_zeros(1, int(at.max()) + 1, hidden.shape[1])
        seen = torch.zeros(clip.shape[:2], dtype=torch.bool, device=clip.device)
        clip[0, at], seen[0, at] = hidden[torch.from_numpy(rows)], True
        mesh = look_around(model.regressor, model.temporal, clip, seen).mesh[at]
        vertices = apply_sparse(loaded.hierarchy.up[0], apply_sparse(loaded.hierarchy.up[1], mesh))
        joints[rows] = read_meshes(loaded, vertices).joints
    return joints
