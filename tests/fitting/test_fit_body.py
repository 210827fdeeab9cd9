from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from hmdiff.bodies.model import BodyModel
from hmdiff.bodies.rotations import axis_angle_to_matrix
from hmdiff.fitting import FittedBody, fit_body
from hmdiff.fitting.linear import kinematic_tree, linearise
from hmdiff.fitting.normal import normal_equations
from hmdiff.fitting.prior import inverse_left_jacobian
from hmdiff_wire.body import skin
from torch import Tensor


def error_mm(body: BodyModel, fitted: FittedBody, truth: Tensor) -> Tensor:
    vertices, _ = body(fitted.betas, fitted.rotations, fitted.transl)
    return 1000 * (vertices - truth).norm(dim=-1).mean(1)


def smooth_noise(body: BodyModel, count: int, size: float, generator: torch.Generator) -> Tensor:
    """Errors as networks make them: neighbouring vertices go astray together, over about 25 cm."""
    waves = torch.randn(count, 3, 24, generator=generator) / 0.25
    phases = torch.rand(count, 1, 24, generator=generator) * 2 * math.pi
    field = torch.cos(body.template @ waves + phases) @ torch.randn(count, 24, 3, generator=generator)
    return size * field / math.sqrt(12)


def test_clean_meshes_come_back_on_the_full_body(body: BodyModel, full_body: BodyModel, truth) -> None:
    fitted = fit_body(body, truth.coarse + torch.tensor([0.3, -0.2, 4.0]))
    moved = truth.full + torch.tensor([0.3, -0.2, 4.0])
    error = error_mm(full_body, fitted, moved)
    assert error.mean() < 1.0 and error.quantile(0.95) < 3.0
    assert (fitted.betas - truth.betas).abs().median() < 0.05
    assert torch.allclose(axis_angle_to_matrix(fitted.pose.view(-1, 24, 3)), fitted.rotations, atol=1e-4)


def test_parameters_obey_the_wire_format_skinning(body: BodyModel, truth) -> None:
    fitted = fit_body(body, truth.coarse[:2] + 1.0)
    vertices, _ = skin(body.data, fitted.betas[0].numpy(), fitted.pose[:1].numpy(), fitted.transl[:1].numpy())
    expected = truth.full[0].numpy() + 1.0
    assert np.linalg.norm(vertices[0] - expected, axis=-1).mean() < 0.003


def test_noise_is_taken_out_and_stays_human(body: BodyModel, full_body: BodyModel, truth) -> None:
    generator = torch.Generator().manual_seed(5)
    noisy = truth.coarse + 0.02 * torch.randn(truth.coarse.shape, generator=generator)
    noisy = noisy + smooth_noise(body, len(noisy), 0.02, generator)
    fitted = fit_body(body, noisy)
    before = 1000 * (noisy - truth.coarse).norm(dim=-1).mean()
    after = error_mm(full_body, fitted, truth.full)
    assert after.mean() < 0.8 * before
    angles = fitted.pose.view(-1, 24, 3).norm(dim=-1)
    assert angles[:, [22, 23]].max() < 0.35 and angles[:, [13, 14]].max() < 0.8


def test_a_known_shape_is_kept(body: BodyModel, full_body: BodyModel, truth) -> None:
    fitted = fit_body(body, truth.coarse[:8], betas=truth.betas[:8])
    assert torch.equal(fitted.betas, truth.betas[:8])
    assert error_mm(full_body, fitted, truth.full[:8]).mean() < 1.0
    one = fit_body(body, truth.coarse[:8], betas=truth.betas[0])
    assert torch.equal(one.betas, truth.betas[:1].expand(8, -1))


def test_stray_vertices_do_not_pull(body: BodyModel, full_body: BodyModel, truth) -> None:
    generator = torch.Generator().manual_seed(6)
    torn = truth.coarse[:16].clone()
    stray = torch.rand(torn.shape[:2], generator=generator) < 0.08
    torn[stray] += 0.5 * torch.randn(int(stray.sum()), 3, generator=generator)
    error = error_mm(full_body, fit_body(body, torn), truth.full[:16])
    assert error.median() < 6.0


def test_a_broken_mesh_is_told_and_leaves_the_others_alone(body: BodyModel, truth) -> None:
    meshes = truth.coarse[:3].clone()
    alone = fit_body(body, meshes)
    meshes[1, 5] = float("nan")
    fitted = fit_body(body, meshes)
    assert torch.isinf(fitted.vertex_error_mm[1])
    assert torch.isfinite(fitted.pose).all() and torch.isfinite(fitted.transl).all()
    assert torch.allclose(fitted.pose[[0, 2]], alone.pose[[0, 2]], atol=1e-3)


