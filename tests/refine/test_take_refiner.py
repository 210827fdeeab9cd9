"""Takes refined through the real denoiser and body: the job as the server runs it, on people whose walk is known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hmdiff import cli
from hmdiff.refine.clip_wishes import calmed
from hmdiff.refine.plan import make_plan
from hmdiff.refine.reading import edit_from, read_request
from hmdiff.refine.take_refiner import Cancelled, Hooks, RefinedTake, refine_take
from hmdiff.refine.version import write_refined
from hmdiff.server import fake, jobs
from hmdiff.server.contract import JobHooks, JobOutcome, JobRequest
from hmdiff_wire.take import Take, read_take
from hmdiff_wire.take_version import read_version

FRAMES = 40
FEET = [7, 8, 10, 11]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Two people walk, without smoothed motion: every frame is a little off by itself."""
    root = tmp_path_factory.mktemp("walk")
    clip = root / "walk.mp4"
    clip.write_bytes(b"the fake does not look")
    hooks = JobHooks(lambda *_: None, lambda *_: None, lambda: False)
    options = {"fake": {"frames": FRAMES, "people": 2}}
    fake.run_job(JobRequest("walk", "animate", clip, root / "walk.take", options, (), "cpu"), hooks)
    return root / "walk.take"


@pytest.fixture(scope="module")
def take(folder: Path) -> Take:
    return read_take(folder)


@pytest.fixture(scope="module")
def rough(folder: Path) -> Take:
    return read_take(folder, raw=True)


def refined(take: Take, shelf: dict | None = None, **options: Any) -> RefinedTake:
    request = read_request(options)
    return refine_take(take, make_plan(take, request), request, shelf=shelf)


SHELF: dict = {}


def test_a_dragged_wrist_follows_and_the_rest_stays(take: Take):
    x, y = take.joints_2d[0, 20, 20] + (25.0, -20.0)
    edit = {"frame": 20, "track_id": 0, "joint": "left_wrist", "x": float(x), "y": float(y)}
    found = refined(take, SHELF, edits=[edit], spread=4)
    (one,) = found.people
    assert one.plan.track_id == 0 and np.flatnonzero(one.changed).tolist() == list(range(16, 25))
    assert np.abs(one.joints_2d[20, 20] - (x, y)).max() < 4 and not found.notes
    moved = 1000 * np.linalg.norm(one.joints - take.joints[0], axis=-1)
    others = [j for j in range(24) if j not in (13, 16, 18, 20, 22)]
    assert moved[20, others].max() < 15 and moved[20, 20] > 80
    assert np.all(np.diff(moved[16:21, 20]) > 0) and np.all(np.diff(moved[20:25, 20]) < 0)
    np.testing.assert_array_equal(one.pose[25:], take.pose[0, 25:])
    far = refined(take, SHELF, edits=[{**edit, "x": float(x) + 400}], spread=0)
    assert far.notes and "left_wrist" in far.notes[0], "what cannot be reached is told"


def test_jitter_goes_and_locked_frames_are_exact(rough: Take):
    def shake(joints: np.ndarray) -> float:
        return 1000 * float(np.linalg.norm(joints[2:] - 2 * joints[1:-1] + joints[:-2], axis=-1).mean())

    (one,) = refined(rough, SHELF, smooth=0.1, lock=[{"frame": 12}], track_ids=[1]).people
    np.testing.assert_array_equal(one.pose[12], rough.pose[1, 12])
    np.testing.assert_array_equal(one.joints[12], rough.joints[1, 12])
    assert shake(one.joints) < 0.5 * shake(rough.joints[1])
    assert np.linalg.norm(one.joints - rough.joints[1], axis=-1).mean() < 0.05


def test_a_long_calming_does_not_flatten_what_is_fast(rough: Take):
    """Arms of the fake's walkers swing; half a second of plain filter would stop them."""
    times = rough.times
    plan = make_plan(rough, read_request({"smooth": 0.1})).people[0]
    free = np.ones(len(times), bool)
    reach = {}
    for strength in (0.1, 0.5):
        pose, transl = calmed(plan, plan.pose, plan.transl, free, strength)
        reach[strength] = np.ptp(pose.reshape(-1, 24, 3)[:, [1, 2]], axis=0).max(-1)
        shake = np.abs(np.diff(transl, 2, axis=0)).mean()
        assert shake <= np.abs(np.diff(plan.transl, 2, axis=0)).mean() + 1e-6
    assert (reach[0.5] > 0.9 * reach[0.1]).all()


def test_standing_feet_stand(take: Take):
    """The fake's walkers glide: a foot that is down travels with the body."""
    (one, _) = refined(take, SHELF, feet=True).people
    before, after = (1000 * np.linalg.norm(np.diff(j[:, FEET], axis=0), axis=-1) for j in (take.joints[0], one.joints))
    still = after < 1.0
    assert still.sum() > 10, "feet that stand stand still"
    assert before[still].mean() > 5


