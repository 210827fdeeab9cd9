"""Clients that vanish, come back or read slowly get every frame once and in order."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hmdiff_wire.messages import (
    Attach,
    Attached,
    Cancel,
    Cancelled,
    Error,
    FrameResult,
    JobDone,
    JobFailed,
    Submit,
)
from hmdiff_wire.take import read_take


def indices(messages) -> list[int]:
    return [one.index for one in messages if isinstance(one, FrameResult)]


def test_a_client_that_vanished_comes_back_to_its_running_job(fake, connect):
    gone = connect(fake)
    job = gone.submit(fake={"frames": 120, "delay": 0.01})
    first, _ = gone.until(FrameResult)
    gone.close()
    back = connect(fake)
    back.send(Attach(job, after=first.index))
    attached = back.receive()
    assert isinstance(attached, Attached) and attached.state == "running" and attached.total in (0, 120)
    assert attached.take.endswith(f"{job}.take")
    done, before = back.until(JobDone)
    assert indices(before) == list(range(1, 120)) and done.frames_dropped == 0


def test_an_ended_job_is_remembered_with_its_frames_and_its_ending(fake, connect):
    one = connect(fake)
    job = one.submit(fake={"frames": 50, "people": 2})
    done, before = one.until(JobDone)
    live = [message for message in before if isinstance(message, FrameResult)]
    back = connect(fake)
    for after in (-1, 20, 48, 49, 1000):
        back.send(Attach(job, after))
        attached, _ = back.until(Attached)
        assert attached.state == "done"
        again, before = back.until(JobDone)
        assert indices(before) == list(range(after + 1, 50)) and again == done
    failing = one.submit(fake={"fail_at": 3})
    failed, _ = one.until(JobFailed)
    back.send(Attach(failing))
    assert isinstance(back.receive(), Attached)
    again, before = back.until(JobFailed)
    assert again == failed and indices(before) == [0, 1, 2]
    assert len(live) == 50 and back.refused(Attach("never-heard-of")) == "job.unknown"


def test_frames_of_an_earlier_run_come_from_the_take_on_disk(fake, connect):
    client = connect(fake)
    first = client.submit(fake={"frames": 100, "delay": 0.002, "people": 2, "die_at": 70})
    failed, before = client.until(JobFailed)
    live = {one.index: one for one in before if isinstance(one, FrameResult) and one.job == first}
    client.send(Submit("rest", "animate", str(fake.clip), {"fake": {"frames": 100, "people": 2}}, failed.take,
                       resume=True))  # fmt: skip
    client.until(JobDone)
    client.send(Attach("rest", after=9))
    client.until(Attached)
    done, before = client.until(JobDone)
    assert indices(before) == list(range(10, 100)) and done.frames_dropped == 0
    for one in before:
        if isinstance(one, FrameResult) and one.index < 64:
            assert set(one.arrays) == set(live[one.index].arrays)
            for name, array in one.arrays.items():
                np.testing.assert_allclose(array, live[one.index].arrays[name], rtol=1e-3, err_msg=name)
                assert array.dtype == live[one.index].arrays[name].dtype


def test_the_job_belongs_to_who_attached_last(fake, connect):
    first, second = connect(fake), connect(fake)
    job = first.submit(fake={"frames": 200, "delay": 0.005})
    first.until(FrameResult)
    second.send(Attach(job, 5))
    second.until(Attached)
    while first.socket.poll(200):
        first.receive()
    done, before = second.until(JobDone)
    assert indices(before) == list(range(6, 200)) and not first.socket.poll(100)


def test_a_client_that_never_reads_costs_little_and_misses_nothing(start, connect):
    backend = start("--hypotheses", "25", "--people", "2", jobs="")
    slow, other = connect(backend), connect(backend)
    job = slow.submit(fake={"frames": 600})
    before = backend.rss_mb()
    mine = other.submit(fake={"frames": 5})
    done, _ = other.until(JobDone)
    assert done.job == mine, "nobody waits for the slow one"
    take = read_take(backend.root / f"clip-{job}.take")
    assert take.n_frames == 600
    assert backend.rss_mb() - before < 150, "64 MB of frames, what the socket holds, and some room"
    done, seen = slow.until(JobDone)
    assert done.frames_dropped == 0 and indices(seen) == list(range(600))
    slow.send(Cancel(job))
    assert isinstance(slow.receive(), Error | Cancelled) and Path(done.take).is_dir()
