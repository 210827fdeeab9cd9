"""The mesh hierarchy V -> 1723 -> 431, decimation, and the linear maps to joints."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import body_maker
import numpy as np
import pytest
import torch
from hmdiff.bodies import hierarchy as hierarchy_module
from hmdiff.bodies.decimate import decimate
from hmdiff.bodies.hierarchy import (
    Hierarchy,
    apply_sparse,
    build_hierarchy,
    load_hierarchy,
    read_hierarchy,
    round_trip_error_mm,
    write_hierarchy,
)
from hmdiff.bodies.joint_maps import J14_OF_24, JointMaps, fit_joint_maps, read_landmark_regressor
from hmdiff.bodies.model import BodyModel, load_free_body
from hmdiff.bodies.random_pose import random_rotations
from hmdiff_wire.body import BodyData


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_free_body()


@pytest.fixture(scope="module")
def free(body: BodyModel) -> Hierarchy:
    return load_hierarchy(body.data)


@pytest.fixture(scope="module")
def maps(body: BodyModel, free: Hierarchy) -> JointMaps:
    return fit_joint_maps(body, free, read_landmark_regressor(body.data))


def draw(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 10, generator=generator), random_rotations(count, generator)


def test_sizes_and_matrices(body: BodyModel, free: Hierarchy) -> None:
    count = body.data.n_vertices
    assert [len(i) for i in free.indices] == [1723, 431]
    assert free.up[0].shape == (count, 1723) and free.up[1].shape == (1723, 431)
    assert set(free.indices[1]) <= set(free.indices[0]) and len(set(free.indices[0])) == 1723
    for up in free.up:
        np.testing.assert_allclose(np.asarray(up.sum(1)).ravel(), 1, atol=1e-5)
    for indices, faces in zip(free.indices, free.faces, strict=True):
        assert set(faces.ravel()) == set(range(len(indices)))
    picked = body.data.v_template[free.indices[0]]
    kept = np.asarray(free.up[0] @ picked)[free.indices[0]]
    np.testing.assert_allclose(kept, picked, atol=1e-6)  # kept vertices come back exactly


def test_adjacency_and_hops(free: Hierarchy) -> None:
    adjacency, hops = free.adjacency, free.hops
    assert adjacency.shape == hops.shape == (431, 431)
    np.testing.assert_allclose(adjacency.sum(1), 1, atol=1e-5)
    assert (np.diag(adjacency) > 0).all() and ((adjacency > 0) == (adjacency.T > 0)).all()
    assert ((adjacency > 0) == (hops <= 1)).all() and (hops == hops.T).all()
    assert 5 < (adjacency > 0).sum(1).mean() < 9 and hops.max() < 60  # one connected surface


def test_round_trip_error(body: BodyModel, free: Hierarchy) -> None:
    with torch.no_grad():
        error = round_trip_error_mm(body, free, *draw(12, seed=77))
    assert 0.1 < error.mean() < 2.0 and error.max() < 4.0


def test_sparse_product_matches_dense() -> None:
    generator = np.random.default_rng(0)
    dense = generator.random((7, 5)) * (generator.random((7, 5)) > 0.5)
    vertices = torch.from_numpy(generator.random((3, 5, 3))).float()
    from scipy.sparse import csr_matrix

    found = apply_sparse(csr_matrix(dense), vertices).numpy()
    np.testing.assert_allclose(found, np.einsum("mk,nkc->nmc", dense, vertices.numpy()), atol=1e-6)


def test_decimation_keeps_a_closed_surface() -> None:
    vertices, faces = body_maker.icosphere(3)
    assert len(vertices) == 642
    levels = decimate(vertices, faces, (400, 101, 30))
    for (kept, left), target in zip(levels, (400, 101, 30), strict=True):
        assert len(kept) == target and (np.diff(kept) > 0).all()
        assert len(left) == 2 * target - 4  # Euler: closed, of genus zero
        edges = [tuple(sorted(edge)) for face in left.tolist() for edge in itertools.combinations(face, 2)]
        counts = {edge: edges.count(edge) for edge in set(edges)} if target < 200 else {}
        assert all(count == 2 for count in counts.values())
        corners = vertices[kept][left]
        normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        assert (np.einsum("ti,ti->t", normals, corners.mean(1)) > 0).all()  # nothing folded over
    assert set(levels[1][0]) <= set(levels[0][0])
    distance = np.linalg.norm(vertices[:, None] - vertices[levels[1][0]][None], axis=-1).min(1)
    assert distance.max() < 0.6  # spread over the whole sphere


def test_decimation_follows_shape() -> None:
    """A flat patch needs fewer vertices than a curved one."""
    vertices, faces = body_maker.icosphere(3)
    flat = vertices[:, 2] < 0
    vertices[flat] *= (1, 1, 0.001)
    kept, _ = decimate(vertices, faces, (150,))[0]
    assert flat[kept].mean() < 0.8 * flat.mean(), (flat[kept].mean(), flat.mean())


def test_decimation_says_when_it_cannot() -> None:
    vertices, faces = body_maker.icosphere(0)
    with pytest.raises(ValueError, match="collapsed"):
        decimate(vertices, faces, (2,))


def small_body(seed: int = 0, level: int = 3) -> BodyData:
    fields = body_maker.licensed_fields(16, level=level, seed=seed)
    parents = np.array(body_maker.MANO_PARENTS, np.int32)
    centres = fields["v_template"][np.linspace(0, len(fields["v_template"]) - 1, 16).astype(int)]
    near = np.exp(-40 * np.linalg.norm(fields["v_template"][:, None] - centres, axis=-1))
    weights = near / near.sum(1, keepdims=True)
    arrays = [fields["v_template"], fields["shapedirs"] * 0.1, None, fields["J_regressor"].toarray(), weights]
    return BodyData(
        "mano", *(None if a is None else a.astype(np.float32) for a in arrays), parents, fields["f"].astype(np.int32)
    )


def test_any_body_gets_a_hierarchy_and_it_is_cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hierarchy_module, "SIZES", (200, 60))
    calls = []
    real = build_hierarchy

    def counted(body: BodyData) -> Hierarchy:
        calls.append(body.name)
        return real(body, (200, 60), n_poses=24)

    monkeypatch.setattr(hierarchy_module, "build_hierarchy", counted)
    body = small_body()
    first = load_hierarchy(body, tmp_path)
    assert [len(i) for i in first.indices] == [200, 60] and first.up[0].shape == (642, 200)
    np.testing.assert_allclose(np.asarray(first.up[1].sum(1)).ravel(), 1, atol=1e-5)
    again = load_hierarchy(body, tmp_path)
    assert calls == ["mano"] and (again.indices[1] == first.indices[1]).all()
    np.testing.assert_allclose(again.up[0].toarray(), first.up[0].toarray(), atol=1e-6)
    (file,) = tmp_path.glob("*.npz")

    whole = file.read_bytes()
    flipped = bytearray(whole)
    for place in range(200, len(flipped) - 200, 37):
        flipped[place] ^= 0x55
    for damage in (b"", whole[: len(whole) // 2], bytes(flipped), b"PK\x05\x06" + bytes(18)):
        file.write_bytes(damage)
        calls.clear()
        assert (load_hierarchy(body, tmp_path).indices[1] == first.indices[1]).all() and calls == ["mano"]
        assert load_hierarchy(body, tmp_path) and calls == ["mano"]  # and is whole again
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_without_a_place_to_cache_the_hierarchy_is_still_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hierarchy_module, "build_hierarchy", lambda body: build_hierarchy(body, (60, 20), n_poses=8))
    (tmp_path / "taken").write_text("a file where the folder should be")
    body = small_body(level=2)
    assert len(load_hierarchy(body, tmp_path / "taken" / "cache").indices[1]) == 20


def test_writing_leaves_nothing_behind(free: Hierarchy, tmp_path: Path) -> None:
    write_hierarchy(tmp_path / "h.npz", free)
    assert os.listdir(tmp_path) == ["h.npz"]
    again = read_hierarchy(tmp_path / "h.npz")
    assert (again.faces[0] == free.faces[0]).all() and again.up[0].shape == free.up[0].shape


def test_joint_maps_hold_over_poses(body: BodyModel, free: Hierarchy, maps: JointMaps) -> None:
    with torch.no_grad():
        vertices, joints = body(*draw(24, seed=99))
        coarse = vertices[:, torch.from_numpy(free.indices[1])]
        found = torch.einsum("jk,nkc->njc", torch.from_numpy(maps.coarse_joints), coarse)
        error = 1000 * (found - joints).norm(dim=-1)
        assert error.mean() < 8 and error.mean(0).max() < 25
        j14 = torch.einsum("jk,nkc->njc", torch.from_numpy(maps.coarse_j14), coarse)
        assert (j14 - found[:, list(J14_OF_24)]).abs().max() == 0
        seen = torch.einsum("kv,nvc->nkc", torch.from_numpy(maps.landmarks), vertices)
        from_coarse = torch.einsum("kv,nvc->nkc", torch.from_numpy(maps.coarse_landmarks), coarse)
        assert 1000 * (seen - from_coarse).norm(dim=-1).mean() < 8
    for matrix in (maps.coarse_joints, maps.coarse_landmarks):
        np.testing.assert_allclose(matrix.sum(1), 1, atol=1e-3)
