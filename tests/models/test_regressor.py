"""The first guess: m, and U anchored at its joints; and f, the map both are compared by (A12)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from hmdiff.bodies.joint_maps import J14_NAMES, J14_OF_24
from hmdiff.models.hmdiff import HMDiff
from hmdiff.synthesis.batch import Batch
from hmdiff.training.assemble import Assembly
from hmdiff_wire.body import JOINT_NAMES


def test_u_stands_around_the_joints_of_m_and_does_not_pull_it(model: HMDiff, batch: Batch):
    regression = model.regressor(batch.inputs)
    joints = torch.einsum("jv,nvc->njc", model.joint_map, regression.mesh)
    offset = regression.u.moments()[0] - joints
    assert (offset - torch.tensor([0.12, -0.06, 0.05])).abs().max() < 0.06
    loss = -regression.u.log_prob(batch.people.joints[:, list(J14_OF_24)]).mean()
    loss.backward()
    assert model.regressor.mesh.weight.grad is None or not model.regressor.mesh.weight.grad.any()
    assert model.regressor.u.weight.grad is not None and model.regressor.u.weight.grad.any()
    model.zero_grad(set_to_none=True)


@torch.no_grad()
def test_every_input_reaches_the_regressor(make_model: Callable[..., HMDiff], batch: Batch):
    regressor = make_model().regressor
    base = regressor(batch.inputs).mesh
    inputs = batch.inputs
    for changed in (
        replace(inputs, landmarks=inputs.landmarks + 0.1),
        replace(inputs, flags=1 - inputs.flags),
        replace(inputs, crop=inputs.crop + 0.1),
        replace(inputs, grid=torch.cat([inputs.grid[:, :-1], 1 - inputs.grid[:, -1:]], 1)),
    ):
        assert ((regressor(changed).mesh - base).abs().amax((1, 2)) > 1e-5).all()


def test_a12_f_gives_the_skeletons_own_joints(parts: Assembly, batch: Batch):
    """f's joints on posed bodies of many shapes lie where the skeleton has them, which is what U is trained on."""
    assert [JOINT_NAMES[j] for j in J14_OF_24] == list(J14_NAMES)
    f = torch.from_numpy(parts.maps.coarse_j14)
    assert torch.allclose(f.sum(1), torch.ones(14), atol=1e-4)
    joints = torch.einsum("jv,nvc->njc", f, batch.people.vertices)
    error = (joints - batch.people.joints[:, list(J14_OF_24)]).norm(dim=-1)
    assert error.mean() < 0.008 and error.max() < 0.04


def test_a12_the_detectors_landmarks_have_their_own_map(parts: Assembly, batch: Batch):
    landmarks = torch.from_numpy(parts.maps.coarse_landmarks)
    assert landmarks.shape == (33, 431) and torch.allclose(landmarks.sum(1), torch.ones(33), atol=1e-4)
    nose, head = batch.people.landmarks[:, 0], batch.people.joints[:, JOINT_NAMES.index("head")]
    assert ((nose - head).norm(dim=-1) > 0.05).all()
