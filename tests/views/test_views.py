"""Several cameras on one walk: files of calibrations, the offset, triangulation and the motion that all agree on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hmdiff import cli
from hmdiff.bodies.joint_maps import read_landmark_regressor
from hmdiff.bodies.model import FREE_BODY, load_free_body
from hmdiff.evaluation.metrics.joints import pa_mpjpe
from hmdiff.refine.figure import Figure
from hmdiff.refine.layer import rotation_vectors
from hmdiff.refine.take_bodies import make_take_refiner
from hmdiff.server.fake_walk import Camera as Lens
from hmdiff.server.fake_walk import Walkers, track_betas
from hmdiff.views.calibration import Camera, match_cameras, read_cameras
from hmdiff.views.combine import View, combine
from hmdiff.views.match import match_people
from hmdiff.views.sync import find_offset
from hmdiff.views.triangulate import triangulate
from hmdiff_wire.body import load_body, rotation_matrices
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import PersonFrame, Take, TakeHeader, TakeWriter, read_take

SIZE, FOCAL, FRAMES, FPS = (640, 480), 700.0, 36, 30.0
LATE = 0.2
"""Seconds that the second camera's clock is ahead."""


@dataclass(frozen=True)
class Stage:
    takes: tuple[Take, ...]
    cameras: tuple[Camera, ...]
    joints: np.ndarray
    pose: np.ndarray


def around(angle: float) -> Camera:
    """A camera that looks at a point 4.3 m before the first one, from the side."""
    turn = cv2.Rodrigues(np.array([0.0, angle, 0.0]))[0]
    middle = np.array([0.0, 0.0, 4.3])
    matrix = np.array([[FOCAL, 0, SIZE[0] / 2], [0, FOCAL, SIZE[1] / 2], [0, 0, 1.0]])
    return Camera(f"cam{round(10 * angle)}", matrix, np.zeros(5), np.asarray(turn), middle - turn @ middle, SIZE)


@pytest.fixture(scope="module")
def stage(tmp_path_factory) -> Stage:
    """Two takes of one walk, each with errors of its own in the pose, and landmarks 2 px off."""
    root = tmp_path_factory.mktemp("views")
    figure = Figure.of(load_free_body(), torch.from_numpy(read_landmark_regressor(load_free_body().data)))
    walkers = Walkers(load_body(FREE_BODY), Lens(FOCAL, *SIZE))
    cameras = (around(0.0), around(1.2))
    times = np.arange(FRAMES) / FPS
    true_pose, true_transl, joints = walkers.walk(0, times)
    takes = []
    for number, camera in enumerate(cameras):
        noise = np.random.default_rng(number)
        shown = times - (LATE if number else 0.0)
        pose, transl, placed = walkers.walk(0, shown)
        wrong = pose + np.concatenate([np.zeros(3), noise.normal(0, 0.16, 69)]).astype(np.float32)
        rows = _rows(figure, camera, 0, pose, wrong, transl, placed, noise)
        takes.append(_write(root / f"{camera.name}.take", times, {0: (0, rows)}))
    return Stage(tuple(takes), cameras, joints, true_pose)


def _rows(figure, camera, who: int, pose, wrong, transl, placed, noise):
    """What a camera would make of a person: landmarks (n,33,2), pose and transl in its axes."""
    turned = wrong.copy()
    turned[:, :3] = rotation_vectors(camera.rotation.astype(np.float32) @ rotation_matrices(pose[:, :3]))
    betas = torch.from_numpy(track_betas(who)).expand(len(pose), -1)
    points = figure.pose(figure.tables(betas), torch.from_numpy(rotation_matrices(pose.reshape(-1, 24, 3))))[2].numpy()
    seen = camera.project((points + transl[:, None]).astype(np.float64)) + noise.normal(0, 2, (len(pose), 33, 2))
    pelvis = placed[:, 0] @ camera.rotation.T.astype(np.float32) + camera.translation.astype(np.float32)
    return seen, turned, pelvis - (placed[:, 0] - transl), pelvis


