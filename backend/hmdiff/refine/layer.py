"""Changes of a few frames carried to their neighbours, as an animator's additive layer: whole at its own frame, falling
to nothing, stopped by what is pinned. numpy only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hmdiff_wire.body import rotation_matrices
from numpy.typing import NDArray

Array = NDArray[np.float32]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Shares:
    """Row ``rows[i]`` takes ``share[i]`` of the change at row ``keys[i]``; every key takes all of its own."""

    rows: NDArray[np.int64]
    keys: NDArray[np.int64]
    share: NDArray[np.float64]


def falloff(frames: NDArray[np.int64], keyed: Bools, pinned: Bools, spread: int) -> Shares:
    """frames (n,) rising; keyed, pinned (n,).

    Half a cosine over ``spread`` frames on either side, or over the way to the next keyed or pinned row where that is
    nearer, so that between two keyed rows the shares add up to one. Pinned rows take nothing.
    """
    found: list[tuple[int, int, float]] = []
    stop = keyed | pinned
    for key in np.flatnonzero(keyed & ~pinned).tolist():
        found.append((key, key, 1.0))
        for side in (-1, 1):
            reached: list[int] = []
            row, limit = key + side, spread + 1
            while 0 <= row < len(frames) and abs(int(frames[row] - frames[key])) < limit:
                if stop[row]:
                    limit = abs(int(frames[row] - frames[key]))
                    break
                reached.append(row)
                row += side
            away = [abs(float(frames[one] - frames[key])) / limit for one in reached]
            found += [(one, key, 0.5 + 0.5 * float(np.cos(np.pi * u))) for one, u in zip(reached, away, strict=True)]
    rows, keys, share = zip(*found, strict=True) if found else ((), (), ())
    return Shares(np.array(rows, np.int64), np.array(keys, np.int64), np.array(share, np.float64))


def spread_change(
    pose: Array, transl: Array, new_pose: Array, new_transl: Array, shares: Shares
) -> tuple[Array, Array, Bools]:
    """pose (n,72), transl (n,3) as they were; new_* (n,...) at keyed rows -> pose, transl, changed (n,).

    A key gets its new pose as it is. Other rows turn each joint by the keys' local turns, added as rotation vectors
    with their shares.
    """
    changed = np.zeros(len(pose), bool)
    changed[shares.rows] = True
    keys = np.unique(shares.keys)
    if not len(keys):
        return pose, transl, changed
    before, after = (rotation_matrices(one[keys].reshape(-1, 24, 3).astype(np.float32)) for one in (pose, new_pose))
    turns = np.zeros((len(pose), 72), np.float32)
    turns[keys] = rotation_vectors(after @ before.transpose(0, 1, 3, 2)).reshape(len(keys), 72)
    turned, moved = np.zeros_like(turns), np.zeros((len(pose), 3), np.float32)
    np.add.at(turned, shares.rows, (shares.share[:, None] * turns[shares.keys]).astype(np.float32))
    np.add.at(moved, shares.rows, (shares.share[:, None] * (new_transl - transl)[shares.keys]).astype(np.float32))
    rows = np.flatnonzero(changed)
    old = rotation_matrices(pose[rows].reshape(-1, 24, 3).astype(np.float32))
    out_pose, out_transl = pose.copy(), transl + moved
    out_pose[rows] = rotation_vectors(rotation_matrices(turned[rows].reshape(-1, 24, 3)) @ old).reshape(len(rows), 72)
    out_pose[keys], out_transl[keys] = new_pose[keys], new_transl[keys]
    return out_pose, out_transl, changed


def rotation_vectors(matrices: Array) -> Array:
    """(...,3,3) -> (...,3) axis-angle, angles 0 to pi; through quaternions, so that half turns are right too."""
    m = np.asarray(matrices, np.float64)
    trace = np.trace(m, axis1=-2, axis2=-1)
    diagonal = np.diagonal(m, axis1=-2, axis2=-1)
    squares = np.concatenate([1 + trace[..., None], 1 - trace[..., None] + 2 * diagonal], -1)
    pairs = [(m[..., 2, 1], m[..., 1, 2]), (m[..., 0, 2], m[..., 2, 0]), (m[..., 1, 0], m[..., 0, 1])]
    skew = [a - b for a, b in pairs]
    both = [a + b for a, b in pairs]
    # each row holds 4 q q_i for one i; the row of the largest component is the exact one
    rows = np.stack([
        np.stack([squares[..., 0], *skew], -1),
        np.stack([skew[0], squares[..., 1], both[2], both[1]], -1),
        np.stack([skew[1], both[2], squares[..., 2], both[0]], -1),
        np.stack([skew[2], both[1], both[0], squares[..., 3]], -1),
    ], -2)  # fmt: skip
    best = squares.argmax(-1)[..., None, None]
    quaternion = np.take_along_axis(rows, best, -2).squeeze(-2)
    quaternion = quaternion / np.linalg.norm(quaternion, axis=-1, keepdims=True)
    quaternion = np.where(quaternion[..., :1] < 0, -quaternion, quaternion)
    size = np.linalg.norm(quaternion[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(size, quaternion[..., :1])
    return (quaternion[..., 1:] * np.where(size > 1e-12, angle / np.maximum(size, 1e-12), 2.0)).astype(np.float32)
