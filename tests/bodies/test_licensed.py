"""Licensed bodies: every format gives the same body, and our skinning is smplx's."""

from __future__ import annotations

import sys
from pathlib import Path

import body_maker
import numpy as np
import pytest
import torch
from hmdiff.bodies.model import body_model
from hmdiff.bodies.smpl_files import through_smplx
from hmdiff.bodies.sources import load_body_any
from hmdiff_wire.body import load_body, save_body, skin
from hmdiff_wire.errors import HmdiffError

smplx = pytest.importorskip("smplx", reason="the extra hmdiff[smpl] is not installed")


@pytest.fixture(scope="module", params=[24, 16], ids=["smpl", "mano"])
def fields(request: pytest.FixtureRequest) -> dict:
    return body_maker.licensed_fields(request.param)


def dense_fields(fields: dict) -> dict:
    dense = {key: value for key, value in fields.items() if not isinstance(value, str)}
    return dense | {"J_regressor": fields["J_regressor"].toarray()}


def smplx_forward(fields: dict, betas: torch.Tensor, pose: torch.Tensor, transl: torch.Tensor) -> tuple:
    joints = fields["kintree_table"].shape[1]
    parents = np.array(body_maker.SMPL_PARENTS if joints == 24 else body_maker.MANO_PARENTS)
    # smplx also picks the nose and finger tips of SMPL's own 6890 vertices; these bodies are smaller.
    ids = dict.fromkeys(smplx.vertex_ids.vertex_ids["smplh"], 0)
    model = through_smplx(dense_fields(fields), parents, vertex_ids=ids)
    if joints == 24:
        out = model(betas=betas, global_orient=pose[:, :3], body_pose=pose[:, 3:], transl=transl)
    else:
        out = model(betas=betas, global_orient=pose[:, :3], hand_pose=pose[:, 3:], transl=transl)
    return out.vertices.detach().numpy(), out.joints.detach().numpy()[:, :joints]


def test_our_skinning_equals_smplx(fields: dict, tmp_path: Path) -> None:
    body = load_body_any(body_maker.write_pickle(tmp_path / "X.pkl", fields))
    joints = len(body.parents)
    generator = torch.Generator().manual_seed(0)
    betas = torch.randn(1, 10, generator=generator).repeat(4, 1)
    pose = torch.randn(4, joints * 3, generator=generator) * 0.8
    transl = torch.randn(4, 3, generator=generator)
    truth, truth_joints = smplx_forward(fields, betas, pose, transl)
    assert body.posedirs is not None
    rest = skin(body, betas[0].numpy(), np.zeros((1, joints * 3), np.float32), np.zeros(3, np.float32))[0]
    assert np.abs(truth - rest).max() > 0.3  # the poses are far from rest

    vertices, found_joints = skin(body, betas[0].numpy(), pose.numpy(), transl.numpy())
    assert np.abs(vertices - truth).max() < 1e-5
    assert np.abs(found_joints - truth_joints).max() < 1e-5
    vertices, found_joints = (x.numpy() for x in body_model(body).from_axis_angle(betas, pose, transl))
    assert np.abs(vertices - truth).max() < 1e-5
    assert np.abs(found_joints - truth_joints).max() < 1e-5


def test_pose_blend_shapes_matter(fields: dict, tmp_path: Path) -> None:
    body = load_body_any(body_maker.write_npz(tmp_path / "X.npz", fields))
    still = dense_fields(fields) | {"posedirs": np.zeros_like(fields["posedirs"])}
    stiff = load_body_any(body_maker.write_npz(tmp_path / "still.npz", still))
    pose = np.random.default_rng(0).normal(0, 0.8, (1, len(body.parents) * 3)).astype(np.float32)
    nothing = np.zeros(10, np.float32)
    difference = skin(body, nothing, pose, np.zeros(3))[0] - skin(stiff, nothing, pose, np.zeros(3))[0]
    assert np.abs(difference).max() > 0.01