def _write(folder: Path, times, people: dict[int, tuple]) -> Take:
    """people: track id -> (whose shape, what ``_rows`` gave)."""
    header = TakeHeader(
        "walk.mp4", "video", *SIZE, FPS, len(times), "free", "default", 0, 0, FOCAL, "user", "0", up=(0.0, -1.0, 0.0)
    )  # fmt: skip
    writer = TakeWriter.create(folder, header, FREE_BODY)
    for at in range(len(times)):
        rows = []
        for track, (who, (seen, pose, transl, pelvis)) in people.items():
            box = np.concatenate([seen[at].min(0), seen[at].max(0)])
            landmarks = np.concatenate([seen[at], np.full((33, 1), 0.9)], 1)
            rows.append(PersonFrame(
                track, "ok", box, track_betas(who), pose[at], transl[at], np.tile(pelvis[at], (24, 1)),
                np.zeros((24, 2)), landmarks, np.zeros((0, 72)), np.zeros((0, 3)), np.zeros((0, 24, 3)), np.zeros(0),
                np.zeros(0),
            ))  # fmt: skip
        writer.write_frame(at, float(times[at]), FOCAL, rows)
    writer.finish()
    return read_take(folder)


def error(stage: Stage, joints: np.ndarray) -> float:
    return float(pa_mpjpe(joints.astype(np.float32), stage.joints.astype(np.float32)).mean())


def test_the_offset_is_found_to_half_a_frame(stage: Stage):
    one, two = (take.pose[0] for take in stage.takes)
    found = find_offset(one, stage.takes[0].times, two, stage.takes[1].times)
    assert found.sure and found.seconds == pytest.approx(LATE, abs=0.5 / FPS)
    still = np.repeat(one[:1], len(one), 0)
    assert not find_offset(one, stage.takes[0].times, still, stage.takes[1].times).sure


def test_two_cameras_are_better_than_each_alone(stage: Stage):
    refiner = make_take_refiner(stage.takes[0], "score")
    views = [
        View(take, 0, LATE * k, camera) for k, (take, camera) in enumerate(zip(stage.takes, stage.cameras, strict=True))
    ]
    with torch.no_grad():
        alone = []
        for take in stage.takes:
            turns = torch.from_numpy(rotation_matrices(take.pose[0].reshape(-1, 24, 3)))
            betas = torch.from_numpy(take.betas[0]).expand(len(turns), -1)
            alone.append(error(stage, refiner.figure.pose(refiner.figure.tables(betas), turns)[1].numpy()))
    calibrated = combine(views, refiner)
    assert error(stage, calibrated.joints) < 0.6 * min(alone)
    assert 1000 * np.linalg.norm(calibrated.joints - stage.joints, axis=-1).mean() < 60, "in its place, too"
    free = combine([View(one.take, 0, one.offset) for one in views], refiner)
    assert error(stage, free.joints) < 0.9 * min(alone)
    with pytest.raises(InterruptedError):
        combine(views, refiner, should_stop=lambda: True)


@pytest.fixture(scope="module")
def crowd(tmp_path_factory) -> tuple[tuple[Take, ...], np.ndarray]:
    """Two people whose ways cross, seen by two cameras that number them the other way round; a third camera sees only
    the second person, as track 5. Estimates and landmarks have errors of their own -> takes, joints (2,F,24,3).
    """
    root = tmp_path_factory.mktemp("crowd")
    figure = Figure.of(load_free_body(), torch.from_numpy(read_landmark_regressor(load_free_body().data)))
    walkers = Walkers(load_body(FREE_BODY), Lens(FOCAL, *SIZE))
    times = np.arange(FRAMES) / FPS
    walks = [walkers.walk(who, times) for who in (0, 1)]
    takes = []
    for number, (angle, tracks) in enumerate(((0.0, {0: 0, 1: 1}), (1.2, {0: 1, 1: 0}), (2.0, {5: 1}))):
        noise, people = np.random.default_rng(10 + number), {}
        for track, who in tracks.items():
            pose, transl, placed = walks[who]
            wrong = pose + np.concatenate([np.zeros(3), noise.normal(0, 0.16, 69)]).astype(np.float32)
            people[track] = who, _rows(figure, around(angle), who, pose, wrong, transl, placed, noise)
        takes.append(_write(root / f"{number}.take", times, people))
    return tuple(takes), np.stack([placed for _, _, placed in walks])


