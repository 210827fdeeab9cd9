"""Rendered people: the truth that is stored with a picture is what its pixels show."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hmdiff.bodies.model import BodyModel, load_free_body
from hmdiff.bodies.random_pose import random_rotations
from hmdiff.bodies.rotations import matrix_to_axis_angle
from hmdiff.synthesis.render.cameras import Camera, look_at
from hmdiff.synthesis.render.film import from_jpeg
from hmdiff.synthesis.render.motion import Motion
from hmdiff.synthesis.render.person import Person
from hmdiff.synthesis.render.props import Props
from hmdiff.synthesis.render.run import RenderOptions, Studio, render_dataset
from hmdiff.synthesis.render.scene import Scene, draw_scene
from hmdiff.synthesis.render.shards import Shard, read_shard, truth_path
from hmdiff.synthesis.render.truth import HIDDEN_OBJECT, HIDDEN_PERSON, HIDDEN_SELF, OUTSIDE, person_truth
from hmdiff_wire.body import JOINT_NAMES, skin
from hmdiff_wire.errors import HmdiffError

torch = pytest.importorskip("torch")
LEFT_WRIST, RIGHT_WRIST = JOINT_NAMES.index("left_wrist"), JOINT_NAMES.index("right_wrist")


@pytest.fixture(scope="module")
def body() -> BodyModel:
    return load_free_body()


@pytest.fixture(scope="module")
def mocap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle in the layout of mocap_cmu_clips.npz: six short clips that blend between random poses."""
    ends = matrix_to_axis_angle(random_rotations(12, torch.Generator().manual_seed(0))).numpy() * 0.6
    ends[:, 0] = 0
    part = np.linspace(0, 1, 40)[:, None, None]
    clips = [ends[k] * (1 - part) + ends[k + 6] * part for k in range(6)]
    offsets = np.zeros((24, 3), np.float32)
    offsets[4, 1], offsets[7, 1] = -0.38, -0.41
    path = tmp_path_factory.mktemp("mocap") / "mocap_cmu_clips.npz"
    np.savez(
        path, seq_poses=np.concatenate(clips).astype(np.float16), seq_trans=np.tile([[0, 0.9, 0]], (240, 1)),
        seq_start=np.arange(6) * 40, seq_len=np.full(6, 40), seq_split=np.array([0, 0, 0, 0, 1, 1]),
        rest_offsets=offsets,
    )  # fmt: skip
    return path


def make_studio(options: RenderOptions) -> Studio:
    try:
        return Studio(options)
    except HmdiffError as error:
        if error.kind in ("install.moderngl", "install.opengl"):
            pytest.skip(f"{error.message} {error.fix}")
        raise


@pytest.fixture(scope="module")
def bare(mocap: Path, tmp_path_factory: pytest.TempPathFactory) -> Studio:
    return make_studio(RenderOptions(mocap, tmp_path_factory.mktemp("bare"), count=4, bare=True))


@pytest.fixture(scope="module")
def drawn(bare: Studio) -> Shard:
    render_dataset(bare.options, lambda line: None)
    return read_shard(bare.options.out, 0)


def silhouette(points: np.ndarray, faces: np.ndarray, width: int, height: int) -> np.ndarray:
    """Which pixels have their middle in the projected mesh, by drawing it eight times as large."""
    large = np.zeros((height * 8, width * 8), np.uint8)
    for triangle in np.round((points[faces] * 8 - 0.5) * 16).astype(np.int32):
        cv2.fillConvexPoly(large, triangle, 1, shift=4)
    return large[4::8, 4::8] > 0


