from __future__ import annotations

import numpy as np
import torch
from hmdiff.bodies.model import BodyModel
from hmdiff.bodies.rotations import axis_angle_to_matrix
from hmdiff.fitting import estimate_up
from numpy.typing import NDArray


def standing(body: BodyModel, frames: int, pitch: float, roll: float = 0.0, lying: bool = False) -> NDArray[np.float32]:
    """A person who sways, seen by a tilted camera; (F,24,3) in its axes."""
    generator = torch.Generator().manual_seed(0)
    pose = 0.05 * torch.randn(frames, 24, 3, generator=generator)
    pose[:, 16, 2] -= 1.2
    pose[:, 17, 2] += 1.2
    pose[:, 0] = torch.tensor([np.pi + np.radians(4.0), 0.0, 0.0])
    if lying:
        pose[:, 0] = torch.tensor([0.0, 0.0, np.pi / 2])
    joints = body(torch.zeros(frames, body.n_betas), axis_angle_to_matrix(pose))[1]
    camera = axis_angle_to_matrix(torch.tensor([pitch, 0.0, roll]))
    return (joints @ camera.T + torch.tensor([0.0, 0.0, 4.0])).numpy()


def off_degrees(up: NDArray[np.float32], pitch: float, roll: float) -> float:
    camera = axis_angle_to_matrix(torch.tensor([pitch, 0.0, roll])).numpy()
    return float(np.degrees(np.arccos(np.clip(up @ (camera @ np.array([0, -1.0, 0])), -1, 1))))


def test_a_standing_person_tells_pitch_and_roll(body: BodyModel) -> None:
    times, valid = np.arange(60, dtype=np.float32) / 30, np.ones(60, bool)
    for pitch, roll in ((0.0, 0.0), (0.35, 0.0), (-0.25, 0.1)):
        found = estimate_up(standing(body, 60, pitch, roll), times, valid)
        assert found.source == "estimated" and off_degrees(found.up, pitch, roll) < 4.0
        assert abs(np.linalg.norm(found.up) - 1) < 1e-5


def test_people_who_do_not_stand_tell_nothing(body: BodyModel) -> None:
    times, valid = np.arange(60, dtype=np.float32) / 30, np.ones(60, bool)
    lying = estimate_up(standing(body, 60, 0.0, lying=True), times, valid)
    short = estimate_up(standing(body, 10, 0.3), times[:10], valid[:10])
    unseen = estimate_up(standing(body, 60, 0.3), times, ~valid)
    for found in (lying, short, unseen):
        assert found.source == "assumed" and np.array_equal(found.up, np.array([0, -1, 0], np.float32))


def test_a_level_walk_corrects_the_lean(body: BodyModel) -> None:
    times, valid = np.arange(90, dtype=np.float32) / 30, np.ones(90, bool)
    joints = standing(body, 90, 0.0)
    lean = axis_angle_to_matrix(torch.tensor([0.1, 0.0, 0.0])).numpy()
    leaning = (joints - [0, 0, 4.0]) @ lean.T + [0, 0, 6.0]
    still = estimate_up(leaning.astype(np.float32), times, valid)
    walking = leaning + np.stack([0 * times, 0 * times, -1.2 * times], -1)[:, None]
    found = estimate_up(walking.astype(np.float32), times, valid)
    assert off_degrees(found.up, 0, 0) < 1.0 < off_degrees(still.up, 0, 0)
