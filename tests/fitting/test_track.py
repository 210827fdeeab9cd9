from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hmdiff.bodies.model import BodyModel
from hmdiff.bodies.random_pose import random_rotations
from hmdiff.bodies.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from hmdiff.fitting import Sightings, fit_track, meshes_from_rows, project
from torch import Tensor

FRAMES, CENTRE = 60, (640.0, 360.0)


class Scene:
    """One person moving smoothly between two poses two seconds long, with noisy meshes and landmarks."""

    def __init__(self, body: BodyModel) -> None:
        generator = torch.Generator().manual_seed(21)
        self.times = torch.arange(FRAMES) / 30.0
        share = 0.5 - 0.5 * torch.cos(torch.pi * self.times / self.times[-1])
        ends = matrix_to_axis_angle(random_rotations(2, generator)) * 0.7
        pose = ends[0] + share[:, None, None] * (ends[1] - ends[0])
        self.rotations = axis_angle_to_matrix(pose)
        self.rotations[:, 0] = torch.diag(torch.tensor([1.0, -1.0, -1.0])) @ self.rotations[:, 0]
        self.betas = torch.randn(body.n_betas, generator=generator)
        clean, joints = body(self.betas.expand(FRAMES, -1), self.rotations)
        self.transl = torch.stack([self.times - 1, 0 * self.times, 5 + 0.5 * self.times], -1) - joints[:, 0]
        self.joints = joints + self.transl[:, None]
        chosen = torch.randperm(431, generator=generator)[:33]
        self.landmark_matrix = torch.eye(431)[chosen]
        focal = torch.full((FRAMES,), 1100.0)
        centre = torch.tensor(CENTRE).expand(FRAMES, 2)
        pixels = project(self.landmark_matrix @ clean + self.transl[:, None], focal, centre)
        pixels = pixels + 2 * torch.randn(pixels.shape, generator=generator)
        noisy = clean + 0.02 * torch.randn(clean.shape, generator=generator)
        self.meshes = noisy + 0.02 * torch.randn(FRAMES, 1, 3, generator=generator)
        valid = torch.ones(FRAMES, dtype=torch.bool)
        self.seen = Sightings(pixels, torch.ones(FRAMES, 33), focal, CENTRE, self.times, valid)

    def source(self, frames: Tensor) -> Tensor:
        return self.meshes[frames]


@pytest.fixture(scope="module")
def scene(body: BodyModel) -> Scene:
    return Scene(body)


def test_a_track_comes_back_with_one_shape(body: BodyModel, scene: Scene) -> None:
    heard: list[float] = []
    track = fit_track(body, scene.source, scene.landmark_matrix, scene.seen, progress=heard.append)
    assert heard[-1] == 1.0
    assert (track.betas[0] - scene.betas[0]).abs() < 0.15
    off = (track.joints - scene.joints).norm(dim=-1)
    assert off.mean() < 0.04
    vertices, joints = body.from_axis_angle(track.betas.expand(FRAMES, -1), track.pose, track.transl)
    assert torch.allclose(joints, track.joints, atol=1e-3)
    centre = torch.tensor(CENTRE).expand(FRAMES, 2)
    assert torch.allclose(project(joints, scene.seen.focal, centre), track.joints_2d, atol=0.5)
    landmarks = project(scene.landmark_matrix @ vertices, scene.seen.focal, centre)
    assert (landmarks - scene.seen.landmarks_2d).norm(dim=-1).median() < 8


def test_smoothing_steadies_without_moving_the_person(body: BodyModel, scene: Scene) -> None:
    def shake(joints: Tensor) -> Tensor:
        return (joints[2:] - 2 * joints[1:-1] + joints[:-2]).norm(dim=-1).mean()

    raw = fit_track(body, scene.source, scene.landmark_matrix, scene.seen, strength=0.0, betas=scene.betas)
    smooth = fit_track(body, scene.source, scene.landmark_matrix, scene.seen, strength=0.1, betas=scene.betas)
    assert shake(smooth.joints) < 0.2 * shake(raw.joints)
    assert (smooth.joints - scene.joints).norm(dim=-1).mean() <= (raw.joints - scene.joints).norm(dim=-1).mean()
    assert torch.equal(raw.betas, scene.betas)


def test_missed_frames_are_bridged(body: BodyModel, scene: Scene) -> None:
    valid = scene.seen.valid.clone()
    valid[20:26] = False
    meshes = scene.meshes.clone()
    meshes[20:26] = float("nan")
    confidence = scene.seen.confidence.clone()
    confidence[20:26] = 0
    track = fit_track(
        body, lambda f: meshes[f], scene.landmark_matrix, replace(scene.seen, valid=valid, confidence=confidence)
    )
    assert torch.isfinite(track.joints).all() and torch.isfinite(track.pose).all()
    assert (track.joints[20:26] - scene.joints[20:26]).norm(dim=-1).mean() < 0.08
    assert not track.placed[20:26].any() and track.placed[:20].all()
    assert torch.isnan(track.vertex_error_mm[20:26]).all()


def test_rows_of_a_take_are_as_good_as_meshes(body: BodyModel, scene: Scene) -> None:
    from hmdiff.fitting import fit_body

    fitted = fit_body(body, scene.meshes)
    source = meshes_from_rows(body, fitted.pose, fitted.betas)
    track = fit_track(body, source, scene.landmark_matrix, scene.seen)
    assert (track.joints - scene.joints).norm(dim=-1).mean() < 0.05


def test_a_track_without_a_single_mesh_is_still_finite(body: BodyModel, scene: Scene) -> None:
    nobody = replace(scene.seen, valid=torch.zeros(FRAMES, dtype=torch.bool))
    track = fit_track(body, scene.source, scene.landmark_matrix, nobody)
    assert torch.isfinite(track.joints).all() and not track.placed.any()
