"""People to be drawn: clothes outside the skin, faces the right way round, feet on the floor, motion from mocap."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hmdiff.bodies.model import load_free_body
from hmdiff.synthesis.render.anatomy import PAINT, Anatomy, study
from hmdiff.synthesis.render.cameras import draw_camera
from hmdiff.synthesis.render.materials import Material
from hmdiff.synthesis.render.motion import Motion, draw_motion, load_motion
from hmdiff.synthesis.render.person import Person, draw_betas, draw_person, skin_points
from hmdiff.synthesis.render.shells import skirt
from hmdiff.synthesis.render.wear import dress
from hmdiff_wire.body import rest_shape, skin
from hmdiff_wire.errors import HmdiffError
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

SEEDS = range(8)


@pytest.fixture(scope="module")
def anatomy() -> Anatomy:
    return study(load_free_body().data)


@pytest.fixture(scope="module")
def mocap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips per split: somebody walks along +z and lifts the left arm; the test split's arm stays down."""
    poses = np.zeros((4, 60, 24, 3), np.float32)
    poses[:2, :, 16, 2] = np.linspace(0, 1.2, 60)
    trans = np.zeros((4, 60, 3), np.float32)
    trans[..., 1], trans[..., 2] = 0.9, np.linspace(0, 1.0, 60)
    offsets = np.zeros((24, 3), np.float32)
    offsets[4, 1], offsets[7, 1] = -0.38, -0.41
    path = tmp_path_factory.mktemp("mocap") / "mocap_cmu_clips.npz"
    np.savez(
        path, seq_poses=poses.reshape(-1, 24, 3).astype(np.float16), seq_trans=trans.reshape(-1, 3),
        seq_start=np.arange(4) * 60, seq_len=np.full(4, 60), seq_split=np.array([0, 0, 1, 1]), rest_offsets=offsets,
    )  # fmt: skip
    return path


@pytest.fixture(scope="module")
def people(anatomy: Anatomy, mocap: Path) -> list[Person]:
    library = load_motion(mocap, "train", load_free_body())
    return [draw_person(anatomy, library, np.random.default_rng(seed), np.array([0.3, -0.2]), 8) for seed in SEEDS]


def test_no_piece_is_inside_out(people: list[Person]) -> None:
    for person in people:
        mesh = person.look.mesh
        corners = mesh.position[mesh.faces]
        area = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        agrees = (area * mesh.normal[mesh.faces].mean(1)).sum(1) > 0
        weight = np.linalg.norm(area, axis=1)
        assert weight[agrees].sum() / weight.sum() > 0.98
        np.testing.assert_allclose(np.linalg.norm(mesh.normal, axis=1), 1, atol=1e-3)


def test_clothes_lie_outside_the_skin(anatomy: Anatomy, people: list[Person]) -> None:
    for person in people:
        mesh = person.look.mesh
        normals = anatomy.normals(person.rest)
        cloth = (mesh.material > max(PAINT.values())) & (mesh.edge > 0.01)
        assert cloth.sum() > 500
        _, nearest = cKDTree(person.rest).query(mesh.position[cloth])
        above = ((mesh.position[cloth] - person.rest[nearest]) * normals[nearest]).sum(1)
        assert (above > -0.004).mean() > 0.97
        assert 0.002 < np.median(above) < 0.08


def test_materials_of_a_mesh_exist(people: list[Person]) -> None:
    for person in people:
        mesh, materials = person.look.mesh, person.look.materials
        assert mesh.material.max() < len(materials) <= 40
        assert all(isinstance(made, Material) for made in materials)
        np.testing.assert_allclose(mesh.weights.sum(1), 1, atol=1e-4)
        assert mesh.faces.max() < len(mesh.position)


def test_looks_differ_and_repeat_with_their_seed(anatomy: Anatomy) -> None:
    rest, joints = rest_shape(anatomy.body, np.zeros(10, np.float32))
    looks = [dress(anatomy, np.random.default_rng(seed), rest, joints) for seed in (1, 2, 1)]
    np.testing.assert_array_equal(looks[0].mesh.position, looks[2].mesh.position)
    assert looks[0].materials == looks[2].materials != looks[1].materials


def test_a_bare_look_is_the_body(anatomy: Anatomy) -> None:
    rest, joints = rest_shape(anatomy.body, np.full(10, 1.5, np.float32))
    look = dress(anatomy, np.random.default_rng(0), rest, joints, bare=True)
    assert look.lift == 0
    assert len(look.mesh.faces) == len(anatomy.faces)
    assert cKDTree(rest).query(look.mesh.position)[0].max() == 0


def test_a_skirt_encloses_the_legs(anatomy: Anatomy) -> None:
    rest, joints = rest_shape(anatomy.body, np.zeros(10, np.float32))
    piece = skirt(np.random.default_rng(0), rest, joints, 0.95, 0.4, 0.1, 0.015, 0)
    for height in (0.5, 0.7):
        ring = piece.position[np.abs(piece.position[:, 1] - height) < 0.03][:, [0, 2]]
        legs = rest[(np.abs(rest[:, 1] - height) < 0.01) & (np.abs(rest[:, 0]) < 0.3)][:, [0, 2]]
        for way in np.stack([np.cos(np.arange(12)), np.sin(np.arange(12))], 1):
            assert (ring @ way).max() > (legs @ way).max()