@pytest.mark.parametrize("calibrated", [True, False])
def test_people_are_found_again_in_the_other_cameras(crowd, calibrated: bool):
    takes, joints = crowd
    cameras = [around(angle) if calibrated else None for angle in (0.0, 1.2, 2.0)]
    views = [View(take, 0, 0.0, camera) for take, camera in zip(takes, cameras, strict=True)]
    matched = match_people(views)
    tracks = [[int(view.take.track_ids[view.person]) for view in group] for group in matched.groups]
    assert tracks == [[0, 1], [1, 0, 5]]
    assert [note for note in matched.notes if "not found" in note] == [
        "Person 0 of camera 1 was not found in camera 3."
    ]
    refiner = make_take_refiner(takes[0], "score")
    for who, group in enumerate(matched.groups):
        found = combine(group, refiner)
        alone = takes[0].read("pose", who)
        turns = torch.from_numpy(rotation_matrices(alone.reshape(-1, 24, 3)))
        betas = torch.from_numpy(takes[0].betas[who]).expand(len(turns), -1)
        before = refiner.figure.pose(refiner.figure.tables(betas), turns)[1].numpy()
        both = (pa_mpjpe(one.astype(np.float32), joints[who]).mean() for one in (found.joints, before))
        after, start = both
        assert after < 0.9 * start and found.plan.track_id == who


def test_a_person_whom_only_one_camera_sees_is_told(crowd):
    takes, _ = crowd
    views = [View(takes[2], 0, 0.0, around(2.0)), View(takes[0], 0, 0.0, around(0.0))]
    matched = match_people(views)
    assert [[view.take.track_ids[view.person] for view in group] for group in matched.groups] == [[5, 1]]
    assert matched.notes == ("Camera 2 also shows a person (0) who was not found in camera 1 and is left out.",)
    far = around(2.0)
    apart = Camera("far", far.matrix, far.distortion, far.rotation, far.translation + (0.0, 3.0, 0.0), far.size)
    nobody = match_people([View(takes[0], 0, 0.0, around(0.0)), View(takes[1], 0, 0.0, apart)])
    assert not nobody.groups and any("camera 1 alone" in note for note in nobody.notes)


def test_points_are_triangulated_and_one_wrong_camera_is_left_out():
    cameras = [around(angle) for angle in (0.0, 0.9, 1.8)]
    points = np.random.default_rng(0).normal((0, 0, 4.3), 0.4, (4, 5, 3))
    rays = np.stack([(camera.project(points) - np.array(SIZE) / 2) / FOCAL for camera in cameras], 1)
    rays[:, 1, 2] += 0.2
    sure = np.ones((4, 3, 5))
    sure[:, 1:, 4] = 0
    turns, shifts = (np.array([[getattr(one, name) for one in cameras]]) for name in ("rotation", "translation"))
    found, known = triangulate(rays, sure, turns, shifts)
    assert np.abs(found - points)[:, :4].max() < 1e-6 and (known[:, :4] > 0).all() and (known[:, 4] == 0).all()


