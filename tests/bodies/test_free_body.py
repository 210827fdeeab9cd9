"""Facts of the body that ships, and of skinning it in numpy and in torch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hmdiff.bodies.model import FREE_BODY, body_model, load_free_body
from hmdiff.bodies.random_pose import random_rotations
from hmdiff.bodies.rotations import matrix_to_axis_angle
from hmdiff.bodies.sources import load_body_any
from hmdiff_wire.body import JOINT_NAMES, BodyData, load_body, rest_shape, save_body, skin
from hmdiff_wire.errors import HmdiffError

J = {name: k for k, name in enumerate(JOINT_NAMES)}
MIRROR = [J[n.replace("left", "?").replace("right", "left").replace("?", "right")] for n in JOINT_NAMES]


@pytest.fixture(scope="module")
def body() -> BodyData:
    return load_body_any(None)


@pytest.fixture(scope="module")
def joints(body: BodyData) -> np.ndarray:
    return body.joint_regressor @ body.v_template


def test_it_stands_upright_in_metres(body: BodyData, joints: np.ndarray) -> None:
    low, high = body.v_template.min(0), body.v_template.max(0)
    assert 1.5 < high[1] - low[1] < 1.9 and abs(low[1]) < 0.01  # tall in metres, soles on the floor
    assert joints[J["head"], 1] > joints[J["pelvis"], 1] > joints[J["left_knee"], 1] > joints[J["left_ankle"], 1]
    assert abs(joints[J["pelvis"], 0]) < 0.005 and abs(joints[J["pelvis"], 2]) < 0.005
    for side in ("left", "right"):
        assert joints[J[f"{side}_foot"], 2] - joints[J[f"{side}_ankle"], 2] > 0.08  # toes to +z
    nose = body.v_template[body.v_template[:, 1] > joints[J["head"], 1]]
    assert nose[:, 2].max() - joints[J["head"], 2] > joints[J["head"], 2] - nose[:, 2].min()


def test_t_pose_and_left_is_plus_x(joints: np.ndarray) -> None:
    for side, sign in (("left", 1), ("right", -1)):
        for a, b in (("shoulder", "elbow"), ("elbow", "wrist")):
            bone = joints[J[f"{side}_{b}"]] - joints[J[f"{side}_{a}"]]
            assert bone[0] * sign / np.linalg.norm(bone) > np.cos(np.radians(3)), (side, a)
        for a, b in (("hip", "knee"), ("knee", "ankle")):
            bone = joints[J[f"{side}_{b}"]] - joints[J[f"{side}_{a}"]]
            assert -bone[1] / np.linalg.norm(bone) > np.cos(np.radians(3)), (side, a)
        assert sign * joints[J[f"{side}_hip"], 0] > 0.05


def test_joints_are_mirror_images(body: BodyData, joints: np.ndarray) -> None:
    assert np.abs(joints[MIRROR] * (-1, 1, 1) - joints).max() < 0.005
    for beta in range(10):
        betas = np.zeros(10, np.float32)
        betas[beta] = 2
        shaped = rest_shape(body, betas)[1]
        assert np.abs(shaped[MIRROR] * (-1, 1, 1) - shaped).max() < 0.01, beta


def test_weights_regressor_and_surface(body: BodyData) -> None:
    np.testing.assert_allclose(body.weights.sum(1), 1, atol=1e-5)
    assert body.weights.min() >= 0 and (body.weights.max(0) > 0.3).all()  # every joint carries skin
    np.testing.assert_allclose(body.joint_regressor.sum(1), 1, atol=1e-5)
    assert body.joint_regressor.min() >= 0
    assert body.posedirs is None and body.shapedirs.shape == (body.n_vertices, 3, 10)
    assert body.quads is not None and body.uv is not None and body.uv_quads is not None
    assert len(body.quads) * 2 == len(body.faces) and body.uv_quads.shape == body.quads.shape
    assert body.uv.min() >= 0 and body.uv.max() <= 1
    corners = body.v_template[body.faces]
    volume = np.einsum("ti,ti->t", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6
    assert 0.03 < volume < 0.15  # cubic metres, and positive: the faces look outwards


def test_left_limbs_move_left_skin(body: BodyData) -> None:
    """Raising the left arm moves vertices with x > 0 only, and raises the hand."""
    pose = np.zeros((1, 72), np.float32)
    pose[0, 3 * J["left_shoulder"] + 2] = np.pi / 2
    nothing = np.zeros(10, np.float32)
    vertices, moved = skin(body, nothing, pose, np.zeros((1, 3)))
    far = np.linalg.norm(vertices[0] - body.v_template, axis=1) > 0.02
    assert far.any() and body.v_template[far, 0].min() > 0
    assert moved[0, J["left_wrist"], 1] > moved[0, J["head"], 1]


def test_first_beta_is_height(body: BodyData) -> None:
    tall, small = (rest_shape(body, np.array([b], np.float32))[0] for b in (2, -2))
    assert np.ptp(tall[:, 1]) - np.ptp(small[:, 1]) > 0.1


def test_numpy_and_torch_skinning_agree(body: BodyData) -> None:
    generator = torch.Generator().manual_seed(0)
    rotations = random_rotations(3, generator)
    pose = matrix_to_axis_angle(rotations).reshape(3, 72)
    betas, transl = torch.randn(10, generator=generator), torch.randn(3, 3, generator=generator)
    vertices, joints = skin(body, betas.numpy(), pose.numpy(), transl.numpy())
    model = body_model(body)
    same, same_joints = model(betas.repeat(3, 1), rotations, transl)
    assert np.abs(vertices - same.numpy()).max() < 1e-5 and np.abs(joints - same_joints.numpy()).max() < 1e-5
    some = torch.arange(0, body.n_vertices, 97)
    part, part_joints = model.subset(some)(betas.repeat(3, 1), rotations, transl)
    assert (part - same[:, some]).abs().max() < 1e-6 and (part_joints - same_joints).abs().max() < 1e-6


def test_skinning_can_be_differentiated() -> None:
    model = load_free_body().subset(torch.arange(0, 10_000, 501))
    pose = torch.zeros(1, 72, requires_grad=True)
    vertices, _ = model.from_axis_angle(torch.zeros(1, 10), pose)
    (gradient,) = torch.autograd.grad(vertices.square().sum(), pose)
    assert torch.isfinite(gradient).all() and gradient.abs().max() > 0


def test_save_and_load_round_trip(body: BodyData, tmp_path: Path) -> None:
    save_body(tmp_path / "again.npz", body)
    again = load_body(tmp_path / "again.npz")
    assert again.name == body.name and (again.parents == body.parents).all() and (again.faces == body.faces).all()
    np.testing.assert_array_equal(again.v_template, body.v_template)
    np.testing.assert_allclose(again.shapedirs, body.shapedirs, atol=1e-6)
    np.testing.assert_allclose(again.weights, body.weights, atol=1e-6)
    np.testing.assert_allclose(again.joint_regressor, body.joint_regressor, atol=1e-7)
    assert again.uv is not None and again.quads is not None and again.posedirs is None
    assert (tmp_path / "again.npz").stat().st_size < 4e6


def test_damaged_bodies_are_reported(tmp_path: Path) -> None:
    whole = FREE_BODY.read_bytes()
    for data in (b"", whole[: len(whole) // 2], whole[1000:], b"PK\x03\x04" + bytes(50)):
        (tmp_path / "bad.npz").write_bytes(data)
        for load in (load_body, load_body_any):
            with pytest.raises(HmdiffError) as caught:
                load(tmp_path / "bad.npz")
            assert caught.value.kind == "body.damaged" and "bad.npz" in caught.value.message
    with pytest.raises(HmdiffError) as caught:
        load_body(tmp_path / "missing.npz")
    assert caught.value.kind == "body.not_found"


def test_betas_have_unit_variance_over_the_population() -> None:
    """The population the body was made from, projected on its shape directions."""
    pytest.importorskip("anny", reason="the extra hmdiff[body] is not installed")
    from hmdiff.bodies.build import build_free_body

    built = build_free_body(n_shapes=60, seed=0)
    assert built.shapedirs.shape[2] == 10 and (built.parents == load_body(FREE_BODY).parents).all()
    # Same vertices, nearly the same mean from another sample of the population, same directions of the first shapes.
    shipped = load_body(FREE_BODY)
    assert np.linalg.norm(built.v_template - shipped.v_template, axis=1).mean() < 0.03
    spread = np.linalg.norm(built.shapedirs.reshape(-1, 10), axis=0)
    known = np.linalg.norm(shipped.shapedirs.reshape(-1, 10), axis=0)
    assert 0.6 < spread[0] / known[0] < 1.6  # the first shape's standard deviation, from 60 people against 1500


def test_the_free_path_never_imports_smplx(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from hmdiff.bodies import sources, hierarchy, joint_maps, model, build\n"
        "from hmdiff_wire.body import save_body\n"
        "body = sources.load_body_any(None)\n"
        "file = pathlib.Path(sys.argv[1]); save_body(file, body); sources.load_body_any(file)\n"
        "hierarchy.load_hierarchy(body); import hmdiff.training.assemble, hmdiff.cli\n"
        "print(sorted({name.split('.')[0] for name in sys.modules} & {'smplx', 'chumpy', 'anny'}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "copy.npz")], capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
