"""The body's parts, and a `shared` folder of random poses, so that `synthetic` can be measured without mocap."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hmdiff.bodies.random_pose import random_rotations
from hmdiff.bodies.rotations import matrix_to_axis_angle
from hmdiff.training.assemble import Assembly, assemble_body


@pytest.fixture(scope="session")
def parts() -> Assembly:
    return assemble_body()


@pytest.fixture(scope="session")
def fake_shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its mocap bundle holds random poses: half training, half test."""
    folder = tmp_path_factory.mktemp("shared folder")
    (folder / "data").mkdir()
    poses = matrix_to_axis_angle(random_rotations(80, torch.Generator().manual_seed(0))).numpy()
    np.savez(
        folder / "data" / "mocap_cmu_poses.npz",
        poses=poses.astype(np.float16), pose_split=np.arange(80) % 2, pose_cluster=np.arange(80) // 8,
    )  # fmt: skip
    return folder
