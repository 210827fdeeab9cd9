"""People in front of cameras: units and frames (A5), projections, camera ranges."""

from __future__ import annotations

import math

import pytest
import torch
from hmdiff.bodies.rotations import axis_angle_to_matrix
from hmdiff.synthesis.batch import SyntheticStream
from hmdiff.synthesis.people import CameraRanges, People, place_people, project, sample_cameras, sample_people


def test_a5_meshes_are_metres_around_the_pelvis_joint(people: People):
    assert people.vertices.shape == (64, 431, 3) and people.joints.shape == (64, 24, 3)
    assert people.joints[:, 0].abs().max() == 0
    assert 0.2 < people.vertices.std() < 0.5
    height = (people.vertices.amax(1) - people.vertices.amin(1)).amax(1)
    assert ((height > 0.9) & (height < 2.6)).all()


def test_projections_are_those_of_the_placed_people(people: People):
    placed = people.vertices + people.pelvis[:, None]
    assert torch.allclose(people.vertices_2d, placed[..., :2] / placed[..., 2:].clamp_min(0.1), atol=1e-5)
    landmarks = people.landmarks + people.pelvis[:, None]
    near = landmarks[..., 2] > 0.1
    expected = landmarks[..., :2] / landmarks[..., 2:]
    assert torch.allclose(people.landmarks_2d[near], expected[near], atol=1e-5)


def test_landmarks_lie_on_the_body(people: People):
    distance = torch.cdist(people.landmarks, people.vertices).amin(-1)
    assert distance.max() < 0.12


def test_points_behind_the_camera_stay_finite():
    assert torch.equal(project(torch.tensor([[1.0, 2.0, -5.0]])), torch.tensor([[10.0, 20.0]]))


def test_a_person_facing_the_camera_has_left_on_the_right_of_the_picture(stream: SyntheticStream):
    """Half a turn about x (DESIGN 3): head up in the picture (small y), left hand at larger x, toes towards us."""
    rotations = torch.eye(3).repeat(1, 24, 1, 1)
    rotations[:, 0] = axis_angle_to_matrix(torch.tensor([math.pi, 0.0, 0.0]))
    people = place_people(stream.setup, torch.zeros(1, 10), rotations, torch.tensor([[0.0, 0.0, 4.0]]))
    slot = {"nose": 0, "left_wrist": 15, "right_wrist": 16, "left_ankle": 27, "left_toe": 31}
    points = {name: people.landmarks_2d[0, index] for name, index in slot.items()}
    assert points["nose"][1] < 0 < points["left_ankle"][1]
    assert points["right_wrist"][0] < 0 < points["left_wrist"][0]
    assert people.landmarks[0, slot["left_toe"], 2] < people.landmarks[0, slot["left_ankle"], 2]


def test_cameras_keep_to_their_ranges():
    ranges = CameraRanges()
    turn, pelvis = sample_cameras(3000, torch.Generator().manual_seed(0), ranges, torch.device("cpu"))
    assert torch.allclose(turn @ turn.transpose(1, 2), torch.eye(3).expand_as(turn), atol=1e-5)
    assert torch.allclose(torch.linalg.det(turn), torch.ones(3000), atol=1e-5)
    assert ranges.nearest <= pelvis[:, 2].min() and pelvis[:, 2].max() <= ranges.farthest
    off = torch.rad2deg(torch.atan2(pelvis[:, 0], pelvis[:, 2]).abs())
    assert off.max() <= ranges.off_axis + 1e-3
    down = turn[:, :, 1]  # where the world's up points in camera axes
    assert (down[:, 1] < 0).float().mean() > 0.98
    pitch = torch.rad2deg(torch.asin(down[:, 2]))
    # From above, heads are nearer than feet: the world's up leans towards the camera, -z.
    assert pitch.mean().item() == pytest.approx(-ranges.pitch_mean, abs=1.5)
    assert pitch.std().item() == pytest.approx(ranges.pitch_std, rel=0.1)
    heading = torch.atan2(turn[:, 0, 0], turn[:, 0, 2])
    assert (torch.histc(heading, 8, -math.pi, math.pi) > 250).all()


def test_shapes_follow_the_prior(stream: SyntheticStream):
    people = sample_people(stream.setup, 600, torch.Generator().manual_seed(3), beta_std=1.2)
    assert people.betas.mean().abs() < 0.05 and people.betas.std().item() == pytest.approx(1.2, rel=0.05)


def test_a_seed_gives_the_same_people_and_the_next_draw_others(stream: SyntheticStream):
    generator = torch.Generator().manual_seed(4)
    first = sample_people(stream.setup, 4, generator)
    next_ones = sample_people(stream.setup, 4, generator)
    again = sample_people(stream.setup, 4, torch.Generator().manual_seed(4))
    assert torch.equal(first.vertices, again.vertices) and torch.equal(first.landmarks_2d, again.landmarks_2d)
    assert not torch.equal(first.vertices, next_ones.vertices)
