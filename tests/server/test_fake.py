"""The fake speaks for the real backend: same server, real takes, faults on demand, no torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hmdiff_wire.messages import Accepted, Cancel, Cancelled, FrameResult, JobDone, JobFailed, Progress, Submit
from hmdiff_wire.take import read_take


def frames_of(messages) -> list[FrameResult]:
    return [one for one in messages if isinstance(one, FrameResult)]


def test_neither_the_server_nor_the_fakes_worker_imports_torch(repo):
    program = (
        "import sys; import hmdiff.server.fake, hmdiff.server.program, hmdiff.server.worker; "
        "print([name for name in ('torch', 'cv2', 'scipy', 'bpy') if name in sys.modules])"
    )
    environ = {"PYTHONPATH": f"{repo / 'backend'}:{repo / 'shared'}"}
    said = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"


def test_a_walk_becomes_a_take_and_what_was_streamed_lies_in_it(fake, connect):
    client = connect(fake)
    client.submit("walk", fake={"people": 2})
    done, before = client.until(JobDone)
    sent = frames_of(before)
    raw, take = read_take(Path(done.take), raw=True), read_take(Path(done.take))
    assert (done.frames, done.people, done.frames_dropped) == (40, (0, 1), 0)
    assert [one.index for one in sent] == list(raw.frame_indices) == list(range(40))
    assert [one.time for one in sent] == list(raw.times)
    for name in ("pose", "betas", "transl", "joints", "joints_2d", "landmarks_2d", "box", "hypotheses_pose"):
        stored = np.stack([raw.read(name, person) for person in (0, 1)], 1)
        np.testing.assert_array_equal(np.stack([one.arrays[name] for one in sent]), stored, err_msg=name)
    assert (take.header.source_kind, take.header.width, take.header.height, take.header.fps) == ("video", 640, 360, 30)
    assert take.run_status == "complete" and take.smoothed.all() and take.header.up_source == "estimated"
    assert {type(one).__name__ for one in before} == {"Accepted", "Progress", "FrameResult"}
    assert [one.stage for one in before if isinstance(one, Progress)][-1] == "motion"


def test_the_bodies_stand_in_the_picture_where_their_points_are(fake, connect):
    client = connect(fake)
    job = client.submit(fake={"people": 3, "frames": 100})
    done, _ = client.until(JobDone)
    take = read_take(Path(done.take))
    assert done.job == job
    for person in range(3):
        vertices = take.decode(person, slice(0, 100, 9))
        points = vertices[..., :2] / vertices[..., 2:] * take.header.focal + take.center
        joints = take.read("joints_2d", person, slice(0, 100, 9))
        assert (points.min(1) < joints.min(1) + 1).all() and (points.max(1) > joints.max(1) - 1).all()
        assert (vertices[..., 2] > 3).all() and (vertices[..., 2] < 6).all(), "about four metres away"
        height = np.ptp(vertices[..., 1], axis=1)
        assert (height > 1.4).all() and (height < 2.1).all(), "upright, as tall as people are"
        lowest = vertices[..., 1].max(1)
        assert np.ptp(lowest) < 0.08, "feet on one ground"
        head, toes = take.read("joints", person)[:, 15], take.read("joints", person)[:, (10, 11)]
        assert (head[:, 1] < toes[:, :, 1].min(1) - 1).all(), "y points down"
    apart = np.abs(np.diff(take.read("hypotheses_joints", 0, [5])[0], axis=0)).max()
    assert 0.005 < apart < 0.5


def test_a_photo_and_a_range_of_frames(fake, connect):
    client = connect(fake)
    client.send(Submit("photo", "pose", str(fake.clip)))
    done, before = client.until(JobDone)
    assert (done.frames, len(frames_of(before))) == (1, 1)
    assert read_take(Path(done.take)).header.source_kind == "image"
    client.submit("part", frame_range=[7, 12])
    done, before = client.until(JobDone)
    assert [one.index for one in frames_of(before)] == [7, 8, 9, 10, 11] and done.frames == 5
    assert read_take(Path(done.take)).frame_indices.tolist() == [7, 8, 9, 10, 11]


def test_people_in_one_frame_write_no_take(fake, connect):
    client = connect(fake)
    there = set(fake.root.iterdir())
    client.send(Submit("who", "people", str(fake.clip), {"fake": {"people": 3}, "frame_range": [5, 6]}))
    assert client.receive() == Accepted("who", 0, "")
    done, before = client.until(JobDone)
    (frame,) = frames_of(before)
    assert (done.take, done.frames, done.people) == ("", 1, (0, 1, 2)) and frame.index == 5
    shapes = {name: (array.dtype.str, array.shape) for name, array in frame.arrays.items()}
    assert shapes == {"box": ("<f4", (3, 4)), "score": ("<f4", (3,)), "thumbnail": ("|u1", (3, 96, 96, 3))}
    assert (frame.arrays["box"][:, :2] < frame.arrays["box"][:, 2:]).all() and set(fake.root.iterdir()) == there


def test_options_are_those_of_the_real_job(fake, connect):
    client = connect(fake)
    boxes = [[0, 0, 9, 9], [5, 5, 20, 20]]
    for options, people in (({"person": "largest"}, (0,)), ({"boxes": boxes}, (0, 1)), ({}, (0, 1, 2))):
        client.submit(**options, fake={"people": 3, "frames": 2})
        assert client.until(JobDone)[0].people == people
    client.submit(preset="best")
    assert client.until(JobFailed)[0].error["kind"] == "options.bad"
    client.submit(colour="red")
    assert client.until(JobFailed)[0].error["kind"] == "options.unknown"
    client.submit(hypotheses=7, fake={"frames": 2})
    assert read_take(Path(client.until(JobDone)[0].take)).n_hypotheses == 7


@pytest.mark.parametrize(
    ("knob", "kind"),
    [("fail_at", "input.unreadable"), ("oom_at", "memory"), ("die_at", "worker.died"), ("fill_disk_at", "disk.full")],
)
def test_each_fault_is_a_sentence_and_a_resumed_job_ends_the_take(knob, kind, fake, connect):
    client = connect(fake)
    bad = client.submit(fake={knob: 37, "delay": 0.005})
    failed, before = client.until(JobFailed)
    assert (failed.job, failed.error["kind"]) == (bad, kind) and failed.error["message"] and failed.error["fix"]
    assert failed.take and [one.index for one in frames_of(before)] == list(range(37))
    client.send(Submit("again" + knob, "animate", str(fake.clip), {"fake": {knob: 37}}, failed.take, resume=True))
    done, before = client.until(JobDone)
    assert done.take == failed.take
    assert [one.index for one in frames_of(before)] == list(range(32, 40)), "from the last whole chunk on"
    take = read_take(Path(done.take))
    assert take.frame_indices.tolist() == list(range(40)) and take.run_status == "complete"
    whole = connect(fake)
    whole.submit()
    straight = read_take(Path(whole.until(JobDone)[0].take))
    np.testing.assert_array_equal(take.pose, straight.pose)


def test_what_cannot_be_resumed_is_refused(fake, connect, tmp_path):
    client = connect(fake)
    clip = str(fake.clip)
    for take, kind in (
        ("", "take.missing"), (str(fake.root / "nothing.take"), "take.missing"), (str(tmp_path), "input.outside_roots")
    ):  # fmt: skip
        assert client.refused(Submit("r", "animate", clip, {}, take, resume=True)) == kind
    foreign = fake.root / "foreign.take"
    foreign.mkdir()
    (foreign / "manifest.json").write_text("[]")
    assert client.refused(Submit("r", "animate", clip, {}, str(foreign), resume=True)) == "take.foreign"


def test_cancel_within_a_batch_and_go_on(fake, connect):
    client = connect(fake)
    job = client.submit(fake={"frames": 400, "delay": 0.005})
    client.until(FrameResult)
    client.send(Cancel(job))
    cancelled, before = client.until(Cancelled)
    assert len(frames_of(before)) <= 40
    take = read_take(Path(cancelled.take))
    assert take.run_status == "cancelled" and 0 < take.n_frames < 60 and take.n_frames % 16 == 0
    client.send(Submit("rest", "animate", str(fake.clip), {"fake": {"frames": 70}}, cancelled.take, resume=True))
    client.until(JobDone)
    assert read_take(Path(cancelled.take)).n_frames == 70


def test_two_jobs_may_not_write_one_take(fake, connect):
    client = connect(fake)
    take = str(fake.root / "one.take")
    client.send(Submit("first", "animate", str(fake.clip), {"fake": {"delay": 0.02}}, take))
    assert client.refused(Submit("second", "animate", str(fake.clip), {}, take)) == "take.busy"
    client.send(Cancel("first", force=True))
    client.until(Cancelled)


def test_what_is_resumed_while_it_stops_waits_for_its_last_batch(fake, connect):
    client = connect(fake)
    take = str(fake.root / "stopped.take")
    client.send(Submit("one", "animate", str(fake.clip), {"fake": {"frames": 90, "delay": 0.02}}, take))
    client.until(FrameResult)
    client.send(Cancel("one"))
    client.send(Submit("two", "animate", str(fake.clip), {"fake": {"frames": 90}}, take, resume=True))
    _, before = client.until(JobDone)
    kinds = [(type(message), message.job) for message in before if isinstance(message, Accepted | Cancelled)]
    assert kinds.index((Accepted, "two")) < kinds.index((Cancelled, "one"))
    assert read_take(Path(take)).n_frames == 90
