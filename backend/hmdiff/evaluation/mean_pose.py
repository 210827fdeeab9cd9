"""The baseline that looks at nothing: the mean of the training poses.

``python -m hmdiff.evaluation.mean_pose MOCAP`` writes the file that ships.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..bodies.joint_maps import J14_NAMES, J14_OF_24
from ..bodies.model import FREE_BODY, BodyModel, load_free_body
from ..bodies.rotations import axis_angle_to_matrix, matrix_to_axis_angle, nearest_rotation
from ..synthesis.poses import apply_collar_correction, collar_correction, load_pose_pool
from . import metrics

FILE = FREE_BODY.with_name("mean_pose.json")
TORSO = tuple(J14_NAMES.index(f"{side}_{part}") for part in ("hip", "shoulder") for side in ("right", "left"))


def mean_pose(body: BodyModel, mocap: Path) -> Tensor:
    """Mean local rotations (24,3,3) of the training poses on this body. Errors as ``load_pose_pool``."""
    poses = load_pose_pool(mocap, "train").poses
    rest = body.joint_template
    direction = torch.stack([rest[16] - rest[13], rest[17] - rest[14]])
    rotations = apply_collar_correction(axis_angle_to_matrix(poses), collar_correction(poses, direction))
    return nearest_rotation(rotations.mean(0))


def shipped_mean_pose() -> Tensor:
    """(24,3,3)."""
    return axis_angle_to_matrix(torch.tensor(json.loads(FILE.read_text(encoding="utf-8"))["pose"])[None])[0]


@torch.no_grad()
def mean_pose_body(body: BodyModel) -> tuple[Tensor, Tensor]:
    """Mean pose and shape, upright: vertices (V,3), joints (24,3) about the pelvis joint, metres."""
    pose = shipped_mean_pose()
    pose[0] = torch.eye(3)
    vertices, joints = body(torch.zeros(1, body.n_betas), pose[None])
    return (vertices - joints[:, :1])[0], (joints - joints[:, :1])[0]


def turned_mean_pose(body: BodyModel, truth_joints: NDArray[np.float32]) -> Tensor:
    """The mean body with its torso turned onto each true one, which favours this baseline.

    truth_joints (B,14,3) in J14's order about the pelvis -> vertices (B,V,3) metres.
    """
    vertices, joints = mean_pose_body(body)
    torso = joints[list(J14_OF_24)][list(TORSO)].numpy()
    _, rotation, _ = metrics.similarity_transform(torso, truth_joints[:, list(TORSO)])
    return torch.einsum("bij,vj->bvi", torch.from_numpy(rotation).float(), vertices)


def main(mocap: Path) -> None:
    pose = matrix_to_axis_angle(mean_pose(load_free_body(), mocap))
    what = "mean local rotations of the training poses, axis-angle, 24 joints"
    rows = [[round(value, 5) for value in row] for row in pose.tolist()]
    FILE.write_text(json.dumps({"what": what, "pose": rows}) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
