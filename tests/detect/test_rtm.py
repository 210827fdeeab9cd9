"""The detector rtmlib where neither the package nor a network is at hand: layouts, consent, following, options."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hmdiff.cli import main
from hmdiff.detect import BLAZEPOSE_NAMES, RTM_NAMES, Observation, RtmDetector, rtm_files
from hmdiff.detect.rtm_layouts import KEYPOINT_NAMES, confidence_of, person_observation
from hmdiff.video.options import DETECTORS, RunOptions
from hmdiff_wire.errors import HmdiffError

WIDTH, HEIGHT = 640, 480
HOST = "models.example"


# ---- layouts and confidence


def test_scores_become_confidences():
    assert confidence_of(np.array([-1.0, 0.0, 0.2, 0.5, 0.8, 1.1, np.nan], np.float32)) == pytest.approx(
        [0, 0, 0, 0.5, 1, 1, 0]
    )


@pytest.mark.parametrize("count", [17, 25, 26, 133])
def test_each_keypoint_goes_where_its_name_says(count: int):
    names = KEYPOINT_NAMES[count]
    rng = np.random.default_rng(count)
    points = rng.uniform(100, 300, (count, 2)).astype(np.float32)
    one = person_observation(points, np.ones(count, np.float32), WIDTH, HEIGHT)
    assert one is not None and one.source == ("coco17" if count == 17 else "body25")
    ours = {"left_foot_index": "left_big_toe", "right_foot_index": "right_big_toe"}
    for slot, name in enumerate(BLAZEPOSE_NAMES):
        name = ours.get(name, name)
        if name in names:
            assert one.confidence[slot] == 1 and np.array_equal(one.landmarks_2d[slot], points[names.index(name)])
        else:
            assert one.confidence[slot] == 0, name
    assert (one.confidence[29:] == (0 if count == 17 else 1)).all(), "feet where the model has them"


def test_weak_keypoints_are_kept_but_do_not_shape_the_box():
    points, score = np.full((17, 2), 200, np.float32), np.full(17, 0.9, np.float32)
    points[:, 1] = np.linspace(100, 300, 17)
    points[16], score[16] = (600, 300), 0.3
    points[15], score[15] = (-40, 300), 0.9
    one = person_observation(points, score, WIDTH, HEIGHT)
    assert one is not None and one.box[2] < 260
    assert 0 < one.confidence[28] < 0.3 and one.landmarks_2d[28].tolist() == [600, 300]
    assert one.confidence[27] == 0, "outside the image"
    assert one.quality == pytest.approx(1.0), "the best eight"


def test_who_is_hardly_seen_is_nobody():
    points = np.full((17, 2), 200, np.float32)
    points[0] = np.nan
    score = np.array([0.9] * 3 + [0.3] * 14, np.float32)
    assert person_observation(points, score, WIDTH, HEIGHT) is None, "two sure ones are left"


# ---- packages, consent, files


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SimpleNamespace:
    """Stands in for rtmlib: where its models are said to be, and what fetching one does."""
    table = {
        mode: {"det": f"https://{HOST}/{mode}/yolox.zip", "pose": f"https://{HOST}/{mode}/rtmpose.v1.zip"}
        for mode in ("balanced", "lightweight", "performance")
    }
    fake = SimpleNamespace(fetched=[], fails=None)

    def download_checkpoint(url: str, dst_dir: str) -> str:
        fake.fetched.append(url)
        (Path(dst_dir) / "half.part").write_bytes(b"half")
        if fake.fails is not None:
            raise fake.fails
        path = Path(dst_dir) / "end.onnx"
        path.write_bytes(url.encode())
        return str(path)

    modules: dict[str, dict[str, Any]] = {
        "rtmlib": {"BodyWithFeet": SimpleNamespace(MODE=table)}, "rtmlib.tools": {},
        "rtmlib.tools.file": {"download_checkpoint": download_checkpoint}, "onnxruntime": {}, "tqdm": {},
    }  # fmt: skip
    for name, values in modules.items():
        module = ModuleType(name)
        module.__spec__ = ModuleSpec(name, None)
        module.__dict__.update(values)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setenv("HMDIFF_CACHE", str(tmp_path / "cache"))
    for variable in ("HMDIFF_ALLOW_DOWNLOAD", "HMDIFF_DETECTOR_MODELS", "HMDIFF_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    fake.cache = tmp_path / "cache" / "rtmlib"
    return fake


def test_without_the_package_the_sentence_names_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("hmdiff.detect.rtm_models.importlib.util.find_spec", lambda name: None)
    with pytest.raises(HmdiffError, match="rtmlib, onnxruntime") as caught:
        rtm_files("rtmlib")
    assert caught.value.kind == "detector.no_package" and "pip install --no-deps rtmlib" in caught.value.fix


@pytest.mark.parametrize(
    ("name", "mode", "size"),
    [("rtmlib", "balanced", 150), ("rtmlib-light", "lightweight", 45), ("rtmlib-large", "performance", 600)],
)
def test_nothing_is_fetched_without_consent(package: SimpleNamespace, name: str, mode: str, size: int):
    with pytest.raises(HmdiffError) as caught:
        rtm_files(name)
    error = caught.value
    assert error.kind == "detector.consent" and not package.fetched
    for word in (HOST, f"{size} MB", "Apache-2.0"):
        assert word in error.message
    assert "--allow-download" in error.fix and "HMDIFF_ALLOW_DOWNLOAD=1" in error.fix
    assert f"{mode}/yolox.zip" in error.detail and f"{mode}/rtmpose.v1.zip" in error.detail


def test_consent_of_the_environment_fetches_each_once(package: SimpleNamespace, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HMDIFF_ALLOW_DOWNLOAD", "1")
    monkeypatch.setenv("HMDIFF_OFFLINE", "1")
    with pytest.raises(HmdiffError, match="needs two networks"):
        rtm_files("rtmlib")
    monkeypatch.delenv("HMDIFF_OFFLINE")
    files = rtm_files("rtmlib")
    assert (files.detector.read_text(), files.pose.read_text()) == tuple(package.fetched)
    assert sorted(package.cache.iterdir()) == sorted((files.detector, files.pose)), "no rest is left"
    monkeypatch.delenv("HMDIFF_ALLOW_DOWNLOAD")
    assert rtm_files("rtmlib") == files and len(package.fetched) == 2
    files.pose.unlink()
    with pytest.raises(HmdiffError):
        rtm_files("rtmlib")
    assert rtm_files("rtmlib", allow=True) == files and len(package.fetched) == 3, "only what is missing"


@pytest.mark.parametrize("fails", [OSError("no route"), RuntimeError("bad hash"), UnboundLocalError("cached_onnx")])
def test_a_download_that_fails_leaves_nothing(package: SimpleNamespace, fails: Exception):
    package.fails = fails
    with pytest.raises(HmdiffError) as caught:
        rtm_files("rtmlib", allow=True)
    assert caught.value.kind == "detector.download_failed" and HOST in caught.value.detail
    assert list(package.cache.iterdir()) == []


def test_a_cache_that_cannot_be_written(package: SimpleNamespace):
    package.cache.parent.write_text("a file")
    with pytest.raises(HmdiffError) as caught:
        rtm_files("rtmlib", allow=True)
    assert caught.value.kind == "detector.cache_not_writable" and "HMDIFF_CACHE" in caught.value.fix


def test_another_rtmlib_is_a_sentence(package: SimpleNamespace, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(sys.modules["rtmlib"], "BodyWithFeet")
    with pytest.raises(HmdiffError) as caught:
        rtm_files("rtmlib", allow=True)
    assert caught.value.kind == "detector.no_package" and caught.value.detail


def test_a_folder_given_by_hand(package: SimpleNamespace, tmp_path: Path):
    for names, good in (
        ((), False), (("pose.onnx",), False), (("a.onnx", "b.onnx"), False), (("pose1.onnx", "pose2.onnx"), False),
        (("ViTPose-b.onnx", "yolox_m.onnx"), True), (("pose.onnx", "x.onnx", "y.onnx"), False),
    ):  # fmt: skip
        folder = tmp_path / "models"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name in names:
            (folder / name).touch()
        if good:
            files = rtm_files("rtmlib", folder)
            assert (files.detector.name, files.pose.name) == ("yolox_m.onnx", "ViTPose-b.onnx")
        else:
            with pytest.raises(HmdiffError) as caught:
                rtm_files("rtmlib", folder)
            assert caught.value.kind == "detector.bad_folder"
    with pytest.raises(HmdiffError):
        rtm_files("rtmlib", tmp_path / "nowhere")
    assert not package.fetched


# ---- following


class Actors:
    """Reads people at known places: which of them are there is set frame by frame."""

    def __init__(self) -> None:
        self.at: dict[str, tuple[float, float, float]] = {}
        self.score: dict[str, float] = {}
        self.drift: float | None = None
        """Score of somebody read in a box that is not quite theirs."""
        self.searches = 0

    def _person(self, name: str, score: float | None = None) -> Observation:
        x, y, height = self.at[name]
        places = np.stack([(np.arange(17) % 3) / 2 * height / 3, np.arange(17) / 16 * height], -1) + [x, y]
        scores = np.full(17, self.score.get(name, 0.9) if score is None else score, np.float32)
        one = person_observation(places.astype(np.float32), scores, WIDTH, HEIGHT)
        assert one is not None
        return one

    def people(self, image: np.ndarray) -> np.ndarray:
        self.searches += 1
        return np.array([self._person(name).box for name in self.at], np.float32).reshape(-1, 4)

    def read(self, image: np.ndarray, boxes: Sequence[np.ndarray]) -> list[Observation | None]:
        found: list[Observation | None] = []
        for box in boxes:
            off = {name: float(np.abs(_middle(self._person(name).box) - _middle(box)).max()) for name in self.at}
            near = [name for name, by in off.items() if by < 60]
            drifted = self.drift if near and off[near[0]] > 1 else None
            found.append(self._person(near[0], drifted) if near else None)
        return found


def _middle(box: np.ndarray) -> np.ndarray:
    return (box[:2] + box[2:]) / 2


IMAGE = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
DARK = np.zeros((HEIGHT, WIDTH, 3), np.uint8)


@pytest.mark.parametrize("in_front", ["a", "b"])
def test_one_walks_past_another_and_both_keep_their_ids(in_front: str):
    actors = Actors()
    detector = RtmDetector(actors)
    for frame in range(40):
        places = {"a": (40.0 + 12 * frame, 60.0, 300.0), "b": (500.0 - 12 * frame, 85.0, 310.0)}
        actors.at = dict(sorted(places.items(), reverse=in_front == "b"))
        people = detector.video_step(IMAGE, frame / 25)
        assert [one.track_id for one in people] == [0, 1]
        where = {one.track_id: float(one.landmarks_2d[0, 1]) for one in people if one.seen}
        if frame == 0:
            first = where
        for track, y in where.items():
            assert y == first[track], f"frame {frame}"
        assert len(where) == 2 or 15 < frame < 25, "one may hide the other for a moment"
    assert actors.searches < 20


def test_a_runner_is_read_where_the_last_frames_point_to():
    actors = Actors()
    detector = RtmDetector(actors)
    x = 20.0
    for frame, step in enumerate((0, 30, 50, 65, 75, 80, 80, 80)):
        x += step
        actors.at = {"a": (x, 60, 300)}
        (one,) = detector.video_step(IMAGE, frame / 25)
        assert one.status == "ok", f"frame {frame}"
    assert actors.searches == 1


def test_a_search_mends_a_bad_reading():
    actors = Actors()
    actors.drift = 0.6
    detector = RtmDetector(actors)
    quality = []
    for frame in range(12):
        actors.at = {"a": (40 + 9 * frame + 8 * (frame % 2), 60, 300)}
        quality.append(detector.video_step(IMAGE, frame / 10)[0].quality)
    assert quality[0] == quality[5] == quality[10] == pytest.approx(1.0), "looked for twice a second"
    assert quality[4] == quality[6] == pytest.approx((0.6 - 0.2) / 0.6, abs=1e-3)


def test_somebody_new_is_found_at_the_next_search_and_a_doubtful_one_only_after_some_frames():
    actors = Actors()
    detector = RtmDetector(actors)
    actors.at = {"a": (100, 100, 300)}
    seen: list[list[int]] = []
    for frame in range(44):
        if frame == 5:
            actors.at["b"], actors.score["b"] = (400, 100, 250), 0.58
        if frame == 30:
            del actors.at["b"]
        seen.append([one.track_id for one in detector.video_step(IMAGE, frame / 10)])
    assert seen[4] == [0] and [0, 1] in seen[5:14]
    begun = seen.index([0, 1])
    assert begun >= 7, "three frames before it is believed"
    assert seen[-1] == [0], "gone for more than a second"


def test_a_black_frame_and_the_same_people_after_it():
    actors = Actors()
    actors.at = {"a": (100, 100, 300)}
    detector = RtmDetector(actors)
    statuses = [detector.video_step(DARK if 3 <= f < 6 else IMAGE, f / 10)[0] for f in range(9)]
    assert [one.status for one in statuses] == ["ok"] * 3 + ["dark"] * 3 + ["ok"] * 3
    assert {one.track_id for one in statuses} == {0}


def test_with_boxes_only_these_people_are_followed():
    actors = Actors()
    actors.at = {"a": (100, 100, 300), "b": (400, 100, 250)}
    detector = RtmDetector(actors)
    for frame in range(12):
        boxes = [[390, 90, 500, 360], [2, 2, 40, 40]] if frame == 0 else None
        people = detector.video_step(IMAGE, frame / 5, boxes)
        assert people[0].track_id == 0 and people[0].seen and people[0].landmarks_2d[0, 0] > 390
        if frame == 0:
            assert [one.status for one in people] == ["ok", "missed"]
    assert len(people) == 1, "the empty box was given up"


def test_a_run_that_was_ended_goes_on_as_if_it_had_not():
    def frames(detector: RtmDetector, actors: Actors, which: range) -> list[list[tuple]]:
        out = []
        for frame in which:
            actors.at = {"a": (40 + 9 * frame, 60, 300), "b": (420 - 6 * frame, 150, 200)}
            if frame % 7 == 3:
                del actors.at["b"]
            people = detector.video_step(IMAGE, frame / 10)
            out.append([(one.track_id, one.status, one.box.tolist()) for one in people])
        return out

    whole, actors = RtmDetector(Actors()), Actors()
    whole.networks = actors
    whole.reset()
    expected = frames(whole, actors, range(30))
    first_actors, second_actors = Actors(), Actors()
    first, second = RtmDetector(first_actors), RtmDetector(second_actors)
    got = frames(first, first_actors, range(17))
    second.restore(json.loads(json.dumps(first.state())))
    assert got + frames(second, second_actors, range(17, 30)) == expected
    with pytest.raises((KeyError, TypeError, ValueError)):
        second.restore({"tracks": [{"last": {}}]})


# ---- options


def test_the_names_are_the_same_everywhere():
    assert DETECTORS == ("blazepose", *RTM_NAMES)
    options = RunOptions(detector="rtmlib-light", detector_models=Path("/models"))
    assert RunOptions.from_settings(json.loads(json.dumps(options.to_settings()))) == options
    assert RunOptions.from_settings({"preset": "default"}).detector == "blazepose", "takes of earlier releases"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--detector", "openpose"], "openpose"),
        (["--detector-models", "."], "Add --detector rtmlib"),
        (["--allow-download"], "Add --detector rtmlib"),
        (["--detector", "rtmlib", "--keypoints", "{clip}"], "Leave one of them away"),
        (["--detector", "rtmlib", "--detector-models", "nowhere-at-all"], "--detector-models"),
        (["--detector", "rtmlib"], "--allow-download"),
    ],
)
def test_the_command_line_says_what_is_wrong_before_it_begins(
    package: SimpleNamespace, tmp_path: Path, words: list[str], said: str, capsys: pytest.CaptureFixture
):
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"not looked at yet")
    out = str(tmp_path / "take")
    code = main(["animate", str(clip), "--take", out, *(word.format(clip=clip) for word in words)])
    assert code in (1, 2) and said in capsys.readouterr().err
    assert not package.fetched and not Path(out).exists()


def test_allow_download_fetches_before_the_run(package: SimpleNamespace, tmp_path: Path, capsys: pytest.CaptureFixture):
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"no clip at all")
    words = ["animate", str(clip), "--take", str(tmp_path / "take"), "--detector", "rtmlib-light", "--allow-download"]
    assert main(words) == 2, "the clip is none"
    assert [url.split("/")[3] for url in package.fetched] == ["lightweight"] * 2
