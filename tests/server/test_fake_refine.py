"""Jobs of kind refine through the fake: the contract of docs/protocol.md with real plans, versions and messages."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hmdiff_wire.body import skin
from hmdiff_wire.messages import Attach, Cancel, Cancelled, FrameResult, JobDone, JobFailed, Submit
from hmdiff_wire.take import Take, read_take
from hmdiff_wire.take_version import original_of, parent_of, read_version


@pytest.fixture
def walk(fake, connect) -> tuple[Path, Take]:
    client = connect(fake)
    client.submit(fake={"people": 2})
    folder = Path(client.until(JobDone)[0].take)
    return folder, read_take(folder)


def frames_of(messages) -> list[FrameResult]:
    return [one for one in messages if isinstance(one, FrameResult)]


def drag(take: Take, frame: int, dx: float, track: int = 0, joint: str = "left_wrist") -> dict:
    x, y = take.joints_2d[track, frame, 20]
    return {"frame": frame, "track_id": track, "joint": joint, "x": float(x) + dx, "y": float(y)}


def test_an_edit_makes_a_version_and_leaves_the_original_alone(fake, connect, walk):
    folder, take = walk
    before = {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    client = connect(fake)
    client.send(Submit("r1", "refine", str(folder), {"edits": [drag(take, 20, 40)], "spread": 3}))
    done, messages = client.until(JobDone)
    assert Path(done.take) == folder / "versions" / "000002" and (done.frames, done.people) == (7, (0,))
    assert [one.index for one in frames_of(messages)] == list(range(17, 24))
    new = read_take(Path(done.take))
    for one in frames_of(messages):
        assert one.arrays["track_id"].tolist() == [0] and one.arrays["hypotheses_pose"].shape == (1, 0, 72)
        np.testing.assert_array_equal(one.arrays["joints_2d"][0], new.joints_2d[0, one.index])
    moved = np.abs(new.joints_2d - take.joints_2d).max((-1, -2))
    assert (new.joints_2d - take.joints_2d)[0, 20, 20] == pytest.approx((40, 0), abs=0.5)
    assert 0 < moved[0, 17] < moved[0, 18] < moved[0, 19] < moved[0, 20]
    assert not moved[1].any() and not moved[0, :17].any() and not moved[0, 24:].any()
    np.testing.assert_array_equal(new.read("hypotheses_pose", 1), take.read("hypotheses_pose", 1))
    assert {path: path.read_bytes() for path in before} == before
    assert parent_of(Path(done.take)) == folder and original_of(Path(done.take)) == folder
    assert read_version(Path(done.take)).edits[0]["joint"] == "left_wrist" and new.header.uuid != take.header.uuid


def test_versions_follow_each_other_and_earlier_edits_stay(fake, connect, walk):
    folder, take = walk
    client = connect(fake)
    client.send(Submit("a", "refine", str(folder), {"edits": [drag(take, 10, 30)]}))
    second = Path(client.until(JobDone)[0].take)
    client.send(Submit("b", "refine", str(second), {"edits": [drag(take, 13, -30)]}))
    third = Path(client.until(JobDone)[0].take)
    client.send(Submit("c", "refine", str(folder), {"edits": [drag(take, 5, 30)]}))
    fourth = Path(client.until(JobDone)[0].take)
    assert [one.name for one in (second, third, fourth)] == ["000002", "000003", "000004"]
    assert [parent_of(one) for one in (second, third, fourth)] == [folder, second, folder]
    assert [one["frame"] for one in read_version(third).edits] == [10, 13]
    old, new = read_take(second), read_take(third)
    np.testing.assert_array_equal(new.pose[0, :11], old.pose[0, :11])
    assert np.abs(new.joints_2d[0, 11] - old.joints_2d[0, 11]).max() > 1, "the frame after the earlier edit follows"


def about_pelvis(joints: np.ndarray) -> np.ndarray:
    return joints - joints[:, :1]


def test_choices_locks_and_a_range(fake, connect, walk):
    folder, take = walk
    client = connect(fake)
    options = {
        "choose": [{"frame": 10, "end": 15, "track_id": 1, "hypothesis": 2}], "spread": 4,
        "lock": [{"frame": 8}], "frame_range": [0, 17],
    }  # fmt: skip
    client.send(Submit("choose", "refine", str(folder), options))
    done, messages = client.until(JobDone)
    new = read_take(Path(done.take))
    chosen = take.hypotheses_joints[1, 10:15, 2]
    np.testing.assert_allclose(about_pelvis(new.joints[1, 10:15]), about_pelvis(chosen), atol=1e-4)
    assert new.joints[1, 10:15, 0, 2] == pytest.approx(take.joints[1, 10:15, 0, 2], abs=1e-4), "as deep as it was"
    assert [one.index for one in frames_of(messages)] == [9, 10, 11, 12, 13, 14, 15, 16]
    assert np.array_equal(new.pose[1, 17:], take.pose[1, 17:]) and np.array_equal(new.pose[1, :9], take.pose[1, :9])
    step = np.abs(np.diff(new.joints[1], axis=0)).max((1, 2)) - np.abs(np.diff(take.joints[1], axis=0)).max((1, 2))
    assert step.max() < np.abs(new.joints[1, 10] - take.joints[1, 10]).max(), "blended, not cut"


def test_nothing_is_written_where_that_is_wished_and_nothing_stays_of_a_cancelled_job(fake, connect, walk):
    folder, take = walk
    client = connect(fake)
    client.send(Submit("w", "refine", str(folder), {"edits": [drag(take, 3, 9)], "write": False}))
    done, messages = client.until(JobDone)
    assert done.take == "" and len(frames_of(messages)) == done.frames > 0 and not (folder / "versions").exists()
    live = {"edits": [drag(take, 3, 9)], "write": False, "quality": "live", "vertices": True, "spread": 0}
    client.send(Submit("live", "refine", str(folder), live))
    _, messages = client.until(JobDone)
    (row,) = frames_of(messages)
    assert row.index == 3 and row.arrays["vertices"].shape == (1, take.body.n_vertices, 3)
    mesh = skin(take.body, row.arrays["betas"][0], row.arrays["pose"][0], row.arrays["transl"][0])[0][0]
    np.testing.assert_allclose(row.arrays["vertices"][0], mesh, atol=1e-5)
    client.send(Submit("x", "refine", str(folder), {"edits": [drag(take, 3, 9)], "fake": {"delay": 0.2}}))
    client.receive()
    client.send(Cancel("x"))
    cancelled, _ = client.until(Cancelled)
    assert cancelled.take == "" and not list(folder.glob("versions/*"))


def test_a_long_drag_does_not_push_finished_jobs_out_of_memory(fake, connect, walk):
    folder, take = walk
    client = connect(fake)
    client.send(Submit("kept", "refine", str(folder), {"edits": [drag(take, 3, 9)], "spread": 0}))
    client.until(JobDone)
    for number in range(101):
        client.send(Submit(f"drag{number}", "refine", str(folder), {
            "edits": [drag(take, 3, number)], "write": False, "quality": "live", "spread": 0,
        }))  # fmt: skip
        client.until(JobDone)
    client.send(Attach("kept"))
    done, _ = client.until(JobDone)
    assert Path(done.take).parent == folder / "versions"


def test_who_comes_back_gets_the_changed_frames_from_the_version(fake, connect, walk):
    folder, take = walk
    client = connect(fake)
    client.send(Submit("r", "refine", str(folder), {"edits": [drag(take, 20, 40)], "spread": 2}))
    _, messages = client.until(JobDone)
    other = connect(fake)
    other.send(Attach("r", 19))
    _, again = other.until(JobDone)
    assert [one.index for one in frames_of(again)] == [20, 21, 22]
    np.testing.assert_array_equal(frames_of(again)[0].arrays["pose"], frames_of(messages)[2].arrays["pose"])


def test_mistakes_are_sentences(fake, connect, walk, tmp_path):
    folder, take = walk
    client = connect(fake)
    good = drag(take, 3, 9)
    edits = fake.root / "edits.json"
    edits.write_text(json.dumps([{**good, "joint": "left_paw"}]))
    wrong = (
        ({"edits": [{**good, "frame": 400}]}, "refine.frame"),
        ({"edits": [{**good, "track_id": 7}]}, "refine.person"),
        ({"edits": [{**good, "joint": "paw"}]}, "refine.joint"),
        ({"edits": [{key: value for key, value in good.items() if key != "track_id"}]}, "refine.person"),
        ({"edits": [{**good, "x": None}]}, "options.bad"),
        ({"choose": [{"frame": 3, "hypothesis": 9}]}, "refine.hypothesis"),
        ({"lock": [{"frame": 99}]}, "refine.frame"),
        ({"frame_range": [90, 95]}, "refine.frame"),
        ({"keypoints": str(edits)}, "refine.joint"),
        ({"colour": 1}, "options.unknown"),
    )
    for number, (options, kind) in enumerate(wrong):
        client.send(Submit(f"j{number}", "refine", str(folder), options))
        failed, _ = client.until(JobFailed)
        assert failed.error["kind"] == kind and failed.error["message"] and failed.error["fix"], options
        assert failed.take == ""
    assert client.refused(Submit("n", "refine", str(fake.root), {})) == "take.not_found"
    assert client.refused(Submit("n", "refine", str(tmp_path), {})) == "input.outside_roots"
    assert client.refused(Submit("n", "refine", str(folder), {"keypoints": str(tmp_path)})) == "input.outside_roots"
    assert client.refused(Submit("n", "refine", str(folder), {}, resume=True)) == "options.bad"
