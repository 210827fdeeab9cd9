"""Motion as the files of AMASS have it (Mahmood et al. 2019): SMPL-H poses in a z-up world, one person a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]

SUFFIX = ".amass.npz"
BODY_JOINTS, HAND_JOINTS, BETAS, DMPLS = 22, 30, 16, 8


def amass_fields(rotations: Array, pelvis: Array, rest_pelvis: Array, betas: Array, fps: float, body: str) -> Any:
    """The arrays of a file, by name.

    rotations (F,24,3,3): each joint's against its parent, the root's from SMPL's rest pose (y up, facing +z) to the
    z-up world; pelvis (F,3) m in that world; rest_pelvis (3,) m in body space; betas (10,) of ``body``; fps.

    poses (F,156) axis-angle: 22 body joints, then hands at rest; trans (F,3) m, added last; betas (16,): zero unless
    ``body`` is a SMPL body, since numbers of another shape space would say something wrong about SMPL's;
    hmdiff_betas and hmdiff_body: whose joints these are.
    """
    frames = len(rotations)
    poses = np.zeros((frames, BODY_JOINTS + HAND_JOINTS, 3))
    poses[:, :BODY_JOINTS] = axis_angles(rotations[:, :BODY_JOINTS])
    shape = np.zeros(BETAS)
    if "smpl" in body.lower():
        shape[: len(betas)] = betas
    return {
        "poses": poses.reshape(frames, -1), "trans": np.asarray(pelvis, np.float64) - rest_pelvis, "betas": shape,
        "dmpls": np.zeros((frames, DMPLS)), "gender": np.array("neutral"), "mocap_framerate": np.array(float(fps)),
        "hmdiff_betas": np.asarray(betas, np.float64), "hmdiff_body": np.array(body),
    }  # fmt: skip


def name_of(path: Path, track: int, people: int) -> Path:
    """NAME.amass.npz for one person, NAME_1.amass.npz and so on by track id for several."""
    stem = path.name[: -len(SUFFIX)]
    return path if people == 1 else path.with_name(f"{stem}_{track}{SUFFIX}")


def axis_angles(matrices: Array) -> Array:
    """Rotation matrices (...,3,3) -> axis-angle (...,3), angles from 0 to pi, exact near both."""
    m = np.asarray(matrices, np.float64)
    # Bar-Itzhack's row with the largest diagonal is the quaternion times four of its components (Shepperd 1978).
    diagonal = np.diagonal(m, axis1=-2, axis2=-1)
    trace = diagonal.sum(-1, keepdims=True)
    squares = np.concatenate([1 + trace, 1 - trace + 2 * diagonal], -1)
    vector = np.stack([m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]], -1)
    mixed = m + np.swapaxes(m, -1, -2)
    rows = np.empty((*m.shape[:-2], 4, 4))
    rows[..., 0, 1:] = rows[..., 1:, 0] = vector
    rows[..., 1:, 1:] = mixed
    for part in range(4):
        rows[..., part, part] = squares[..., part]
    best = np.argmax(squares, axis=-1)
    q = np.take_along_axis(rows, best[..., None, None], axis=-2)[..., 0, :]
    q /= np.linalg.norm(q, axis=-1, keepdims=True)
    q = np.where(q[..., :1] < 0, -q, q)
    sine = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, q[..., :1])
    scale: Array = np.where(sine > 1e-9, angle / np.maximum(sine, 1e-9), 2.0)
    return q[..., 1:] * scale
