"""The detector rtmlib end to end through rtmlib and onnxruntime, with networks and pictures made here."""

from __future__ import annotations

import importlib.util
import json
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest
from hmdiff.detect import BLAZEPOSE_NAMES, RtmDetector, load_rtm, rtm_files
from hmdiff_wire.errors import HmdiffError

for _package in ("rtmlib", "onnxruntime", "onnx"):
    pytest.importorskip(_package, reason=f"{_package} is not installed (docs/detectors.md says how)")

_SLOT = {name: slot for slot, name in enumerate(BLAZEPOSE_NAMES)}
JOINTS = {
    "nose": 0, "left_eye": 1, "right_ear": 4, "left_shoulder": 5, "right_shoulder": 6, "left_elbow": 7,
    "right_elbow": 8, "left_wrist": 9, "right_wrist": 10, "left_hip": 11, "right_hip": 12, "left_knee": 13,
    "right_knee": 14, "left_ankle": 15, "right_ankle": 16, "left_foot_index": 20, "right_foot_index": 21,
    "left_heel": 24, "right_heel": 25,
}  # fmt: skip
"""Where Halpe's 26 keypoints have what BlazePose calls so."""
SLOTS = np.array([_SLOT[name] for name in JOINTS])
ROWS = np.array(list(JOINTS.values()))
PURE = (8, 24)
"""Joints whose colour no mixture of others gives."""


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("rtm_maker", Path(__file__).with_name("rtm_maker.py"))
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def folder(maker: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("rtm")
    maker.detector(place / "tiny_yolox.onnx")
    maker.pose(place / "tiny_pose.onnx", declared=False)
    return place


@pytest.fixture(scope="module")
def loaded(folder: Path) -> RtmDetector:
    return load_rtm("rtmlib", folder, "cpu")


@pytest.fixture
def rtm(loaded: RtmDetector) -> RtmDetector:
    loaded.reset()
    return loaded


def empty(width: int = 700, height: int = 500) -> np.ndarray:
    return np.full((height, width, 3), 20, np.uint8)


def test_people_of_a_photo(rtm: RtmDetector, maker: ModuleType):
    image = empty()
    small = maker.draw(image, 30, 60, 280)
    large = maker.draw(image, 330, 100, 360, shirt=1, hidden=PURE)
    maker.draw(image, 630, 10, 120, shirt=2)
    found = rtm.photo(image)
    assert [one.track_id for one in found] == [0, 1], "largest first; nobody the detector is not sure of"
    assert found[0].box[0] > 300 > found[1].box[2]
    errors = []
    for one, true in zip(found, (large, small), strict=True):
        known = one.confidence[SLOTS] > 0.9
        assert known.sum() == (len(ROWS) - len(PURE) if true is large else len(ROWS))
        errors.append((one.landmarks_2d[SLOTS] - true[ROWS])[known])
        assert one.status == "ok" and one.source == "body25" and one.quality > 0.9
        assert one.heatmaps is None and one.mask is None
        assert np.isnan(one.landmarks_z).all() and np.isnan(one.landmarks_world).all()
        assert not one.confidence[[17, 18, 19, 20, 21, 22]].any(), "neither Halpe nor we know fingers here"
    error = np.concatenate(errors)
    assert np.abs(error).max() < 2.0, "a pixel of the crop is 1.4 or 1.8 here"
    assert np.abs(error.mean(0)).max() < 0.25, "half a pixel off: corners and centres mixed up"
    assert (found[0].confidence[[_SLOT["right_elbow"], _SLOT["left_heel"]]] < 0.3).all(), "these are not there"


def test_half_a_body_is_truncated_and_joints_outside_are_not_known(rtm: RtmDetector, maker: ModuleType):
    image = empty()
    true = maker.draw(image, 100, 290, 480)
    (one,) = rtm.photo(image)
    outside = true[ROWS, 1] > 500
    assert outside.sum() > 8
    assert not one.confidence[SLOTS][outside].any() and (one.confidence[SLOTS][~outside] > 0.5).all()
    assert one.status == "truncated" and one.box[3] <= 500


def test_empty_and_dark_pictures(rtm: RtmDetector):
    assert rtm.photo(empty()) == []
    assert rtm.photo(np.zeros((90, 160, 3), np.uint8)) == []
    assert [one.status for one in rtm.photo(np.zeros((90, 160, 3), np.uint8), [[5, 5, 40, 80]])] == ["dark"]
    assert rtm.video_step(empty(), 0.0) == []


def test_boxes_by_hand_keep_their_order(rtm: RtmDetector, maker: ModuleType):
    image = empty()
    left, right = maker.draw(image, 30, 60, 280), maker.draw(image, 330, 100, 360, shirt=2)
    boxes = [[320, 90, 520, 470], [560, 300, 690, 490], [20, 40, 190, 360]]
    first, nobody, third = rtm.photo(image, boxes)
    assert (first.status, nobody.status, third.status) == ("ok", "missed", "ok")
    assert np.abs(first.landmarks_2d[SLOTS] - right[ROWS]).max() < 2.5, "though the detector would not have found them"
    assert np.abs(third.landmarks_2d[SLOTS] - left[ROWS]).max() < 2.5


def test_two_people_keep_their_ids_through_a_clip(rtm: RtmDetector, maker: ModuleType):
    ids, statuses = [], []
    for frame in range(16):
        image = empty()
        left = maker.draw(image, 20 + 4 * frame, 60, 280)
        if not 8 <= frame < 11:  # out of sight for a moment
            maker.draw(image, 480 - 4 * frame, 160, 300, shirt=1)
        people = rtm.video_step(image, frame / 10)
        ids.append([one.track_id for one in people])
        statuses.append([one.status for one in people])
        assert np.abs(people[-1].landmarks_2d[SLOTS] - left[ROWS]).max() < 2.5, f"the smaller one, frame {frame}"
    assert all(one == [0, 1] for one in ids), ids
    lost = [frame for frame, status in enumerate(statuses) if "missed" in status]
    assert lost == [8, 9, 10], statuses
    timing = rtm.networks.timing  # type: ignore[attr-defined]
    assert timing.searches < 10, "the person detector is the dear part and need not see every frame"
    assert f"searches for people {timing.searches} (" in (rtm.timing_note() or "")


def test_only_people_are_taken_of_a_detector_with_eighty_kinds(maker: ModuleType, tmp_path: Path):
    maker.detector_of_everything(tmp_path / "all.onnx")
    maker.pose(tmp_path / "pose17.onnx", 17)
    networks: Any = load_rtm("rtmlib", tmp_path, "cpu").networks
    boxes = networks.people(empty(128, 64))
    # cell 20 of the 8 x 8 grid with stride 8: middle (36, 20), seen at half size
    assert boxes.tolist() == [pytest.approx([2 * (36 - 8), 2 * (20 - 16), 2 * (36 + 8), 64], abs=0.01)]


def test_vitpose(maker: ModuleType, tmp_path: Path):
    maker.detector(tmp_path / "yolox.onnx")
    maker.pose(tmp_path / "vitpose.onnx", 17, heatmaps=True)
    image = empty()
    true = maker.draw(image, 30, 60, 280)
    (one,) = load_rtm("rtmlib", tmp_path, "cpu").photo(image)
    body = ROWS < 17
    assert one.source == "coco17" and not one.confidence[29:].any(), "no feet"
    assert np.abs(one.landmarks_2d[SLOTS][body] - true[ROWS][body]).max() < 5, "a cell is 5.6 px"


@pytest.mark.parametrize(
    ("spoil", "kind"),
    [
        (lambda maker, at: (at / "tiny_pose.onnx").write_bytes(b"half a file"), "detector.unreadable"),
        (lambda maker, at: (at / "tiny_yolox.onnx").write_bytes(b""), "detector.unreadable"),
        (lambda maker, at: maker.pose(at / "tiny_pose.onnx", 21), "detector.unknown_keypoints"),
        (lambda maker, at: maker.detector(at / "tiny_pose.onnx"), "detector.unreadable"),
        (lambda maker, at: maker.pose(at / "tiny_yolox.onnx", heatmaps=True), "detector.unreadable"),
    ],
)
def test_files_that_are_no_such_networks(maker: ModuleType, folder: Path, tmp_path: Path, spoil: Any, kind: str):
    for file in folder.glob("*.onnx"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    spoil(maker, tmp_path)
    with pytest.raises(HmdiffError) as caught:
        load_rtm("rtmlib", tmp_path, "cpu")
    assert caught.value.kind == kind and caught.value.fix


def test_rtmlib_fetches_once_where_allowed_and_prints_nothing(
    maker: ModuleType, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    import rtmlib

    table = {}
    for part, file, name in (("det", "tiny_yolox.onnx", "yolox_t"), ("pose", "tiny_pose.onnx", "rtmpose-t")):
        with zipfile.ZipFile(tmp_path / f"{name}.zip", "w") as archive:
            archive.write(folder / file, "20230831/end2end.onnx")
        table[part] = (tmp_path / f"{name}.zip").as_uri()
    monkeypatch.setattr(rtmlib.BodyWithFeet, "MODE", {"balanced": table})
    monkeypatch.setenv("HMDIFF_CACHE", str(tmp_path / "cache"))
    for variable in ("HMDIFF_ALLOW_DOWNLOAD", "HMDIFF_DETECTOR_MODELS", "HMDIFF_OFFLINE"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(HmdiffError) as caught:
        load_rtm()
    assert caught.value.kind == "detector.consent" and not (tmp_path / "cache").exists()
    monkeypatch.setenv("HMDIFF_ALLOW_DOWNLOAD", "1")
    files = rtm_files("rtmlib")
    assert sorted(path.name for path in (tmp_path / "cache" / "rtmlib").iterdir()) == ["rtmpose-t.onnx", "yolox_t.onnx"]
    assert files.pose.read_bytes() == (folder / "tiny_pose.onnx").read_bytes()
    for archive in tmp_path.glob("*.zip"):
        archive.unlink()
    monkeypatch.delenv("HMDIFF_ALLOW_DOWNLOAD")
    image = empty()
    maker.draw(image, 30, 60, 280)
    capsys.readouterr()
    assert len(load_rtm().photo(image)) == 1
    assert capsys.readouterr().out == "", "what is printed would spoil --json"


def test_a_clip_becomes_a_take(
    maker: ModuleType, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    from hmdiff.cli import main

    monkeypatch.delenv("HMDIFF_DETECTOR_MODELS", raising=False)
    (tmp_path / "clip").mkdir()
    for frame in range(4):
        image = empty(360, 420)
        maker.draw(image, 60 + 3 * frame, 40, 320)
        cv2.imwrite(str(tmp_path / "clip" / f"f_{frame:03d}.png"), image[..., ::-1])
    words = ["animate", str(tmp_path / "clip"), "--detector", "rtmlib", "--detector-models", str(folder)]
    code = main([*words, "--preset", "preview", "--device", "cpu", "--take", str(tmp_path / "take"), "--json"])
    report = json.loads(capsys.readouterr().out)
    assert code == 0 and report["frames_with_people"] == 4 and len(report["people"]) == 1
    assert any(note.startswith("rtmlib: searches for people 1 (") for note in report["notes"])
    settings = json.loads((tmp_path / "take" / "manifest.json").read_text())
    assert "rtmlib" in json.dumps(settings)
