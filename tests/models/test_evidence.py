"""U from the picture: where the detector's landmarks want the joints of m."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hmdiff.diffusion.dat import DATConfig
from hmdiff.evaluation.predict import read_meshes
from hmdiff.models.evidence import J14_SLOTS, seen_pose
from hmdiff.models.inputs import ModelInputs
from hmdiff.models.regressor import Regression
from hmdiff.models.weights import LoadedModel, load_model

LIMBS = [joint for joint, slot in enumerate(J14_SLOTS) if slot >= 0]
SLOTS = [J14_SLOTS[joint] for joint in LIMBS]
PELVIS = torch.tensor([0.3, -0.1, 4.0])
SIDE = 0.5


@pytest.fixture(scope="module")
def loaded() -> LoadedModel:
    return load_model()


def _seen(loaded: LoadedModel, shift: torch.Tensor, peak: float = 0.9) -> tuple[ModelInputs, Regression]:
    """The mean mesh, 4 m away and off the axis, seen exactly but for ``shift`` (14,3) metres of its joints."""
    model = loaded.model
    mesh = model.regressor.mean_mesh[None]
    body = (model.landmark_map @ mesh[0])[None] + PELVIS
    body[0, SLOTS] += shift[LIMBS]
    centre = PELVIS[:2] / PELVIS[2]
    landmarks = torch.zeros(1, 33, 7)
    landmarks[..., :2] = (body[..., :2] / body[..., 2:] - centre) / (SIDE / 2)
    landmarks[..., 2], landmarks[..., 3] = 1.0, peak
    crop = torch.cat([centre, torch.tensor([SIDE])])[None]
    inputs = ModelInputs(landmarks, torch.zeros(1, 3), crop, torch.zeros(1, 16, 56, 56))
    camera = torch.tensor([[0.0, 0.0, float(torch.log(PELVIS[2] * 1.3 * SIDE))]])  # a third too far
    regression = model.regress(inputs)
    return inputs, replace(regression, mesh=mesh, camera=camera)


def _shift(joint: int, by: tuple[float, float, float]) -> torch.Tensor:
    shift = torch.zeros(14, 3)
    shift[joint] = torch.tensor(by)
    return shift


def test_a_mesh_that_lies_where_it_is_seen_is_left_there(loaded: LoadedModel):
    model = loaded.model
    inputs, regression = _seen(loaded, torch.zeros(14, 3))
    seen = seen_pose(inputs, regression, model.joint_map, model.landmark_map)
    assert (seen.mean - model.joint_map @ regression.mesh).abs().max() < 0.002


def test_a_joint_is_wanted_where_its_landmark_is(loaded: LoadedModel):
    model, wrist = loaded.model, 6
    inputs, regression = _seen(loaded, _shift(wrist, (0.02, -0.03, 0.0)))
    seen = seen_pose(inputs, regression, model.joint_map, model.landmark_map)
    change = (seen.mean - model.joint_map @ regression.mesh)[0]
    assert change[wrist, :2] == pytest.approx([0.02, -0.03], abs=0.004)
    others = [joint for joint in LIMBS if joint != wrist]
    assert change[others].abs().max() < 0.006 and change[:, 2].abs().max() < 1e-6


def test_narrow_across_the_ray_and_open_along_it(loaded: LoadedModel):
    model = loaded.model
    inputs, regression = _seen(loaded, torch.zeros(14, 3))
    seen = seen_pose(inputs, regression, model.joint_map, model.landmark_map)
    values, vectors = torch.linalg.eigh(seen.covariance[0, LIMBS])
    assert (values[:, :2].sqrt() < 0.02).all() and (values[:, 2].sqrt() > 0.9).all()
    joints = (model.joint_map @ regression.mesh)[0, LIMBS] + PELVIS
    ray = torch.nn.functional.normalize(joints, dim=-1)
    assert ((vectors[..., 2] * ray).sum(-1).abs() > 0.999).all()
    assert (torch.diagonal(seen.covariance[0, 12:], dim1=-2, dim2=-1) > 10).all()  # neck and head: no landmark


def test_poor_landmarks_and_implausible_misses_ask_for_little(loaded: LoadedModel):
    model, wrist = loaded.model, 6

    def width(shift: torch.Tensor, peak: float) -> float:
        seen = seen_pose(*_seen(loaded, shift, peak), model.joint_map, model.landmark_map)
        return float(torch.linalg.eigvalsh(seen.covariance[0, wrist])[0].sqrt())

    sure = width(torch.zeros(14, 3), 0.9)
    assert width(torch.zeros(14, 3), 0.5) > 5 * sure
    assert width(_shift(wrist, (0.4, 0.0, 0.0)), 0.9) > 10 * sure


def test_without_any_landmark_nothing_moves(loaded: LoadedModel):
    model = loaded.model
    inputs, regression = _seen(loaded, torch.zeros(14, 3))
    blind = replace(inputs, landmarks=torch.zeros_like(inputs.landmarks))
    seen = seen_pose(blind, regression, model.joint_map, model.landmark_map)
    assert torch.isfinite(seen.mean).all() and (torch.linalg.eigvalsh(seen.covariance)[..., 0] > 0.2).all()


def test_dat_lays_the_mesh_over_the_landmarks_and_leaves_the_hypotheses_apart(loaded: LoadedModel):
    model = loaded.model
    inputs, _ = _seen(loaded, torch.zeros(14, 3))
    keys, sampler = torch.zeros(1, dtype=torch.long), replace(model.config.sampler, steps=4, hypotheses=8)
    off = model.sample(inputs, keys, sampler=sampler, dat=DATConfig(mode="none"))
    on = model.sample(inputs, keys, sampler=sampler, dat=DATConfig(target="seen"))

    def miss(vertices: torch.Tensor) -> float:
        limbs = torch.from_numpy(read_meshes(loaded, vertices).landmarks)[0]
        seen = inputs.landmarks[0, [11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28], :2]
        flat = limbs[:, :2] - limbs[:, :2].mean(0)
        wanted = (seen - seen.mean(0)) * SIDE / 2 * PELVIS[2]
        return float((flat - wanted).norm(dim=-1).mean())

    assert miss(on.vertices) < 0.9 * miss(off.vertices)
    apart = [one.samples - one.samples.mean(1, keepdim=True) for one in (off, on)]
    assert (apart[1].norm(dim=-1).mean() / apart[0].norm(dim=-1).mean()) == pytest.approx(1.0, abs=0.1)


def test_only_the_posterior_form_can_aim_at_what_is_seen():
    with pytest.raises(ValueError, match="posterior"):
        DATConfig(mode="detached", target="seen")
