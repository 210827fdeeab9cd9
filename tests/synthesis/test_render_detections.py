"""The real detector over rendered people, and who is who among its readings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hmdiff.cli import main
from hmdiff.detect import Crop, Detector, DetectorSettings, Observation, model_path
from hmdiff.detect.assets import POSE_DETECTION, POSE_LANDMARK
from hmdiff.synthesis.bank import draw_from_bank, load_bank
from hmdiff.synthesis.batch import SyntheticStream
from hmdiff.synthesis.noise import SWAP
from hmdiff.synthesis.render.detections import detect_shard, match, read_seen
from hmdiff.synthesis.render.readings import read_readings, write_readings
from hmdiff.synthesis.render.rereadings import mirror_observation, read_again
from hmdiff.synthesis.render.run import RenderOptions, render_dataset
from hmdiff.synthesis.render.shards import Shard, read_shard
from hmdiff_wire.errors import HmdiffError

L_WRIST, R_WRIST = 15, 16


@pytest.fixture(scope="module")
def mocap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """People who stand with the left arm out and the right arm down, swaying a little."""
    poses = np.zeros((2, 40, 24, 3), np.float32)
    poses[:, :, 16, 2], poses[:, :, 17, 2] = -0.35, 1.2
    poses[:, :, 0, 1] = np.linspace(-0.1, 0.1, 40)
    offsets = np.zeros((24, 3), np.float32)
    offsets[4, 1], offsets[7, 1] = -0.38, -0.41
    path = tmp_path_factory.mktemp("mocap") / "mocap_cmu_clips.npz"
    np.savez(
        path, seq_poses=poses.reshape(-1, 24, 3).astype(np.float16), seq_trans=np.tile([[0, 0.9, 0]], (80, 1)),
        seq_start=np.array([0, 40]), seq_len=np.full(2, 40), seq_split=np.array([0, 1]), rest_offsets=offsets,
    )  # fmt: skip
    return path


@pytest.fixture(scope="module")
def folder(mocap: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("rendered")
    try:
        for name in (POSE_DETECTION, POSE_LANDMARK):
            model_path(name)
        render_dataset(RenderOptions(mocap, out, count=8, bare=True, seed=1), lambda line: None)
    except HmdiffError as error:
        if error.kind.startswith(("install.", "detector.")):
            pytest.skip(f"{error.message} {error.fix}")
        raise
    return out


@pytest.fixture(scope="module")
def shard(folder: Path) -> Shard:
    return read_shard(folder, 0)


def reading(landmarks: np.ndarray, box: np.ndarray) -> Observation:
    none = np.full((33, 3), np.nan, np.float32)
    return Observation(
        0, "ok", box.astype(np.float32), Crop(landmarks.mean(0), 100.0), landmarks.astype(np.float32),
        np.ones(33, np.float32), none[:, 0], none, None, None, 0.8, "blazepose",
    )  # fmt: skip


def test_the_detector_finds_bare_people_with_left_and_right_as_named(
    folder: Path, capsys: pytest.CaptureFixture
) -> None:
    assert main(["synth", "detect", str(folder), "--json"]) == 0
    shard, seen = read_shard(folder, 0), read_seen(folder, 0)
    found = seen["status"] != "missed"
    assert found.sum() >= 6
    truth = shard.truth["landmarks_2d"]
    error = np.linalg.norm(seen["landmarks_2d"] - truth, axis=-1) * (256 / seen["crop"][:, 2:3])
    visible = (shard.truth["hidden_landmarks"] == 0) & found[:, None]
    assert np.median(error[visible]) < 7
    # one arm is stretched out and the other hangs, so exchanged sides would show
    here = visible[:, L_WRIST]
    own = np.linalg.norm(seen["landmarks_2d"][here, L_WRIST] - truth[here, L_WRIST], axis=-1)
    other = np.linalg.norm(seen["landmarks_2d"][here, L_WRIST] - truth[here, R_WRIST], axis=-1)
    assert (own < other).mean() > 0.6
    # the mask over the crop is the person's
    for person in np.flatnonzero(found)[:4]:
        crop = Crop(seen["crop"][person, :2], float(seen["crop"][person, 2]), float(seen["crop"][person, 3]))
        rows, columns = np.nonzero(shard.mask(int(person)))
        cells = np.floor(crop.to_crop(np.stack([columns, rows], 1) + 0.5) * 256).astype(int)
        inside = ((cells >= 0) & (cells < 256)).all(1)
        values = seen["mask"][seen["map_row"][person]][cells[inside, 1], cells[inside, 0]]
        assert np.median(values) > 128
        peak = seen["heatmaps"][seen["map_row"][person]].reshape(39, -1).max(1)
        assert np.median(peak[:33]) > 60


def test_detecting_again_reads_nothing(folder: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["synth", "detect", str(folder)]) == 0
    before = (folder / "seen_00000.npz").read_bytes()
    capsys.readouterr()
    assert main(["synth", "detect", str(folder)]) == 0
    said = capsys.readouterr()
    assert "pictures read" not in said.err
    assert '"found_of_visible"' in said.out
    assert (folder / "seen_00000.npz").read_bytes() == before


def test_people_are_told_apart_and_strangers_left_out(shard: Shard) -> None:
    truth = dict(shard.truth)
    truth["row"] = np.zeros(len(truth["row"]), np.int64)
    two = np.array([0, 1])
    truth["landmarks_2d"] = truth["landmarks_2d"].copy()
    truth["landmarks_2d"][1] += 150
    truth["box_seen"] = truth["box_seen"].copy()
    truth["box_seen"][1] += 150
    merged = Shard(0, shard.folder, truth)
    rng = np.random.default_rng(0)
    noisy = [truth["landmarks_2d"][k] + rng.normal(0, 3, (33, 2)) for k in two]
    stranger = truth["landmarks_2d"][0] + [2000, 0]
    found = [
        reading(stranger, np.array([2000, 0, 2100, 100])),
        reading(noisy[1], truth["box_seen"][1]),
        reading(noisy[0], truth["box_seen"][0]),
    ]
    assert sorted(match(merged, two, found)) == [(0, 2), (1, 1)]


def test_frames_of_a_clip_are_tracked(mocap: Path, folder: Path, tmp_path: Path) -> None:
    options = RenderOptions(mocap, tmp_path / "clip", count=6, frames=6, bare=True, seed=1)
    render_dataset(options, lambda line: None)
    clip = read_shard(options.out, 0)
    np.testing.assert_array_equal(clip.truth["frame"], range(6))
    seen = detect_shard(Detector(DetectorSettings(num_threads=1)), clip)
    assert (seen["status"] != "missed").sum() >= 4
    assert len(np.unique(seen["track"][seen["track"] >= 0])) == 1


def test_a_sheet_shows_pictures_and_marks(folder: Path, tmp_path: Path) -> None:
    import cv2

    assert main(["synth", "sheet", str(folder), "-o", str(tmp_path / "a.png"), "--count", "4", "--columns", "2"]) == 0
    assert main(["synth", "sheet", str(folder), "-o", str(tmp_path / "b.png"), "--count", "4", "--columns", "2",
                 "--plain"]) == 0  # fmt: skip
    marked, plain = cv2.imread(str(tmp_path / "a.png")), cv2.imread(str(tmp_path / "b.png"))
    assert marked.shape == plain.shape == (640, 640, 3)
    assert 100 < (marked != plain).any(-1).sum() < 200_000


def test_an_empty_folder_is_named(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["synth", "detect", str(tmp_path)]) == 2
    assert "synth render" in capsys.readouterr().err


def test_more_looks_agree_with_the_truth_and_become_a_bank(
    folder: Path, tmp_path: Path, stream: SyntheticStream, capsys: pytest.CaptureFixture
) -> None:
    assert main(["synth", "detect", str(folder), "--json"]) == 0
    out = tmp_path / "light.npz"
    assert main(["synth", "reread", str(folder), "-o", str(out), "--times", "2"]) == 0
    assert "readings of 8 people" in capsys.readouterr().out
    shard, again = read_shard(folder, 0), read_again(folder, 0)
    assert len(again["row"]) >= 10
    truth, visible = shard.truth["landmarks_2d"][again["row"]], shard.truth["hidden_landmarks"][again["row"]] == 0
    size = np.ptp(truth, axis=1).max(-1)[:, None]
    own = np.linalg.norm(again["landmarks_2d"] - truth, axis=-1) / size
    other = np.linalg.norm(again["landmarks_2d"] - truth[:, list(SWAP)], axis=-1) / size
    assert np.median(own[visible]) < 0.05
    arms = visible & np.isin(np.arange(33), (L_WRIST, R_WRIST))
    assert np.median(own[arms]) < 0.6 * np.median(other[arms])  # mirrored looks, too, have left and right as named

    bank = load_bank(out, stream.setup, heatmaps=False)
    drawn = draw_from_bank(bank, stream.setup, 64, 0.0, torch.Generator().manual_seed(2))
    miss = (drawn.people.landmarks_2d - drawn.detections.landmarks_2d).norm(dim=-1) / drawn.side[:, None] * 256
    assert len(bank) >= 16 and miss.median() < 12

    light = read_readings(out)
    write_readings(out, replace(light, splits=("train", "test")))
    with pytest.raises(HmdiffError) as caught:
        load_bank(out, stream.setup)
    assert caught.value.kind == "train.held_out"
    out.write_bytes(out.read_bytes()[:-200])
    with pytest.raises(HmdiffError) as caught:
        read_readings(out)
    assert caught.value.kind == "render.damaged"


def test_the_mirror_image_of_a_mirror_image_is_the_reading_itself() -> None:
    points = np.random.default_rng(0).uniform(10, 200, (33, 2)).astype(np.float32)
    one = replace(
        reading(points, np.array([5, 6, 190, 200])), crop=Crop(np.array([90.0, 80.0], np.float32), 100.0, 0.3),
        landmarks_world=np.random.default_rng(1).normal(size=(33, 3)).astype(np.float32),
        confidence=np.linspace(0, 1, 33, dtype=np.float32),
    )  # fmt: skip
    once = mirror_observation(one, 640)
    twice = mirror_observation(once, 640)
    assert np.allclose(once.landmarks_2d[L_WRIST], (640 - points[R_WRIST, 0], points[R_WRIST, 1]))
    for name in ("landmarks_2d", "landmarks_world", "confidence", "box"):
        assert np.allclose(getattr(twice, name), getattr(one, name), atol=1e-4), name
    assert np.allclose(twice.crop.center, one.crop.center) and twice.crop.angle == one.crop.angle