def toml_text(cameras: tuple[Camera, ...], scale: float = 1.0) -> str:
    lines = []
    for camera in cameras:
        turn = cv2.Rodrigues(camera.rotation)[0].ravel().tolist()
        lines += [
            f"[{camera.name}]", f'name = "{camera.name}"', f"size = [{SIZE[0]}.0, {SIZE[1]}.0]",
            f"matrix = {camera.matrix.tolist()}", "distortions = [0.01, 0.0, 0.0, 0.0]", f"rotation = {turn}",
            f"translation = {(scale * camera.translation).tolist()}", "fisheye = false",
        ]  # fmt: skip
    return "\n".join([*lines, "[metadata]", "adjusted = false", "error = 0.0"])


def test_calibrations_of_all_kinds_say_the_same(tmp_path: Path):
    cameras = (around(0.3), around(1.1))
    opencv = {"type_id": "opencv-matrix", "rows": 3, "cols": 3, "dt": "d"}
    files = {
        "pose2sim.toml": toml_text(cameras),
        "anipose_mm.toml": toml_text(cameras, 1000.0),
        "list.json": json.dumps({"cameras": [
            {"name": one.name, "K": one.matrix.tolist(), "dist": [0.01, 0, 0, 0], "R": one.rotation.tolist(),
             "t": one.translation.tolist(), "image_size": SIZE} for one in cameras
        ]}),
        "opencv.json": json.dumps({
            one.name: {"camera_matrix": {**opencv, "data": one.matrix.ravel().tolist()},
                       "distortion_coefficients": [0.01, 0, 0, 0],
                       "rvec": cv2.Rodrigues(one.rotation)[0].ravel().tolist(),
                       "tvec": one.translation.tolist()} for one in cameras
        }),
    }  # fmt: skip
    points = np.array([[0.1, -0.4, 4.0], [0.3, 0.8, 4.5]])
    for name, text in files.items():
        (tmp_path / name).write_text(text)
        read = read_cameras(tmp_path / name)
        assert [one.name for one in read] == [one.name for one in cameras]
        for one, true in zip(read, cameras, strict=True):
            seen = one.project(points)
            assert np.abs(seen - true.project(points)).max() < 1.5, name
            ideal = one.undistorted(seen, FOCAL, (SIZE[0] / 2, SIZE[1] / 2))
            np.testing.assert_allclose(ideal, true.project(points), atol=0.05)
    assert match_cameras(read, [Path("b_cam11.mp4"), Path("a_cam3.mp4")])[0].name == "cam11"
    with pytest.raises(HmdiffError, match="2 cameras"):
        match_cameras(read, [Path("x.mp4"), Path("y.mp4"), Path("z.mp4")])
    half = read_cameras(tmp_path / "list.json")[0].scaled_to((320, 240))
    assert half.focal == pytest.approx(FOCAL / 2)
    with pytest.raises(HmdiffError, match="calibrated for pictures"):
        read_cameras(tmp_path / "list.json")[0].scaled_to((480, 640))


@pytest.mark.parametrize(
    "text", ["", "[1,2]", '{"cam": {"K": [[1,0],[0,1]]}}', '{"cam": {"K": [[1,0,0],[0,1,0],[0,0,1]]}}', '{"a": NaN']
)
def test_what_is_no_calibration_is_a_sentence(tmp_path: Path, text: str):
    (tmp_path / "c.json").write_text(text)
    with pytest.raises(HmdiffError) as caught:
        read_cameras(tmp_path / "c.json")
    assert caught.value.kind == "views.calibration" and caught.value.fix


def test_the_command_tells_what_is_wrong_early(repo: Path, tmp_path: Path, capsys):
    clip = str(repo / "assets" / "demo" / "demo.mp4")
    out = str(tmp_path / "x.npz")
    for words, said in (
        ([clip, clip], "--views"), ([clip, "--views"], "two cameras"), ([clip, "--calibration", clip], "belongs to"),
        ([clip, clip, "--views", "--calibration", clip], "cannot be read"),
        ([clip, clip, "--views", "--offsets", "0,x"], "not a number"),
    ):  # fmt: skip
        assert cli.main(["animate", *words, "-o", out]) == 2
        assert said in capsys.readouterr().err
