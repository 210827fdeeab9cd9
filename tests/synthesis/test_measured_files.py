"""`hmdiff synth measure` from rendered pictures to the file, and files that are no good."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hmdiff.cli import main
from hmdiff.detect import model_path
from hmdiff.detect.assets import POSE_DETECTION, POSE_LANDMARK
from hmdiff.synthesis.measured.tables import SHIPPED, load_tables
from hmdiff.synthesis.render.run import RenderOptions, render_dataset
from hmdiff_wire.errors import HmdiffError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures of people with the left arm out, read by the detector."""
    poses = np.zeros((2, 40, 24, 3), np.float32)
    poses[:, :, 16, 2], poses[:, :, 17, 2] = -0.35, 1.2
    offsets = np.zeros((24, 3), np.float32)
    offsets[4, 1], offsets[7, 1] = -0.38, -0.41
    mocap = tmp_path_factory.mktemp("mocap") / "mocap_cmu_clips.npz"
    np.savez(
        mocap, seq_poses=poses.reshape(-1, 24, 3).astype(np.float16), seq_trans=np.tile([[0, 0.9, 0]], (80, 1)),
        seq_start=np.array([0, 40]), seq_len=np.full(2, 40), seq_split=np.array([0, 1]), rest_offsets=offsets,
    )  # fmt: skip
    out = tmp_path_factory.mktemp("rendered")
    try:
        for name in (POSE_DETECTION, POSE_LANDMARK):
            model_path(name)
        render_dataset(RenderOptions(mocap, out, count=12, bare=True, seed=1), lambda line: None)
    except HmdiffError as error:
        if error.kind.startswith(("install.", "detector.")):
            pytest.skip(f"{error.message} {error.fix}")
        raise
    assert main(["synth", "detect", str(out)]) == 0
    return out


def test_measuring_a_folder_writes_a_model_and_its_figures(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out, plots, reference = tmp_path / "noise.npz", tmp_path / "plots", tmp_path / "reference.npz"
    capsys.readouterr()
    asked = ["synth", "measure", str(folder), "-o", str(out), "--json", "--plots", str(plots)]
    assert main([*asked, "--reference", str(reference), "--check", str(folder)]) == 0
    figures = json.loads(capsys.readouterr().out)
    people = figures["train"]["population"]
    assert people["pictures"] == 12 and 8 <= people["found"] <= people["people"] == 12
    assert figures["train"]["measured"]["readings"] == figures["train"]["drawn"]["readings"] == people["found"]
    assert figures["bytes"] == out.stat().st_size < 1_000_000
    # bare people standing upright: the detector's limbs are near the truth, and so are those drawn
    for kind in ("measured", "drawn"):
        assert figures["train"][kind]["by_class"]["seen"]["error"][2] < 0.03
        assert 20 < figures["train"][kind]["world"]["pa_mean_mm"] < 200
    assert load_tables(out).meta["found"] == people["found"]
    assert {path.name for path in plots.iterdir()} == {"detector_noise.png", "detector_noise_correlation.png"}
    with np.load(reference) as data:
        assert len(data["landmarks"]) == people["found"]


def test_a_folder_that_nobody_read_is_named(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert main(["synth", "measure", str(tmp_path), "-o", str(tmp_path / "a.npz")]) == 2
    assert "synth detect" in capsys.readouterr().err
    assert main(["synth", "measure", str(tmp_path), "-o", str(tmp_path / "a.json")]) == 2
    assert ".npz" in capsys.readouterr().err


def test_the_shipped_file_is_small_and_says_where_it_is_from() -> None:
    assert SHIPPED.stat().st_size < 1_000_000
    meta = load_tables().meta
    assert meta["found"] > 5000 and meta["pictures"] > 5000
    assert all(card["split"] == "train" for card in meta["renders"])


@pytest.mark.parametrize("damage", ["cut", "empty", "shape", "nan", "format", "lost"])
def test_a_file_that_is_no_good_is_said_so(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "noise.npz"
    data = SHIPPED.read_bytes()
    with np.load(SHIPPED, allow_pickle=False) as file:
        arrays = dict(file)
    if damage == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage != "lost":
        if damage == "shape":
            arrays["mix"] = arrays["mix"][:5]
        elif damage == "nan":
            arrays["bias"] = arrays["bias"] * np.float16(np.nan)
        else:
            arrays["format"] = np.int64(99)
        np.savez(path, **arrays)
    with pytest.raises(HmdiffError) as caught:
        load_tables(path)
    assert caught.value.kind == {"format": "noise.format", "lost": "noise.not_found"}.get(damage, "noise.damaged")
    assert "synth measure" in caught.value.fix