def test_stored_parameters_give_the_mask_of_the_pixels(drawn: Shard, body: BodyModel) -> None:
    truth = drawn.truth
    assert len(truth["row"]) == 4
    for person in range(4):
        width, height = truth["size"][person]
        pose, transl = truth["pose"][person].reshape(1, 72), truth["transl"][person][None]
        vertices, joints = skin(body.data, truth["betas"][person], pose, transl)
        np.testing.assert_allclose(joints[0], truth["joints"][person], atol=2e-4)
        flat = vertices[0, :, :2] / vertices[0, :, 2:] * truth["focal"][person] + [width / 2, height / 2]
        expected, seen = silhouette(flat, body.data.faces, width, height), drawn.mask(person)
        overlap = (expected & seen).sum() / (expected | seen).sum()
        assert overlap > 0.97, overlap
        rows, columns = np.nonzero(seen)
        np.testing.assert_array_equal(
            truth["box_seen"][person], [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        )
        assert truth["seen_share"][person] == pytest.approx(1, abs=0.02)


def test_pictures_show_the_person_where_the_mask_is(drawn: Shard) -> None:
    for row, data in enumerate(drawn.pictures()):
        picture = from_jpeg(data).astype(float)
        assert picture.shape[:2] == tuple(drawn.truth["size"][row][::-1])
        assert picture.std() > 5
        mask = drawn.mask(row)
        ring = cv2.dilate(mask.astype(np.uint8), np.ones((25, 25))).astype(bool) & ~mask
        assert np.abs(picture[mask].mean(0) - picture[ring].mean(0)).max() > 3


def test_same_seed_same_pictures_whatever_was_drawn_before(bare: Studio, drawn: Shard) -> None:
    alone, rows, _ = bare.scene(3)
    stored = list(drawn.pictures())
    assert alone[0][0] == rows["picture"][0] == 3
    assert alone[0][1] == stored[3]
    assert len(set(stored)) == 4


def test_two_renderers_in_one_process_do_not_mix(bare: Studio, drawn: Shard) -> None:
    other = Studio(replace(bare.options, seed=5))
    mixed = [(studio.scene(1)[0][0][1]) for studio in (other, bare, other, bare)]
    assert mixed[0] == mixed[2] != mixed[1] == mixed[3] == list(drawn.pictures())[1]


def test_a_lost_shard_is_drawn_again_and_others_are_left_alone(bare: Studio, tmp_path: Path) -> None:
    options = replace(bare.options, out=tmp_path / "out", count=66)
    assert options.scenes_per_shard == 64
    drawn: list[str] = []
    options_small = replace(options, count=2)
    assert render_dataset(options_small, drawn.append) == 2
    before = truth_path(options.out, 0).read_bytes()
    assert render_dataset(options_small, drawn.append) == 0
    (options.out / "shard_00000.npz").unlink()
    (options.out / "shard_00000.zip.part").write_bytes(b"half")
    assert render_dataset(options_small, drawn.append) == 2
    assert truth_path(options.out, 0).read_bytes() == before
    # more pictures are asked for: the short shard grows and keeps what it had
    assert render_dataset(replace(options, count=3), drawn.append) == 3
    grown = read_shard(options.out, 0)
    np.testing.assert_array_equal(grown.truth["picture"], [0, 1, 2])
    with pytest.raises(HmdiffError) as caught:
        render_dataset(replace(options_small, seed=7), drawn.append)
    assert caught.value.kind == "render.other_settings"


def test_views_and_frames_are_of_one_scene(bare: Studio, mocap: Path) -> None:
    options = replace(bare.options, views=2, frames=3, bare=False)
    studio = bare
    keep, studio.options = studio.options, options
    try:
        jpegs, pictures, people = studio.scene(0)
    finally:
        studio.options = keep
    assert [number for number, _ in jpegs] == list(range(6))
    assert pictures["view"] == [0, 0, 0, 1, 1, 1]
    first = {(pictures["view"][row], pictures["frame"][row]): k
             for k, row in enumerate(people["row"]) if people["person"][k] == 0}  # fmt: skip
    for frame in range(3):
        if (0, frame) not in first or (1, frame) not in first:
            continue
        a, b = first[0, frame], first[1, frame]
        np.testing.assert_allclose(people["pose"][a][1:], people["pose"][b][1:], atol=1e-5)
        world = [
            (people["joints"][k] - pictures["translation"][row]) @ pictures["rotation"][row]
            for k, row in ((a, people["row"][a]), (b, people["row"][b]))
        ]
        np.testing.assert_allclose(world[0], world[1], atol=1e-4)
    steps = [np.abs(people["joints"][first[0, f + 1]] - people["joints"][first[0, f]]).max() for f in range(2)]
    assert 1e-4 < max(steps) < 0.3


def standing(person: Person) -> Person:
    """The same person in T-pose, facing +z of the world."""
    still = np.tile([0.0, 0.0, 0.0, 1.0], (3, 24, 1))
    motion = Motion(still, np.zeros((3, 3)))
    return replace(person, motion=motion, heading=np.eye(3), place=person.rest_joints[0].astype(float))


@pytest.fixture(scope="module")
def posed(bare: Studio) -> tuple[Scene, Person, Camera]:
    """A clothed person in T-pose 4 m before a camera, nothing else but the floor."""
    scene = draw_scene(bare.anatomy, bare.library, np.random.default_rng(2), 1, 1)
    person = standing(scene.people[0])
    eye, middle = np.array([0.0, 1.0, 4.0]), np.array([0.0, 0.9, 0.0])
    camera = Camera(*look_at(eye, middle, 0.0), 500.0, 640, 480)
    props = Props()
    corners = np.array([[-9, 0, -9], [-9, 0, 9], [9, 0, 9], [9, 0, -9]], np.float32)
    props.quad(corners, props.material(scene.props.materials[0]))
    return replace(scene, people=(person,), props=props, walls=Props(), cameras=(camera,), shutter=0.0), person, camera


def truth_of(studio: Studio, scene: Scene, person: int = 0) -> dict[str, np.ndarray]:
    with studio.renderer.stage(scene) as stage:
        picture = stage.draw(0.0, scene.cameras[0])
    found = person_truth(studio.probe, scene.people[person], person, 0.0, scene.cameras[0], picture)
    assert found is not None
    return found


def test_nothing_is_hidden_in_a_t_pose_seen_from_the_front(bare: Studio, posed: tuple[Scene, Person, Camera]) -> None:
    truth = truth_of(bare, posed[0])
    assert not truth["hidden_joints"].any()
    assert not truth["hidden_landmarks"].any()
    assert abs(truth["azimuth"]) < 1e-3
    # facing us, the left hand is on our right
    assert truth["joints_2d"][LEFT_WRIST, 0] > 320 > truth["joints_2d"][RIGHT_WRIST, 0]
    assert np.ptp(truth["joints"][:, 1]) > 1


def test_what_hides_a_joint_is_named(bare: Studio, posed: tuple[Scene, Person, Camera]) -> None:
    scene, person, camera = posed
    left = person.pose(0).joints[LEFT_WRIST]
    before = camera.eye + 0.5 * (left - camera.eye)

    boxed = Props(list(scene.props.materials), list(scene.props.parts))
    boxed.box(before, [0.12, 0.12, 0.02], 0.0, 0)
    hidden = truth_of(bare, replace(scene, props=boxed))["hidden_joints"]
    assert hidden[LEFT_WRIST] == HIDDEN_OBJECT
    assert not hidden[RIGHT_WRIST]

    shifted = replace(person, place=person.place + [0.0, 0.0, -1.0])
    behind = truth_of(bare, replace(scene, people=(shifted, person)))["hidden_joints"]
    assert (behind & HIDDEN_PERSON).any()
    in_front = truth_of(bare, replace(scene, people=(person, shifted)))["hidden_joints"]
    assert not in_front.any()

    aside = Camera(*look_at(camera.eye, left + [0.9, 0.0, 0.0], 0.0), 500.0, 480, 640)
    cut = truth_of(bare, replace(scene, cameras=(aside,)))["hidden_joints"]
    assert cut[RIGHT_WRIST] == OUTSIDE
    assert not cut[LEFT_WRIST]

    profile = Camera(*look_at(np.array([4.0, 1.2, 0.0]), np.array([0.0, 1.1, 0.0]), 0.0), 500.0, 640, 480)
    side = truth_of(bare, replace(scene, cameras=(profile,)))
    assert side["hidden_joints"][RIGHT_WRIST] & HIDDEN_SELF
    assert not side["hidden_joints"][LEFT_WRIST]
    assert abs(abs(side["azimuth"]) - np.pi / 2) < 0.02


def test_splits_have_their_own_textures() -> None:
    from hmdiff.synthesis.render.textures import texture_bank

    train, test, again = texture_bank((0, 0)), texture_bank((0, 1)), texture_bank((0, 0))
    np.testing.assert_array_equal(train, again)
    assert all((a != b).any() for a, b in zip(train, test, strict=True))


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from hmdiff.synthesis.render.context import open_context

    monkeypatch.setitem(__import__("sys").modules, "moderngl", None)
    with pytest.raises(HmdiffError) as caught:
        open_context()
    assert caught.value.kind == "install.moderngl"
    assert "hmdiff[render]" in caught.value.fix
