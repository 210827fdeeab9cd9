"""Keypoints made elsewhere."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hmdiff.detect import BLAZEPOSE_NAMES, COCO17_TO_BLAZEPOSE, ExternalDetector, read_keypoints
from hmdiff.detect.observation import BODY25_NAMES, COCO17_NAMES
from hmdiff_wire.errors import HmdiffError

SIZE = (640, 480)


def standing(x: float, layout: tuple[str, ...] = COCO17_NAMES) -> np.ndarray:
    """A stick figure facing the camera around the column x, confidence 0.9."""
    rows = {
        "nose": (0, 60), "eye": (5, 55), "ear": (10, 58), "shoulder": (25, 100), "elbow": (35, 150), "wrist": (38, 195),
        "hip": (15, 200), "knee": (17, 280), "ankle": (18, 360), "neck": (0, 98), "mid_hip": (0, 200),
        "foot_index": (24, 375), "small_toe": (30, 374), "heel": (16, 370),
    }  # fmt: skip
    points = []
    for name in layout:
        side = 1 if name.startswith("left") else -1
        dx, y = rows[name.removeprefix("left_").removeprefix("right_")]
        points.append((x + side * dx, y, 0.9))
    return np.array(points, np.float32)


def coco_rows(frames: list[list[np.ndarray]], first: int = 0) -> list[dict]:
    return [
        {"image_id": first + k, "category_id": 1, "score": 0.8, "keypoints": p.reshape(-1).tolist()}
        for k, people in enumerate(frames)
        for p in people
    ]


def write(path: Path, data: object) -> Path:
    path.write_text(json.dumps(data))
    return path


@pytest.mark.parametrize("first", [0, 1])
def test_coco_results_become_tracks(tmp_path: Path, first: int):
    # the two people change places in the file half way, and one is missing for two frames
    frames = []
    for k in range(10):
        a, b = standing(150 + 6 * k), standing(420 - 5 * k)
        frames.append([a, b] if k < 5 else [b] if k in (6, 7) else [b, a])
    source = ExternalDetector(read_keypoints(write(tmp_path / "k.json", coco_rows(frames, first))))
    for k in range(10):
        found = source.video_step(k, k / 30, *SIZE)
        assert [one.track_id for one in found] == [0, 1]
        assert found[0].status == ("missed" if k in (6, 7) else "ok")
        if found[0].seen:
            np.testing.assert_allclose(found[0].landmarks_2d[0], [150 + 6 * k, 60])
        assert found[1].landmarks_2d[0, 0] == 420 - 5 * k
    one = found[1]
    named = {BLAZEPOSE_NAMES[s] for s in np.flatnonzero(one.confidence)}
    assert named == set(COCO17_NAMES) and one.source == "coco17" and one.heatmaps is None and one.mask is None
    assert np.isnan(one.landmarks_world).all() and np.isnan(one.landmarks_z).all()
    inside = one.crop.to_crop(one.landmarks_2d)
    assert inside.min() > 0 and inside.max() < 1


def test_tracks_end_and_ids_are_not_used_again(tmp_path: Path):
    frames = [[standing(200)], [], [], [standing(200)]]
    source = ExternalDetector(read_keypoints(write(tmp_path / "k.json", coco_rows(frames))), max_gap_seconds=1.0)
    ids = [[(o.track_id, o.status) for o in source.video_step(k, 0.9 * k, *SIZE)] for k in range(4)]
    assert ids == [[(0, "ok")], [(0, "missed")], [], [(1, "ok")]]


def test_coco_annotations_with_flags_and_names(tmp_path: Path):
    points = standing(200)
    points[:, 2] = 2
    points[5, 2] = 1
    points[6] = 0
    data = {
        "images": [{"id": 77, "file_name": "some/a_000012.jpg"}, {"id": 78, "file_name": "b_000013.jpg"}],
        "annotations": [
            {"image_id": 77, "keypoints": points.reshape(-1).tolist()},
            {"image_id": 78, "keypoints": standing(300).reshape(-1).tolist()},
        ],
    }
    data["annotations"][1]["keypoints"][2::3] = [2] * 17
    keypoints = read_keypoints(write(tmp_path / "k.json", data))
    assert sorted(keypoints.frames) == [12, 13]
    (one,) = ExternalDetector(keypoints).photo("/elsewhere/a_000012.png", *SIZE)
    confidence = one.confidence[list(COCO17_TO_BLAZEPOSE)]
    assert confidence[5] == 0.5 and confidence[6] == 0 and confidence[0] == 1
    assert ExternalDetector(keypoints).photo("unknown.png", *SIZE) == []


def test_openpose_folder_and_single_file(tmp_path: Path):
    for k in range(3):
        person = {"pose_keypoints_2d": standing(200 + 5 * k, BODY25_NAMES).reshape(-1).tolist()}
        write(tmp_path / f"clip_{k:012d}_keypoints.json", {"version": 1.3, "people": [person] if k != 1 else []})
    source = ExternalDetector(read_keypoints(tmp_path))
    statuses = []
    for k in range(3):
        (one,) = source.video_step(k, k / 30, *SIZE)
        statuses.append((one.track_id, one.status, one.source))
    assert statuses == [(0, "ok", "body25"), (0, "missed", "body25"), (0, "ok", "body25")]
    slot = BLAZEPOSE_NAMES.index("left_foot_index")
    np.testing.assert_allclose(one.landmarks_2d[slot], [210 + 24, 375])
    assert one.confidence[BLAZEPOSE_NAMES.index("left_thumb")] == 0
    single = read_keypoints(tmp_path / "clip_000000000002_keypoints.json")
    assert len(ExternalDetector(single).photo("any.jpg", *SIZE)) == 1


def test_masks_go_into_the_crop(tmp_path: Path):
    folder = tmp_path / "masks"
    folder.mkdir()
    labels = np.zeros((480, 640), np.uint8)
    labels[45:385, 160:240] = 1
    labels[45:385, 360:440] = 2
    cv2.imwrite(str(folder / "f_0000.png"), labels)
    cv2.imwrite(str(folder / "f_0001.png"), (labels > 0) * np.uint8(255))
    frames = [[standing(200), standing(400)]] * 3
    keypoints = read_keypoints(write(tmp_path / "k.json", coco_rows(frames)))
    source = ExternalDetector(keypoints, folder)
    for k in range(2):
        for one, x in zip(source.video_step(k, k / 30, *SIZE), (200, 400), strict=True):
            assert one.mask is not None
            rows, columns = np.nonzero(one.mask > 0.5)
            low = one.crop.from_crop(np.array([columns.min(), rows.min()], np.float32) / 256)
            high = one.crop.from_crop(np.array([columns.max() + 1, rows.max() + 1], np.float32) / 256)
            np.testing.assert_allclose([*low, *high], [x - 40, 45, x + 40, 385], atol=2.5)
    assert source.video_step(2, 0.1, *SIZE)[0].mask is None
    with pytest.raises(HmdiffError) as caught:
        ExternalDetector(keypoints, folder).video_step(0, 0.0, 320, 240)
    assert caught.value.kind == "masks.unreadable"
    with pytest.raises(HmdiffError):
        ExternalDetector(keypoints, tmp_path / "none")


def test_tiny_cut_off_and_hopeless_people(tmp_path: Path):
    tiny = standing(200)
    tiny[:, :2] = tiny[:, :2] * 0.1 + 100
    cut_off = standing(300)
    cut_off[:, 1] += 200
    cut_off[11:, 2] = 0
    two_points = standing(400)
    two_points[2:, 2] = 0
    frames = [[tiny], [cut_off], [two_points], [standing(500)]]
    keypoints = read_keypoints(write(tmp_path / "k.json", coco_rows(frames)))
    statuses = [[o.status for o in ExternalDetector(keypoints).video_step(k, 0.0, *SIZE)] for k in range(5)]
    assert statuses[0] == ["tiny"] and statuses[2] == [] and statuses[3] == ["ok"] and statuses[4] == []
    near_border = cut_off.copy()
    near_border[:, 1] += 60
    keypoints = read_keypoints(write(tmp_path / "k2.json", coco_rows([[near_border]])))
    assert ExternalDetector(keypoints).video_step(0, 0.0, *SIZE)[0].status == "truncated"


def row(**changes: object) -> dict:
    return {"image_id": 0, "keypoints": standing(200).reshape(-1).tolist()} | changes


@pytest.mark.parametrize(
    "content",
    [
        "{not json",
        "3",
        '{"hello": 1}',
        "[1, 2]",
        '{"people": 5}',
        '{"people": [3]}',
        '{"people": [{"pose_keypoints_2d": [1, 2, 3]}]}',
        '{"annotations": 3}',
        '[{"keypoints": []}]',
        json.dumps([row(keypoints=[1.0] * 50)]),
        json.dumps([row(keypoints=["a"] * 51)]),
        json.dumps([row(keypoints=[[1]] * 51)]),
        json.dumps([row(keypoints={"a": 1})]),
        json.dumps([row(keypoints=["1"] * 51)]),
        json.dumps([row(image_id=None)]),
        json.dumps([row(image_id="no number")]),
        json.dumps([row(image_id=[3])]),
        "\x00\x01",
    ],
)
def test_malformed_files_get_a_sentence_and_a_fix(tmp_path: Path, content: str):
    path = tmp_path / "k.json"
    path.write_text(content)
    with pytest.raises(HmdiffError) as caught:
        read_keypoints(path)
    assert caught.value.kind == "keypoints.malformed" and "k.json" in caught.value.message and caught.value.fix


def test_absent_files_and_empty_folders(tmp_path: Path):
    for path in (tmp_path, tmp_path / "none.json"):
        with pytest.raises(HmdiffError) as caught:
            read_keypoints(path)
        assert caught.value.kind == "keypoints.not_found"


def test_missing_numbers_are_unknown_not_fatal(tmp_path: Path):
    points = standing(200).reshape(-1).tolist()
    points[0:3] = [None, None, None]
    path = tmp_path / "k.json"
    path.write_text(json.dumps([row(keypoints=points)]).replace("55.0", "NaN").replace("58.0", "1" + "0" * 400))
    (one,) = ExternalDetector(read_keypoints(path)).video_step(0, 0.0, *SIZE)
    assert one.confidence[[0, 2, 7]].max() == 0 and np.isfinite(one.landmarks_2d).all()
