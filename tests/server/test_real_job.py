"""The real jobs, through the real server and without it: detector, model, fit and take, streamed to a client."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hmdiff.server import jobs
from hmdiff.server.contract import JobHooks, JobOutcome, JobRequest, PushedFrame
from hmdiff.video import warm
from hmdiff.video.source import open_source
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.messages import Cancel, Cancelled, FrameResult, JobDone, JobFailed, Submit
from hmdiff_wire.take import read_take


def test_a_photo_becomes_a_take_and_the_same_rows_reach_the_client(start, connect, shared_dir: Path):
    backend = start("--device", "cpu", jobs="hmdiff.server.jobs:run_job")
    client = connect(backend)
    photo = Path(shutil.copy(shared_dir / "samples" / "images" / "couple_walking.jpg", backend.root))
    out = backend.root / "couple.npz"
    client.send(Submit("couple", "pose", str(photo), {"preset": "preview"}, "", (str(out),)))
    done, before = client.until(JobDone)
    (frame,) = (one for one in before if isinstance(one, FrameResult))
    take = read_take(Path(done.take), raw=True)
    assert done.people == tuple(take.track_ids) == tuple(frame.arrays["track_id"]) and len(done.people) == 2
    assert (frame.index, frame.time, done.frames) == (0, float(take.times[0]), 1)
    for name in ("pose", "transl", "joints", "joints_2d", "hypotheses_pose", "vertex_std"):
        np.testing.assert_array_equal(frame.arrays[name], np.asarray(getattr(take, name))[:, 0], err_msg=name)
    with np.load(out, allow_pickle=False) as exported:
        assert exported["joints"].shape == (2, 1, 24, 3)

    for wrong, kind in (
        (Submit("film", "animate", str(photo)), "input.is_picture"),
        (Submit("glb", "pose", str(photo), {}, "", (str(backend.root / "x.mp4"),)), "output.unknown_kind"),
        (Submit("again", "pose", str(photo), {"preset": "preview"}, done.take), "take.exists"),
        (Submit("gone", "animate", str(backend.root / "gone.mp4")), "input.not_found"),
    ):
        client.send(wrong)
        failed, _ = client.until(JobFailed)
        assert (failed.job, failed.error["kind"]) == (wrong.job, kind)


def test_a_clip_cancelled_and_resumed_through_the_server(start, connect, clip: Path):
    backend = start("--device", "cpu", jobs="hmdiff.server.jobs:run_job")
    client = connect(backend)
    film = Path(shutil.copy(clip, backend.root))
    client.send(Submit("first", "animate", str(film), {**QUICK, "frame_range": [20, 70]}))
    sent, _ = client.until(FrameResult)
    client.send(Cancel("first"))
    ended, before = client.until(Cancelled)
    shown = [sent.index, *(one.index for one in before if isinstance(one, FrameResult))]
    assert shown == list(range(20, 20 + len(shown))) and len(shown) < 50
    client.send(Submit("second", "animate", str(film), {}, ended.take, resume=True))
    done, before = client.until(JobDone)
    shown += [one.index for one in before if isinstance(one, FrameResult)]
    assert shown == list(range(20, 70)), "every frame once"
    assert (done.take, done.frames, done.people) == (ended.take, 50, (0,))
    assert read_take(Path(done.take)).smoothed.all()


class Heard:
    """The hooks of a job, and what came through them. stop: the stage in which it is cancelled."""

    def __init__(self, stop: str = "") -> None:
        self.frames: list[tuple[int, float, Mapping[str, Any]]] = []
        self.stages: list[tuple[str, int, int]] = []
        self.stop = stop

    def hooks(self) -> JobHooks:
        return JobHooks(
            lambda *report: self.stages.append(report), lambda *frame: self.frames.append(frame),
            lambda: bool(self.stages) and self.stages[-1][0] == self.stop,
        )  # fmt: skip


@pytest.fixture
def clip(repo: Path) -> Path:
    return repo / "assets" / "demo" / "demo.mp4"


QUICK = {"hypotheses": 1, "steps": 1}


def job(kind: str, source: Path, take: Path, heard: Heard, **more: Any) -> JobOutcome:
    options = {**({} if kind == "people" or more.get("resume") else QUICK), **more.pop("options", {})}
    outputs = tuple(more.pop("outputs", ()))
    return jobs.run_job(JobRequest("j", kind, source, take, options, outputs, "cpu", **more), heard.hooks())


def test_who_is_in_a_frame_largest_first_and_fit_to_be_run_with(tmp_path: Path, clip: Path):
    heard = Heard()
    outcome = job("people", clip, tmp_path / "no", heard, options={"frame": 40})
    ((index, seconds, arrays),) = heard.frames
    assert (outcome.frames, outcome.people) == (1, (0,)) and index == 40 and seconds == pytest.approx(40 / 30, abs=0.1)
    assert arrays["box"].shape == (1, 4) and arrays["box"].dtype == np.float32 and 0.5 < arrays["score"][0] <= 1
    assert arrays["thumbnail"].shape == (1, 96, 96, 3) and arrays["thumbnail"].dtype == np.uint8
    picture = next(iter(open_source(clip, (40, 41)))).image_rgb
    x0, y0, x1, y1 = arrays["box"][0].astype(int)
    inside = cv2.resize(picture[y0:y1, x0:x1], (8, 8), interpolation=cv2.INTER_AREA).mean((0, 1))
    middle = arrays["thumbnail"][0][:, 36:60].mean((0, 1))
    assert np.abs(inside - middle).max() < 40, "the thumbnail shows what is in the box"
    assert not (tmp_path / "no").exists()
    boxes = [[float(value) for value in box] for box in arrays["box"]]
    run = job("animate", clip, tmp_path / "take", Heard(), options={"boxes": boxes, "frame_range": [40, 42]})
    assert run.people == (0,)


def test_several_people_and_nobody(tmp_path: Path, shared_dir: Path):
    heard = Heard()
    photo = shared_dir / "samples" / "images" / "couple_walking.jpg"
    assert job("people", photo, tmp_path / "no", heard).people == (0, 1)
    boxes = heard.frames[0][2]["box"]
    heights = boxes[:, 3] - boxes[:, 1]
    assert heights[0] >= heights[1] > 100
    outcome = job("pose", photo, tmp_path / "take", Heard(), options={"person": "largest"})
    take = read_take(tmp_path / "take")
    assert len(outcome.people) == 1 and take.n_people == 1
    np.testing.assert_allclose(take.boxes[0, 0], boxes[0], atol=1)


def kind_of(call: Any) -> str:
    with pytest.raises(HmdiffError) as caught:
        call()
    return caught.value.kind


def test_mistakes_about_people_are_told(tmp_path: Path, clip: Path):
    cv2.imwrite(str(tmp_path / "wall.png"), np.full((120, 160, 3), 128, np.uint8))
    take = tmp_path / "no"
    assert kind_of(lambda: job("people", tmp_path / "wall.png", take, Heard())) == "nothing.nobody"
    assert kind_of(lambda: job("people", clip, take, Heard(), options={"frame": 10**6})) == "input.range"
    assert kind_of(lambda: job("people", clip, take, Heard(), options={"frame": -1})) == "options.bad"
    assert kind_of(lambda: job("people", clip, take, Heard(), options={"colour": 1})) == "options.unknown"
    assert kind_of(lambda: job("people", tmp_path / "gone.mp4", take, Heard())) == "input.not_found"


def test_a_cancelled_job_is_resumed_and_only_new_frames_are_sent(tmp_path: Path, clip: Path):
    first, second = Heard(stop="motion"), Heard()
    span = {"options": {"frame_range": [30, 36]}}
    assert job("animate", clip, tmp_path / "take", first, **span).cancelled
    outcome = job("animate", clip, tmp_path / "take", second, resume=True)
    assert (outcome.frames, outcome.people, outcome.cancelled) == (6, (0,), False)
    assert len(first.frames) == 6 and not second.frames and second.stages[-1] == ("motion", 6, 6)
    assert read_take(tmp_path / "take").run_status == "complete"
    again = job("animate", clip, tmp_path / "take", Heard(), resume=True)
    assert again.frames == 6 and "nothing left" in again.notes[0]


def frames_of(clip: Path, count: int) -> Iterator[PushedFrame]:
    for frame in open_source(clip, (30, 30 + count)):
        yield PushedFrame(frame.index, frame.time, frame.image_rgb)


def test_pushed_frames(tmp_path: Path, clip: Path):
    info = open_source(clip).info
    stream = {"width": info.width, "height": info.height, "fps": info.fps}
    name, heard = Path("Scene"), Heard()
    given = {"stream": stream, "options": QUICK}
    outcome = job("animate", name, tmp_path / "a", heard, frames=frames_of(clip, 3), **given)
    assert outcome.people == (0,) and [index for index, _, _ in heard.frames] == [30, 31, 32]
    assert job("pose", name, tmp_path / "b", Heard(), frames=frames_of(clip, 1), **given).frames == 1
    people = Heard()
    job("people", name, tmp_path / "c", people, frames=frames_of(clip, 1), stream=stream)
    assert people.frames[0][0] == 30 and people.frames[0][2]["box"].shape == (1, 4)
    none: Iterator[PushedFrame] = iter(())
    assert kind_of(lambda: job("animate", name, tmp_path / "d", Heard(), frames=none, **given)) == "input.empty"
    film = {**given, "outputs": [tmp_path / "x.mp4"]}
    assert (
        kind_of(lambda: job("animate", name, tmp_path / "e", Heard(), frames=frames_of(clip, 1), **film))
        == "output.unknown_kind"
    )


def test_the_command_lines_files_come_from_jobs_too(tmp_path: Path, clip: Path):
    heard, span = Heard(), {"options": {"frame_range": [30, 34]}}
    outputs = [tmp_path / "out.npz", tmp_path / "out.mp4"]
    outcome = job("animate", clip, tmp_path / "take", heard, outputs=outputs, **span)
    assert outcome.outputs == tuple(outputs) and outputs[1].stat().st_size > 3000
    assert ("writing", 4, 4) in heard.stages
    with np.load(outputs[0], allow_pickle=False) as exported:
        assert exported["joints"].shape == (1, 4, 24, 3)
    stopped = job("animate", clip, tmp_path / "b", Heard(stop="writing"), outputs=[tmp_path / "b.mp4"], **span)
    assert stopped.cancelled and not (tmp_path / "b.mp4").exists()
    assert read_take(tmp_path / "b").run_status == "complete"


def test_the_second_job_loads_nothing(tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch):
    jobs.warm_up("cpu")

    def must_not(*_: Any) -> Any:
        raise AssertionError("loaded again")

    monkeypatch.setattr(warm, "load_model", must_not)
    monkeypatch.setattr(warm, "Detector", must_not)
    for take in ("a", "b"):
        job("animate", clip, tmp_path / take, Heard(), options={"frame_range": [30, 31], "preset": "preview"})
    np.testing.assert_array_equal(read_take(tmp_path / "a").pose, read_take(tmp_path / "b").pose)


def test_a_shelf_keeps_the_last_few():
    shelf, made = warm.Shelf(2), []

    def make(name: str) -> str:
        return shelf.get(name, lambda: made.append(name) or name)

    assert [make(name) for name in "abacab"] == list("abacab")
    assert made == list("abcb") and len(shelf) == 2