def test_feet_stand_on_the_floor(anatomy: Anatomy, people: list[Person]) -> None:
    for person in people:
        lows = []
        for time in (0.0, 0.1, 0.2):
            vertices = skin_points(person.rest, anatomy.body.weights, person.pose(time).bones)
            lows.append(vertices[:, 1].min())
        assert min(lows) == pytest.approx(person.look.lift, abs=0.02)
        np.testing.assert_allclose(person.pose(0).joints[0][[0, 2]], [0.3, -0.2], atol=1e-5)


def test_world_pose_is_what_the_body_model_makes_of_it(anatomy: Anatomy, people: list[Person]) -> None:
    for person in people[:3]:
        pose = person.pose(0.1)
        vectors = Rotation.from_matrix(pose.rotations).as_rotvec().reshape(1, 72).astype(np.float32)
        vertices, joints = skin(anatomy.body, person.betas, vectors, pose.transl[None].astype(np.float32))
        np.testing.assert_allclose(joints[0], pose.joints, atol=2e-5)
        np.testing.assert_allclose(skin_points(person.rest, anatomy.body.weights, pose.bones), vertices[0], atol=2e-5)


def test_walkers_cover_ground_as_long_as_their_legs(people: list[Person]) -> None:
    # a metre in two seconds on legs of 79 cm
    for person in people:
        way = person.pose(0.2).joints[0] - person.pose(0.0).joints[0]
        legs = np.linalg.norm(person.rest_joints[[4, 7]] - person.rest_joints[[1, 4]], axis=1).sum()
        assert np.linalg.norm(way[[0, 2]]) == pytest.approx(0.2 * 30 / 59 / 0.79 * legs, rel=0.02)


def test_motion_between_frames_lies_between_them() -> None:
    ends = Rotation.from_rotvec([[0, 0, 0], [0, 0, 1.0]]).as_quat()
    motion = Motion(np.tile(ends[:, None], (1, 24, 1)), np.array([[0.0, 0, 0], [0, 1, 0]]))
    rotations, trans = motion.at(0.5 / 30)
    assert Rotation.from_matrix(rotations[5]).as_rotvec()[2] == pytest.approx(0.5, abs=0.01)
    assert trans[1] == pytest.approx(0.5)
    np.testing.assert_allclose(motion.at(99.0)[1], [0, 1, 0])


def test_splits_hold_their_own_subjects(mocap: Path) -> None:
    body = load_free_body()
    train, test = load_motion(mocap, "train", body), load_motion(mocap, "test", body)
    assert len(train.poses) == len(test.poses) == 120
    assert np.abs(train.poses[:, 16]).max() > 1 > np.abs(test.poses[:, 16]).max()
    assert train.weight.sum() == pytest.approx(1)


def test_mirrored_motion_lifts_the_other_arm(mocap: Path) -> None:
    library = load_motion(mocap, "train", load_free_body())
    lifted = set()
    for seed in range(12):
        motion = draw_motion(library, np.random.default_rng(seed), 30)
        start, end = (Rotation.from_quat(motion.quaternions[k]) for k in (0, -1))
        turned = (start.inv() * end).magnitude()
        lifted.add(int(turned.argmax()))
    assert lifted == {16, 17}


def test_betas_cover_their_range() -> None:
    rng = np.random.default_rng(0)
    betas = np.stack([draw_betas(rng) for _ in range(2000)])
    assert betas.min() < -2.8 and betas.max() > 2.8
    assert np.abs(betas).max() <= 3
    assert np.abs(betas.mean()) < 0.05


def test_cameras_see_from_all_sides_near_and_far(people: list[Person]) -> None:
    rng = np.random.default_rng(3)
    cameras = [draw_camera(rng, people[0], 0.1, 0) for _ in range(400)]
    centre = people[0].pose(0.1).joints.mean(0)
    away = np.stack([camera.eye - centre for camera in cameras])
    heading = np.histogram(np.arctan2(away[:, 0], away[:, 2]), bins=8, range=(-np.pi, np.pi))[0]
    assert heading.min() > 20
    distance = np.linalg.norm(away, axis=1)
    assert distance.min() < 1.6 and distance.max() > 12
    assert away[:, 1].max() > 3 and (np.stack([camera.eye[1] for camera in cameras]) > 0.1).all()
    film = [camera.focal / max(camera.width, camera.height) * 36 for camera in cameras]
    assert min(film) >= 24 - 1e-6 and max(film) <= 85 + 1e-6
    flat = np.stack(
        [camera.project(camera.to_camera(centre[None]))[0] / [camera.width, camera.height] for camera in cameras]
    )
    assert ((flat > 0) & (flat < 1)).all(1).mean() > 0.85


def test_missing_mocap_is_named(tmp_path: Path) -> None:
    body = load_free_body()
    with pytest.raises(HmdiffError) as caught:
        load_motion(tmp_path / "none.npz", "train", body)
    assert caught.value.kind == "mocap.not_found"
    np.savez(tmp_path / "poses.npz", poses=np.zeros((3, 24, 3)))
    with pytest.raises(HmdiffError) as caught:
        load_motion(tmp_path / "poses.npz", "train", body)
    assert caught.value.kind == "mocap.unreadable"