def same_body(a, b) -> None:
    for name in ("v_template", "shapedirs", "posedirs", "joint_regressor", "weights", "parents", "faces"):
        left, right = getattr(a, name), getattr(b, name)
        assert left.shape == right.shape and left.dtype == right.dtype, name
        np.testing.assert_allclose(left, right, atol=1e-7, err_msg=name)


def test_every_format_gives_the_same_body(fields: dict, tmp_path: Path) -> None:
    body = load_body_any(body_maker.write_npz(tmp_path / "dense.npz", fields))
    count, joints = len(fields["v_template"]), len(body.parents)
    assert body.name == {24: "smpl", 16: "mano"}[joints]
    assert body.shapedirs.shape == (count, 3, 10) and body.posedirs.shape == (count, 3, 9 * (joints - 1))
    assert body.parents[0] == -1 and body.faces.dtype == np.int32 and body.quads is None
    np.testing.assert_allclose(body.v_template, fields["v_template"], atol=1e-6)
    np.testing.assert_allclose(body.joint_regressor, fields["J_regressor"].toarray(), atol=1e-6)
    np.testing.assert_allclose(body.posedirs, fields["posedirs"], atol=1e-7)

    for protocol in (0, 1, 2, 3, 4, 5):
        same_body(load_body_any(body_maker.write_pickle(tmp_path / f"p{protocol}.PKL", fields, protocol)), body)
    old = tmp_path / "python2.pkl"
    old.write_bytes(body_maker.python2_pickle(body_maker.as_released(fields)))
    assert b"chumpy.reordering" in old.read_bytes() and b"scipy.sparse.csc\n" in old.read_bytes()
    same_body(load_body_any(old), body)
    assert "chumpy" not in sys.modules

    rest = dense_fields(fields)
    del rest["J_regressor"]
    for layout in ("csc", "csr", "coo"):
        matrix = fields["J_regressor"].asformat(layout)
        names = ("row", "col", "data") if layout == "coo" else ("indices", "indptr", "data")
        pieces = {f"J_regressor_{name}": getattr(matrix, name) for name in names}
        file = tmp_path / f"{layout}.npz"
        np.savez(file, **rest, **pieces, J_regressor_shape=matrix.shape)
        same_body(load_body_any(file), body)


def test_only_the_first_ten_of_many_shapes_are_used(tmp_path: Path) -> None:
    fields = body_maker.licensed_fields(n_shapes=300)
    body = load_body_any(body_maker.write_npz(tmp_path / "SMPL_NEUTRAL.npz", fields))
    np.testing.assert_allclose(body.shapedirs, fields["shapedirs"][..., :10], atol=1e-7)


def test_a_licensed_body_survives_a_take(fields: dict, tmp_path: Path) -> None:
    """A take carries its own body.npz, which then needs no smplx."""
    body = load_body_any(body_maker.write_npz(tmp_path / "X.npz", fields))
    save_body(tmp_path / "body.npz", body)
    again = load_body(tmp_path / "body.npz")
    pose = np.random.default_rng(1).normal(0, 0.5, (2, len(body.parents) * 3)).astype(np.float32)
    betas = np.linspace(-2, 2, 10, dtype=np.float32)
    before, after = skin(body, betas, pose, np.zeros((2, 3)))[0], skin(again, betas, pose, np.zeros((2, 3)))[0]
    assert np.abs(before - after).max() < 2e-4


def test_without_smplx_the_error_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = body_maker.write_npz(tmp_path / "SMPL_NEUTRAL.npz", body_maker.licensed_fields())
    monkeypatch.setitem(sys.modules, "smplx", None)
    with pytest.raises(HmdiffError) as caught:
        load_body_any(file)
    assert caught.value.kind == "body.smplx_missing" and "hmdiff[smpl]" in caught.value.fix
    assert load_body_any(None).name == "free"