def test_a_range_of_frames_and_hypotheses_and_a_cancel(take: Take):
    (one, two) = refined(take, SHELF, detections=True, frame_range=[5, 12]).people
    for person in (one, two):
        assert np.flatnonzero(person.changed).tolist() == list(range(5, 12))
    (one,) = refined(take, SHELF, choose=[{"frame": 8, "end": 10, "track_id": 0, "hypothesis": 1}], spread=0).people
    chosen = take.hypotheses_joints[0, 8:10, 1]
    np.testing.assert_allclose(one.joints[8:10] - one.joints[8:10, :1], chosen - chosen[:, :1], atol=2e-3)
    assert one.joints[8:10, 0, 2] == pytest.approx(take.joints[0, 8:10, 0, 2], abs=2e-3), "as deep as it was"
    request = read_request({"detections": True})
    with pytest.raises(Cancelled):
        refine_take(take, make_plan(take, request), request, Hooks(should_stop=lambda: True), SHELF)


def test_smplify_where_it_is_asked_for(take: Take):
    x, y = take.joints_2d[0, 20, 21] + (15.0, 0.0)
    edit = {"frame": 20, "track_id": 0, "joint": "right_wrist", "x": float(x), "y": float(y)}
    (one,) = refined(take, SHELF, edits=[edit], spread=0, method="smplify").people
    assert abs(one.joints_2d[20, 21, 0] - x) < 10


def test_earlier_edits_hold_when_a_whole_range_is_refined(take: Take, tmp_path: Path):
    x, y = take.joints_2d[0, 20, 20] + (25.0, -20.0)
    edit = {"frame": 20, "track_id": 0, "joint": 20, "x": float(x), "y": float(y)}
    request = read_request({"edits": [edit]})
    plan = make_plan(take, request)
    write_refined(take, tmp_path / "second.take", plan, request, refine_take(take, plan, request, shelf=SHELF).people)
    second = read_take(tmp_path / "second.take")
    before = tuple(edit_from(one) for one in read_version(second.folder).edits)
    request = read_request({"smooth": 0.1, "track_ids": [0]})
    plan = make_plan(second, request, before, take)
    (one,) = refine_take(second, plan, request, shelf=SHELF).people
    assert np.abs(one.joints_2d[20, 20] - (x, y)).max() < 8
    back = read_request({"choose": [{"frame": 0, "end": FRAMES, "hypothesis": -1}]})
    (one, _) = refine_take(second, make_plan(second, back, before, take), back, shelf=SHELF).people
    np.testing.assert_allclose(one.pose, take.pose[0], atol=1e-6)


def test_the_servers_job_and_the_command_write_the_same(folder: Path, take: Take, tmp_path: Path, capsys):
    x, y = take.joints_2d[1, 7, 7] + (12.0, 6.0)
    edit = {"frame": 7, "track_id": 1, "joint": "left_ankle", "x": float(x), "y": float(y)}
    heard: list = []
    stages: list = []
    hooks = JobHooks(lambda *stage: stages.append(stage), lambda *frame: heard.append(frame), lambda: False)
    request = JobRequest("r", "refine", folder, tmp_path / "a.take", {"edits": [edit], "spread": 2}, (), "cpu")
    outcome: JobOutcome = jobs.run_job(request, hooks)
    assert (outcome.frames, outcome.people) == (5, (1,)) and [index for index, _, _ in heard] == [5, 6, 7, 8, 9]
    assert stages[0] == ("refining", 0, 1000) and stages[-1] == ("refining", 1000, 1000)
    file = tmp_path / "edits.csv"
    file.write_text(f"frame,track_id,joint,x,y\n7,1,left_ankle,{x},{y}\n")
    words = ["refine", str(folder), "-o", str(tmp_path / "b.take"), "--keypoints", str(file), "--spread", "2", "--json"]
    assert cli.main(words) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["people"] == [{"track_id": 1, "frames_changed": 5}] and report["edits_in_force"] == 1
    first, second = read_take(tmp_path / "a.take"), read_take(tmp_path / "b.take")
    np.testing.assert_allclose(first.pose, second.pose, atol=1e-5)
    np.testing.assert_array_equal(heard[2][2]["joints"][0], first.joints[1, 7])
    assert cli.main(["refine", str(folder), "-o", str(tmp_path / "b.take"), "--smooth", "0.1"]) == 2
    assert "already holds a take" in capsys.readouterr().err
    for words, said in (
        (["--lock", "x"], "list of frames"), (["--choose", "3"], "choice like"),
        (["--choose", "3:77"], "hypothesis 77"),
        (["--keypoints", str(folder / "manifest.json")], "list of edits"), (["--person", "9"], "Person 9"),
    ):  # fmt: skip
        assert cli.main(["refine", str(folder), "-o", str(tmp_path / "c.take"), *words]) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "c.take").exists()
