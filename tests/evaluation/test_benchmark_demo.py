"""Takes of known motion against a rendered clip's truth: exact ones score zero, known errors come out as such."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hmdiff.bodies.joint_maps import read_landmark_regressor
from hmdiff.bodies.model import FREE_BODY
from hmdiff.detect.assemble import nothing
from hmdiff.evaluation import demo
from hmdiff.evaluation.benchmarks import demo as benchmark
from hmdiff.evaluation.benchmarks.clip_truth import compare, read_clip_truth
from hmdiff.evaluation.settings import EvalSettings
from hmdiff_wire.body import load_body, skin
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import PersonFrame, TakeHeader, TakeWriter, read_take

SIZE, FOCAL, FRAMES, FPS = (160, 120), 150.0, 6, 30.0
BODY = load_body(FREE_BODY)
BETAS = np.linspace(-0.5, 0.5, 10).astype(np.float32)
TIMES = np.arange(FRAMES) / FPS


def motion() -> tuple[np.ndarray, np.ndarray]:
    """A person before the camera who raises an arm."""
    pose = np.zeros((FRAMES, 72), np.float32)
    pose[:, 0] = np.pi
    pose[:, 16 * 3 + 2] = np.linspace(-1.2, 0.3, FRAMES)
    return pose, np.tile(np.array([0.1, 0.2, 3.5], np.float32), (FRAMES, 1))


def project(joints: np.ndarray) -> np.ndarray:
    return joints[..., :2] / joints[..., 2:] * FOCAL + np.array(SIZE) / 2


def write_take(folder: Path, pose: np.ndarray, transl: np.ndarray, hypotheses: list[np.ndarray]) -> Path:
    header = TakeHeader(
        source_path="/gone.mp4", source_kind="video", width=SIZE[0], height=SIZE[1], fps=FPS, n_frames=FRAMES,
        body_name="free", preset="default", n_hypotheses=len(hypotheses), seed=0, focal=FOCAL, focal_source="user",
        tool_version="0",
    )  # fmt: skip
    writer = TakeWriter.create(folder, header, FREE_BODY)
    joints = skin(BODY, BETAS, pose, transl)[1]
    others = [skin(BODY, BETAS, one, transl)[1] for one in hypotheses]
    for frame in range(FRAMES):
        row = PersonFrame(
            track_id=1, status="ok", box=np.array([0, 0, *SIZE], np.float32), betas=BETAS, pose=pose[frame],
            transl=transl[frame], joints=joints[frame], joints_2d=project(joints[frame]),
            landmarks_2d=np.ones((33, 3), np.float32),
            hypotheses_pose=np.stack([one[frame] for one in hypotheses]),
            hypotheses_transl=np.stack([transl[frame]] * len(hypotheses)),
            hypotheses_joints=np.stack([one[frame] for one in others]),
            hypotheses_score=np.ones(len(hypotheses), np.float32),
            vertex_std=np.zeros(BODY.n_vertices, np.float32), vertices=None,
        )  # fmt: skip
        writer.write_frame(frame, float(TIMES[frame]), FOCAL, [row])
    writer.finish()
    return folder


@pytest.fixture(scope="module")
def truth_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pose, transl = motion()
    joints = skin(BODY, BETAS, pose, transl)[1]
    path = tmp_path_factory.mktemp("truth") / "demo_truth.npz"
    np.savez(
        path, times=TIMES, focal=np.float32(FOCAL), pose=pose, betas=BETAS, transl=transl, joints=joints,
        joints_2d=project(joints),
    )  # fmt: skip
    return path


def test_an_exact_take_scores_zero(truth_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    pose, transl = motion()
    bent = pose.copy()
    bent[:, 4 * 3] += 0.8
    take = write_take(tmp_path / "take", pose, transl, [bent, pose])
    assert demo.main([str(take), str(truth_file), "--json", str(tmp_path / "out.json")]) == 0
    result = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    estimate = result["estimate"]
    for figure in ("mpjpe_mm", "pa_mpjpe_mm", "mpve_mm", "pa_mpve_mm", "acceleration_mm", "error_2d_px"):
        assert estimate[figure] < 0.05, figure
    assert estimate["iou"] == 1.0
    assert result["best_of_n"]["mpjpe_mm"] < 0.05  # the second hypothesis is the truth
    assert result["detector_3d"] is None  # the footage is gone
    assert result["focal_px"] == {"assumed": FOCAL, "true": FOCAL}
    assert (result["n_frames"], result["n_missed"], result["n_hypotheses"]) == (FRAMES, 0, 2)
    assert "| estimate |" in capsys.readouterr().out


def test_known_errors_come_out(truth_file: Path, tmp_path: Path):
    """A step aside is an error in the picture only; a bent knee moves one of the 14 joints."""
    pose, transl = motion()
    aside = transl + np.array([0.35, 0, 0], np.float32)
    estimate = score(truth_file, write_take(tmp_path / "aside", pose, aside, [pose]))
    assert estimate["mpjpe_mm"] < 0.05
    assert estimate["error_2d_px"] == pytest.approx(0.35 / 3.5 * FOCAL, rel=0.1)
    assert estimate["iou"] < 0.7
    bent = pose.copy()
    bent[:, 4 * 3] += 1.0  # the left knee: only what is below it moves
    estimate = score(truth_file, write_take(tmp_path / "bent", bent, transl, [bent]))
    joints, moved = skin(BODY, BETAS, pose, transl)[1], skin(BODY, BETAS, bent, transl)[1]
    ankle = 1000 * np.linalg.norm(joints[:, 7] - moved[:, 7], axis=1).mean()
    assert estimate["mpjpe_mm"] == pytest.approx(ankle / 14, rel=1e-3)
    # Procrustes has the least root mean square, and a mean is never above that.
    assert 0 < estimate["pa_mpjpe_mm"] <= ankle / 14**0.5


def score(truth_file: Path, take: Path) -> dict[str, float]:
    return benchmark.score_take(read_take(take), 0, read_clip_truth(truth_file), {})["estimate"]


def test_the_detectors_own_3d_is_scored_on_its_landmarks(truth_file: Path, tmp_path: Path):
    pose, transl = motion()
    take = read_take(write_take(tmp_path / "take", pose, transl, [pose]))
    truth = read_clip_truth(truth_file)
    world = read_landmark_regressor(BODY) @ truth.vertices
    world = world - world[:, 23:25].mean(1, keepdims=True)
    world[:, 15] += [0.0, 0.0, 0.12]  # one wrist 12 cm too far
    box = np.array([0, 0, *SIZE], np.float32)
    observed = {
        frame: replace(nothing(1, "missed", box), status="ok", landmarks_world=world[frame].astype(np.float32))
        for frame in range(FRAMES) if frame != 2
    }  # fmt: skip
    result = benchmark.score_take(take, 0, truth, observed)
    assert result["detector_3d"]["mpjpe_mm"] == pytest.approx(10.0, abs=0.05)
    assert result["limbs12"]["estimate"]["mpjpe_mm"] < 0.05


def test_a_take_of_another_clip_and_a_foreign_truth_are_refused(truth_file: Path, tmp_path: Path):
    pose, transl = motion()
    take = read_take(write_take(tmp_path / "take", pose, transl, [pose]))
    truth = read_clip_truth(truth_file)
    with pytest.raises(HmdiffError, match="no frame in common"):
        compare(take, 0, replace(truth, times=truth.times + 60))
    other = tmp_path / "other.npz"
    np.savez(other, times=np.zeros(3))
    with pytest.raises(HmdiffError, match="not the truth"):
        read_clip_truth(other)
    assert demo.main([str(tmp_path / "take"), str(other)]) == 2


def test_without_the_clip_the_benchmark_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(benchmark, "CLIP", tmp_path / "demo.mp4")
    with pytest.raises(HmdiffError, match="missing"):
        benchmark.run(EvalSettings(), lambda stage, done, total: None)