def test_no_meshes_is_no_bodies(body: BodyModel) -> None:
    assert len(fit_body(body, torch.zeros(0, 431, 3))) == 0


def test_batched_equals_one_at_a_time(body: BodyModel, truth) -> None:
    together = fit_body(body, truth.coarse[:4])
    for index in range(4):
        single = fit_body(body, truth.coarse[index : index + 1])
        assert torch.allclose(single.transl[0], together.transl[index], atol=1e-3)
        assert (single.vertex_error_mm[0] - together.vertex_error_mm[index]).abs() < 0.3


def test_joint_hints_steady_a_noisy_mesh(body: BodyModel, truth) -> None:
    generator = torch.Generator().manual_seed(8)
    noisy = truth.coarse + smooth_noise(body, len(truth.coarse), 0.04, generator)
    plain = fit_body(body, noisy)
    hinted = fit_body(body, noisy, joints_hint=truth.joints, joint_weight=20.0)
    off = [(body(f.betas, f.rotations, f.transl)[1] - truth.joints).norm(dim=-1).mean() for f in (plain, hinted)]
    assert off[1] < 0.6 * off[0]


def test_pose_dependent_shape_is_followed(body: BodyModel, truth) -> None:
    generator = torch.Generator().manual_seed(9)
    soft = replace(body, posedirs=0.002 * torch.randn(431, 3, 207, generator=generator))
    meshes, _ = soft(truth.betas[:16], truth.rotations[:16])
    fitted = fit_body(soft, meshes, iterations=6)
    assert fitted.vertex_error_mm.median() < 3.0


def test_normal_equations_are_autograds_jacobian(body: BodyModel, truth) -> None:
    betas, rotations = truth.betas[:1], truth.rotations[:1]
    tree = kinematic_tree(body.parents)
    transl = torch.tensor([[0.1, 0.2, 0.3]])
    at = linearise(body, tree, betas, rotations, transl, with_shape=True)
    world = at.world

    def moved(step: Tensor) -> Tensor:
        turns = step[:72].view(1, 24, 3)
        above = torch.cat([torch.eye(3)[None, None], world[:, list(body.parents[1:])]], 1)
        local = (above.transpose(-1, -2) @ turns[..., None]).squeeze(-1)
        place = transl + step[72:75]
        vertices, joints = body(betas + step[75:], axis_angle_to_matrix(local) @ rotations, place)
        return torch.cat([vertices, joints], 1).flatten()

    jacobian = torch.autograd.functional.jacobian(moved, torch.zeros(85), vectorize=True)
    assert isinstance(jacobian, Tensor)
    weight = torch.rand(1, 431, generator=torch.Generator().manual_seed(0))
    residual = torch.randn(1, 431, 3, generator=torch.Generator().manual_seed(1))
    hint = at.joints + 0.1
    matrix, right = normal_equations(at, residual, weight, hint, 2.0)
    rows = torch.cat([weight[0], torch.full((24,), 2.0)]).repeat_interleave(3)
    errors = torch.cat([residual[0], torch.full((24, 3), 0.1)]).flatten()
    expected = (jacobian.T * rows) @ jacobian
    scale = expected.diagonal().sqrt()
    scaled = (matrix[0].triu() - expected.triu()) / (scale[:, None] * scale[None] + 1e-6)
    assert scaled.abs().max() < 1e-3
    assert torch.allclose(right[0], (jacobian.T * rows) @ errors, atol=2e-3)


def test_inverse_left_jacobian_is_the_logs_derivative() -> None:
    from hmdiff.bodies.rotations import matrix_to_axis_angle

    theta = torch.tensor([0.4, -1.1, 0.7], dtype=torch.float64)
    jacobian = torch.autograd.functional.jacobian(
        lambda d: matrix_to_axis_angle(axis_angle_to_matrix(d) @ axis_angle_to_matrix(theta)),
        torch.full((3,), 1e-7, dtype=torch.float64),
    )
    assert torch.allclose(inverse_left_jacobian(theta), jacobian, atol=1e-4)


def test_the_callers_thread_count_is_given_back(body: BodyModel, truth) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        fit_body(body, truth.coarse[:1])
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
