"""`hmdiff serve` over real sockets with a real worker process; only the job itself is a tiny one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hmdiff.server.priority import NICENESS
from hmdiff_wire.messages import (
    Accepted,
    Cancel,
    Cancelled,
    Error,
    FrameResult,
    Hello,
    JobDone,
    JobFailed,
    Ping,
    Pong,
    Progress,
    Submit,
    Welcome,
)
from hmdiff_wire.version import PROTOCOL_VERSION, spoken


def test_the_ready_line_and_hello(backend, client):
    assert backend.ready["ready"] is True and backend.ready["protocol"] == list(PROTOCOL_VERSION)
    assert len(backend.ready["token"]) >= 32 and backend.ready["pid"] == backend.process.pid
    client.send(Hello("test"))
    welcome = client.receive()
    assert isinstance(welcome, Welcome)
    assert welcome.capabilities["kinds"] == ["pose", "animate", "people", "refine"]
    assert welcome.capabilities["inputs"] == ["path", "upload", "frames"] and not welcome.capabilities["curve"]
    assert "default" in welcome.capabilities["presets"] and welcome.capabilities["devices"] == ["auto"]
    assert str(backend.root) in welcome.capabilities["roots"]


def test_the_client_of_the_documentation_works_as_printed(repo, backend):
    page = (repo / "docs" / "protocol.md").read_text(encoding="utf-8")
    program = page.split("```python\n")[1].split("```")[0].replace("/clips/photo.jpg", str(backend.clip))
    names = {"ready": backend.ready}
    exec(program, names)
    assert names["answer"]["type"] == "done" and names["answer"]["job"] == "one"
    names["socket"].context.destroy(linger=0)


def test_a_job_from_submit_to_done(backend, client):
    client.send(Submit("walk-1", "animate", str(backend.clip), {"frames": 4, "padding": 7}, "", ()))
    accepted = client.receive()
    take = backend.root / "clip-walk-1.take"
    assert accepted == Accepted("walk-1", 0, str(take))
    done, before = client.until(JobDone)
    assert done.job == "walk-1" and done.frames == 4 and done.people == (0,) and done.take == str(take)
    assert done.frames_dropped == 0
    frames = [one for one in before if isinstance(one, FrameResult)]
    assert [one.index for one in frames] == [0, 1, 2, 3]
    for one in frames:
        np.testing.assert_array_equal(one.arrays["joints"], np.full((1, 24, 3), one.index, np.float32))
        assert one.arrays["padding"].shape == (7,) and one.time == one.index / 30
    told = [one for one in before if isinstance(one, Progress)]
    assert (told[0].stage, told[0].done) == ("starting", 0)
    assert (told[-1].stage, told[-1].done, told[-1].total, told[-1].eta) == ("bodies", 4, 4, 0.0)


def test_the_backend_answers_while_a_job_computes_and_knows_the_time_left(client):
    job = client.submit(frames=200, delay=0.03)
    client.until(FrameResult)
    client.send(Ping(3))
    pong, before = client.until(Pong)
    assert sum(isinstance(one, FrameResult) for one in before) < 150, "not only when the job has ended"
    assert (pong.nonce, pong.worker, pong.queued, pong.running) == (3, "busy", 0, job)
    progress, _ = client.until(Progress)
    progress, _ = client.until(Progress)
    assert progress.eta is not None and 0.02 * (200 - progress.done) < progress.eta < 600, "0.03 s a frame or more"
    client.send(Cancel(job))
    client.until(Cancelled)


def test_cancel_within_one_batch_keeps_the_take_and_the_next_job_runs(backend, client):
    long = client.submit(frames=10_000, delay=0.02)
    waiting = client.submit()
    never = client.submit()
    client.until(FrameResult)
    client.send(Cancel(never))
    assert client.until(Cancelled)[0] == Cancelled(never, ""), "it never started, nothing is kept"
    client.send(Cancel(long))
    cancelled, before = client.until(Cancelled)
    assert cancelled == Cancelled(long, str(backend.root / f"clip-{long}.take"))
    assert sum(isinstance(one, FrameResult) for one in before) < 200
    assert client.until(JobDone)[0].job == waiting
    client.send(Cancel(long))
    error, _ = client.until(Error)
    assert (error.job, error.error["kind"]) == (long, "job.unknown")


def test_a_job_that_does_not_listen_is_ended_by_force(client):
    deaf = client.submit(frames=10_000, delay=0.02, deaf=True)
    client.until(FrameResult)
    client.send(Cancel(deaf))
    client.until(FrameResult)
    client.send(Cancel(deaf, force=True))
    assert client.until(Cancelled)[0].job == deaf
    after = client.submit()
    assert client.until(JobDone)[0].job == after


@pytest.mark.parametrize(("end", "named"), [("kill_at", "SIGKILL"), ("exit_at", "7")])
def test_a_dead_worker_fails_its_job_with_a_sentence_and_the_next_job_runs(end, named, backend, client):
    dying = client.submit(frames=5, delay=0.2, **{end: 2})  # time for what was sent before
    after = client.submit()
    failed, before = client.until(JobFailed)
    assert failed.job == dying and failed.error["kind"] == "worker.died" and named in failed.error["detail"]
    assert failed.error["fix"] and "Traceback" not in failed.error["message"]
    assert failed.take == str(backend.root / f"clip-{dying}.take")
    assert [one.index for one in before if isinstance(one, FrameResult) and one.job == dying] == [0, 1]
    assert client.until(JobDone)[0].job == after


def test_errors_of_a_job_are_data_and_the_same_worker_goes_on(client):
    client.submit()
    first, _ = client.until(JobDone)
    client.submit(raise_at=1, foreseen=True)
    failed, _ = client.until(JobFailed)
    assert failed.to_exception().to_dict() == {
        "kind": "input.unreadable", "message": "It cannot be read.", "fix": "Convert it.", "detail": "",
    }  # fmt: skip
    client.submit(raise_at=0)
    failed, _ = client.until(JobFailed)
    assert failed.error["kind"] == "internal" and "ZeroDivisionError" in failed.error["detail"]
    client.submit()
    assert client.until(JobDone)[0].notes == first.notes, "the note is the worker's process id"


def test_two_clients_each_get_their_own(backend, connect):
    one, two = connect(backend), connect(backend)
    jobs = [one.submit(frames=20), two.submit(frames=20)]
    for client, job in zip((one, two), jobs, strict=True):
        done, before = client.until(JobDone)
        assert done.job == job and {message.job for message in before} == {job}
        assert sum(isinstance(message, FrameResult) for message in before) == 20


def test_a_client_that_vanishes_takes_nothing_with_it(backend, connect, wait_until):
    gone, stays = connect(backend), connect(backend)
    left = gone.submit(frames=100, delay=0.01)
    gone.until(FrameResult)
    gone.close()
    mine = stays.submit()
    assert stays.until(JobDone)[0].job == mine, "the vanished client's job has ended, this one after it"
    assert (backend.root / f"clip-{left}.take").is_dir()


def test_a_client_that_never_reads_still_hears_how_it_ended(backend, connect):
    slow, other = connect(backend), connect(backend)
    job = slow.submit(frames=1500, padding=250_000)
    after = other.submit()
    assert other.until(JobDone)[0].job == after, "nobody waits for the slow one"
    done, before = slow.until(JobDone)
    got = sum(isinstance(one, FrameResult) for one in before)
    assert done.job == job and (got < 1500, got + done.frames_dropped) == (True, 1500)


def test_the_same_job_twice_and_a_job_without_a_name(client):
    job = client.submit(frames=30, delay=0.02)
    client.submit(job)
    error, _ = client.until(Error)
    assert (error.job, error.error["kind"]) == (job, "job.exists")
    client.until(JobDone)


# What is not let in


def test_a_wrong_token(backend, client):
    client.token = "guessed"
    for message in (Hello("x"), Submit("j", "animate", str(backend.clip)), Cancel("j"), Ping()):
        client.send(message)
        answer = client.receive()
        assert isinstance(answer, Error) and answer.error["kind"] == "protocol.token"
    client.token = "ключ"
    client.send(Ping())
    assert client.until(Error)[0].error["kind"] == "protocol.token"


def test_another_version_is_a_sentence_with_a_fix(client):
    header = {"type": "greetings", "version": [PROTOCOL_VERSION[0] + 1, 0], "whatever": "came later"}
    client.socket.send(json.dumps(header).encode())
    error, _ = client.until(Error)
    assert error.error["kind"] == "protocol.version"
    assert f"2.0 meets {spoken(PROTOCOL_VERSION)}" in error.error["message"]
    assert "same HMDiff release" in error.error["fix"]


def test_garbage_leaves_the_backend_as_it_was(backend, client):
    header = {"type": "ping", "version": list(PROTOCOL_VERSION), "job": "", "token": client.token, "fields": {}}
    ten_gb = [{"name": "frame", "dtype": "|u1", "shape": [10_000_000_000 // 5, 5]}]
    rubbish = [
        [b""],
        [b"\x00" * 1000],
        [b"{}"],
        [os.urandom(200)] * 3,
        [b""] * 5000,
        [b"x" * 200_000],
        [json.dumps({**header, "arrays": ten_gb}).encode(), b"1234"],
        [json.dumps({**header, "arrays": []}).encode(), b"one part too many"],
        [json.dumps({**header, "arrays": [], "type": "submit"}).encode()],
        [
            json.dumps(
                {**header, "arrays": [], "type": "welcome", "fields": {"server": "", "capabilities": {}}}
            ).encode()
        ],
    ]
    for parts in rubbish:
        client.socket.send_multipart(parts)
        error = client.receive()
        assert isinstance(error, Error) and error.error["kind"].startswith("protocol."), parts[0][:80]
    client.send(Ping(1))
    assert isinstance(client.receive(), Pong)


def test_a_part_larger_than_any_message_ends_the_connection_only(backend, client, connect):
    client.socket.send(b"x" * 3_000_000)
    other = connect(backend)
    other.send(Ping(9))
    assert isinstance(other.receive(), Pong)


def outside(tmp_path: Path) -> Path:
    path = tmp_path / "secret.mp4"
    path.write_bytes(b"not below the root")
    return path


def test_paths_outside_the_roots(backend, client, tmp_path):
    secret = outside(tmp_path)
    link = backend.root / "link.mp4"
    link.symlink_to(secret)
    (backend.root / "door").symlink_to(tmp_path)
    clip = str(backend.clip)
    for case, kind in (
        (Submit("a", "animate", str(secret)), "outside_roots"),
        (Submit("b", "animate", str(tmp_path / "not there")), "outside_roots"),
        (Submit("c", "animate", f"{backend.root}/../{tmp_path.name}/secret.mp4"), "outside_roots"),
        (Submit("d", "animate", str(link)), "outside_roots"),
        (Submit("e", "animate", f"{backend.root}/door/secret.mp4"), "outside_roots"),
        (Submit("f", "animate", f"{backend.root}-beside/secret.mp4"), "outside_roots"),
        (Submit("g", "animate", "clip.mp4"), "relative"),
        (Submit("h", "animate", clip + "\0"), "relative"),
        (Submit("i", "animate", "/" + "😀" * 5000), "relative"),
        (Submit("j", "animate", "/" + "x" * 4000), "outside_roots"),
        (Submit("k", "animate", clip, {}, str(tmp_path / "take")), "outside_roots"),
        (Submit("l", "animate", clip, {"body": str(secret)}), "outside_roots"),
        (Submit("m", "animate", clip, {"keypoints": ["/etc/passwd"]}), "relative"),
        (Submit("n", "animate", clip, {}, "", (str(tmp_path / "out.npz"),)), "outside_roots"),
    ):
        client.send(case)
        error = client.receive()
        assert isinstance(error, Error), case
        assert (error.job, error.error["kind"]) == (case.job, f"input.{kind}")
        assert error.error["fix"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret.mp4"], "nothing was written there"


# How it ends


def test_sigterm_closes_the_take_tells_the_clients_and_ends_the_worker(start, connect):
    backend = start()
    client = connect(backend)
    running, waiting = client.submit(frames=10_000, delay=0.02), client.submit()
    client.until(FrameResult)
    backend.process.send_signal(signal.SIGTERM)
    failed, _ = client.until(JobFailed)
    assert (failed.job, failed.error["kind"]) == (waiting, "server.stopping")
    assert client.until(Cancelled)[0].job == running
    _, log = backend.process.communicate(timeout=60)
    assert backend.process.returncode == 0 and log == ""


def test_the_worker_ends_with_a_killed_server(start, connect, wait_until):
    backend = start()
    client = connect(backend)
    client.submit()
    done, _ = client.until(JobDone)
    worker = int(done.notes[0].split()[1])
    os.kill(worker, 0)
    backend.process.kill()
    backend.process.wait()
    wait_until(lambda: not alive(worker))


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return not Path("/proc/self").exists()


def test_it_ends_with_the_program_that_started_it(start):
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as blender:
        backend = start("--parent-pid", str(blender.pid))
        time.sleep(0.5)
        assert backend.process.poll() is None
        blender.kill()
    assert backend.process.wait(60) == 0


@pytest.mark.skipif(sys.platform == "win32", reason="niceness is of other systems")
@pytest.mark.parametrize("belongs", [True, False])
def test_what_computes_for_a_program_with_a_window_steps_back(start, connect, belongs):
    backend = start(*(("--parent-pid", str(os.getpid())) if belongs else ()))
    client = connect(backend)
    client.submit()
    done, _ = client.until(JobDone)
    worker = int(done.notes[0].split()[1])
    lower = os.getpriority(os.PRIO_PROCESS, worker) - os.getpriority(os.PRIO_PROCESS, backend.process.pid)
    assert lower == (NICENESS if belongs else 0)


def test_a_worker_that_cannot_start_says_why_to_each_job(start, connect):
    client = connect(start(jobs="no_such_module:work"))
    for _ in range(2):
        job = client.submit()
        failed, _ = client.until(JobFailed)
        assert failed.job == job and failed.error["kind"] == "install.incomplete"
        assert "no_such_module" in failed.error["message"] and "hmdiff doctor" in failed.error["fix"]


def test_wrong_use_of_the_command(backend, capsys, tmp_path):
    from hmdiff import cli

    for words, said in (
        ([], "--root"),
        (["--root", str(tmp_path / "gone")], "not a folder"),
        (["--root", str(tmp_path), "--port", str(backend.ready["port"])], "cannot be used"),
        (["--root", str(tmp_path), "--port", "99999"], "65535"),
    ):
        assert cli.main(["serve", *words]) == 2
        out, err = capsys.readouterr()
        assert out == "" and said in err and err.count("\n") == 1
