"""Frames that the client sends one by one: credit, checks, and the pictures as the job gets them."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from hmdiff_wire.messages import (
    Attach,
    Attached,
    Cancel,
    Cancelled,
    Credit,
    Error,
    FrameResult,
    JobDone,
    JobFailed,
    Ping,
    Pong,
    PushEnd,
    PushFrame,
    Submit,
)
from hmdiff_wire.take import read_take
from PIL import Image

STREAM = {"width": 64, "height": 48, "fps": 25.0}


def picture(index: int) -> np.ndarray:
    return np.random.default_rng(index).integers(0, 255, (48, 64, 3), np.uint8)


def push(job: str, index: int, arrays: dict | None = None) -> PushFrame:
    return PushFrame(job, index, index / 25, arrays or {"image": picture(index)})


def submit(job: str, **options) -> Submit:
    return Submit(job, "animate", "blender viewport", options, input="frames", stream=STREAM)


def test_frames_go_in_by_credit_and_results_come_out(fake, connect):
    client = connect(fake)
    client.send(submit("pushed"))
    credit, pushed, results = 0, 0, []
    while True:
        message = client.receive()
        if isinstance(message, Credit):
            assert 1 <= message.frames <= 8
            credit += message.frames
        if isinstance(message, FrameResult):
            results.append(message)
        if isinstance(message, JobDone):
            break
        while credit and pushed < 50:
            client.send(push("pushed", 2 * pushed))
            pushed, credit = pushed + 1, credit - 1
            if pushed == 50:
                client.send(PushEnd("pushed"))
    assert [one.index for one in results] == list(range(0, 100, 2)) and message.frames == 50
    take = read_take(Path(message.take))
    assert Path(message.take) == fake.root / "blender_viewport-pushed.take"
    assert (take.header.width, take.header.height, take.header.fps) == (64, 48, 25.0)
    np.testing.assert_allclose(take.times, np.arange(0, 100, 2) / 25)


def test_the_job_sees_the_very_pixels(start, connect):
    client = connect(start(jobs="tiny_jobs:pixels"))
    client.send(submit("seen"))
    client.until(Credit)
    file = io.BytesIO()
    turned = Image.fromarray(np.rot90(picture(1)))
    exif = Image.Exif()
    exif[0x0112] = 6
    turned.save(file, "PNG", exif=exif)
    client.send(push("seen", 0))
    client.send(push("seen", 1, {"file": np.frombuffer(file.getvalue(), np.uint8)}))
    client.send(PushEnd("seen"))
    done, before = client.until(JobDone)
    sums = [one.arrays["image"] for one in before if isinstance(one, FrameResult)]
    np.testing.assert_array_equal(sums[0], picture(0))
    np.testing.assert_array_equal(sums[1], picture(1), "turned upright as its EXIF says")
    assert done.frames == 2


def test_beyond_the_credit_and_other_wrong_frames(fake, connect):
    client = connect(fake)
    client.submit("before", fake={"delay": 0.01})
    client.send(submit("wrong", fake={"delay": 10.0}))
    assert client.refused(push("wrong", 0)) == "protocol.credit", "it has not begun"
    credit, _ = client.until(Credit)
    bad = [
        push("wrong", 0, {"image": np.zeros((48, 63, 3), "u1")}),
        push("wrong", 0, {"image": np.zeros((48, 64, 3), "<f4")}),
        push("wrong", 0, {"file": np.zeros(0, "u1")}),
        push("wrong", 0, {"picture": np.zeros(5, "u1")}),
        PushFrame("wrong", -1, 0.0, {"image": picture(0)}),
    ]
    for frame in bad:
        assert client.refused(frame) == "protocol.malformed"
    assert client.refused(push("before", 0)) in ("protocol.unexpected",)
    assert client.refused(push("nobody", 0)) == "job.unknown"
    for index in range(credit.frames):
        client.send(push("wrong", index))
    assert client.refused(push("wrong", 5)) in ("protocol.malformed", "protocol.credit")
    for index in range(20, 22):
        client.send(push("wrong", index))
    error, _ = client.until(Error)
    assert error.error["kind"] == "protocol.credit" and "frame 2" in error.error["detail"]
    client.send(Cancel("wrong", force=True))
    client.until(Cancelled)
    client.send(push("wrong", 40))
    client.send(PushEnd("wrong"))
    client.send(Ping(9))
    _, before = client.until(Pong)
    assert not any(isinstance(one, Error) for one in before), "what was on its way then is nobody's mistake"


def test_a_file_that_is_no_picture_or_another_size_fails_the_job(fake, connect):
    client = connect(fake)
    other = io.BytesIO()
    Image.fromarray(np.zeros((480, 640, 3), np.uint8)).save(other, "JPEG")
    bomb = b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + (60000).to_bytes(4, "big") * 2 + b"\x08\x02\0\0\0" + b"\0" * 50
    for name, data in (("text", b"hello there" * 9), ("size", other.getvalue()), ("bomb", bomb)):
        client.send(submit(name))
        client.until(Credit)
        client.send(push(name, 0, {"file": np.frombuffer(data, np.uint8)}))
        failed, _ = client.until(JobFailed)
        assert (failed.job, failed.error["kind"]) == (name, "input.unreadable") and failed.error["fix"]
    for stream in ({}, {**STREAM, "width": 0}, {**STREAM, "height": 10**6}, {**STREAM, "fps": "x"}):
        wrong = Submit("s", "animate", "x", input="frames", stream=stream)
        assert client.refused(wrong) == "protocol.malformed"


def test_cancel_while_it_waits_for_frames(fake, connect):
    client = connect(fake)
    client.send(submit("waits"))
    client.until(Credit)
    client.send(push("waits", 0))
    client.until(FrameResult)
    client.send(Cancel("waits"))
    cancelled, _ = client.until(Cancelled)
    take = read_take(Path(cancelled.take))
    assert take.n_frames == 1 and take.run_status == "cancelled"


def test_another_client_goes_on_pushing(fake, connect):
    gone = connect(fake)
    gone.send(submit("handed"))
    credit, _ = gone.until(Credit)
    for index in range(3):
        gone.send(push("handed", index))
        gone.until(FrameResult)
    gone.close()
    back = connect(fake)
    back.send(Attach("handed", after=0))
    attached, _ = back.until(Attached)
    assert attached.pushed == 2 and attached.state == "running"
    again, _ = back.until(Credit)
    assert again.frames == credit.frames, "each frame made room for another"
    for index in range(3, 8):
        back.send(push("handed", index))
    back.send(PushEnd("handed"))
    done, before = back.until(JobDone)
    assert done.frames == 8
    assert [one.index for one in before if isinstance(one, FrameResult)] == list(range(1, 8))


def test_people_of_a_pushed_picture(fake, connect):
    client = connect(fake)
    client.send(Submit("who", "people", "", {}, input="frames", stream=STREAM))
    client.until(Credit)
    client.send(push("who", 12))
    client.send(PushEnd("who"))
    done, before = client.until(JobDone)
    (frame,) = (one for one in before if isinstance(one, FrameResult))
    assert (frame.index, done.take) == (12, "") and frame.arrays["thumbnail"].shape == (1, 96, 96, 3)
