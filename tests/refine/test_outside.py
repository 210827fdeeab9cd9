"""Results of other programs become takes: files made here, in each program's way."""

from __future__ import annotations

import json
import pickle
import zlib
from pathlib import Path

import numpy as np
import pytest
from hmdiff import cli
from hmdiff.refine.layer import rotation_vectors
from hmdiff.refine.outside.formats import read_outside
from hmdiff_wire.body import rotation_matrices
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import read_take

FRAMES = 10


@pytest.fixture(scope="module")
def truth(repo: Path) -> dict[str, np.ndarray]:
    with np.load(repo / "assets" / "demo" / "demo_truth.npz") as data:
        return {name: data[name] for name in data.files}


def phalp(truth: dict, frames: int = FRAMES) -> dict:
    found = {}
    for at in range(frames):
        turns = rotation_matrices(truth["pose"][at].reshape(24, 3).astype(np.float32))
        low, high = truth["joints_2d"][at].min(0), truth["joints_2d"][at].max(0)
        found[f"_DEMO/clip/img/{at + 1:06d}.jpg"] = {
            "time": at, "tid": [4], "bbox": [np.concatenate([low, high - low])], "size": [[360, 640]],
            "smpl": [{"global_orient": turns[:1], "body_pose": turns[1:], "betas": np.zeros(10, np.float32)}],
        }  # fmt: skip
    return found


def test_every_format_says_the_same(truth: dict, tmp_path: Path):
    pose = truth["pose"][:FRAMES].astype(np.float32)
    np.savez(
        tmp_path / "amass.npz", poses=np.concatenate([pose[:, :66], np.zeros((FRAMES, 90))], 1),
        trans=truth["transl"][:FRAMES], betas=np.zeros(16), mocap_framerate=30.0, gender="neutral",
    )  # fmt: skip
    camera = np.array([[800, 0, 320], [0, 800, 180], [0, 0, 1.0]])
    np.savez(
        tmp_path / "gvhmr.npz", smpl_params_incam_global_orient=pose[:, :3], K_fullimg=np.tile(camera, (FRAMES, 1, 1)),
        smpl_params_incam_body_pose=pose[:, 3:66], smpl_params_incam_transl=truth["transl"][:FRAMES],
    )  # fmt: skip
    wham = {0: {"pose": pose, "trans": truth["transl"][:FRAMES], "frame_ids": np.arange(FRAMES)}}
    (tmp_path / "wham.pkl").write_bytes(pickle.dumps(wham))
    (tmp_path / "phalp.pkl").write_bytes(pickle.dumps(phalp(truth)))
    (tmp_path / "pressed.pkl").write_bytes(zlib.compress(pickle.dumps(phalp(truth))))
    for name, source in (
        ("amass.npz", "AMASS"), ("gvhmr.npz", "SMPL parameters"), ("wham.pkl", "WHAM"),
        ("phalp.pkl", "4D-Humans / PHALP"), ("pressed.pkl", "4D-Humans / PHALP"),
    ):  # fmt: skip
        found = read_outside(tmp_path / name)
        (track,) = found.tracks
        turned = rotation_matrices(track.pose.reshape(-1, 24, 3))[:, :22]
        np.testing.assert_allclose(turned, rotation_matrices(pose.reshape(-1, 24, 3))[:, :22], atol=1e-5, err_msg=name)
        assert found.source == source and found.in_camera == (source != "AMASS")
    assert read_outside(tmp_path / "gvhmr.npz").focal == 800


class Evil:
    def __reduce__(self):
        return print, ("I ran",)


def test_files_that_are_none_are_sentences(tmp_path: Path, capsys):
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps({"a": Evil()}))
    (tmp_path / "cut.pkl").write_bytes(pickle.dumps({"a": np.zeros(100)})[:60])
    (tmp_path / "other.pkl").write_bytes(pickle.dumps({"a": np.zeros(3)}))
    np.savez(tmp_path / "objects.npz", poses=np.array([{}], object), allow_pickle=True)
    np.savez(tmp_path / "short.npz", poses=np.zeros((4, 30)), trans=np.zeros((4, 3)))
    for name, kind in (
        ("evil.pkl", "refused"), ("cut.pkl", "unreadable"), ("other.pkl", "unknown"), ("objects.npz", "unreadable"),
        ("short.npz", "unknown"),
    ):  # fmt: skip
        with pytest.raises(HmdiffError) as caught:
            read_outside(tmp_path / name)
        assert caught.value.kind == f"outside.{kind}" and caught.value.fix, name
    assert "I ran" not in capsys.readouterr().out


def test_a_world_and_its_video_become_a_take_and_are_refined(truth: dict, repo: Path, tmp_path: Path, capsys):
    """AMASS-style: the camera is found from what the detector sees, and the bodies land where the people are."""
    count = 30
    turn = np.array([[1, 0, 0], [0, 0, 1], [0, -1, 0]], np.float32)  # camera axes to a world with z up
    pose = truth["pose"][:count].astype(np.float32)
    root = rotation_vectors(turn @ rotation_matrices(pose[:, :3]))
    rest = truth["joints"][0, 0] - truth["transl"][0]
    trans = truth["joints"][:count, 0] @ turn.T - rest
    poses = np.concatenate([root, pose[:, 3:]], 1)
    np.savez(tmp_path / "w.npz", poses=poses, trans=trans, mocap_framerate=1 / np.diff(truth["times"]).mean())
    clip = repo / "assets" / "demo" / "demo.mp4"
    words = ["refine", str(tmp_path / "w.npz"), "--video", str(clip), "-o", str(tmp_path / "w.take"), "--smooth", "0.1"]
    focal = float(truth["focal"])
    assert cli.main([*words, "--focal", str(focal), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["take"].endswith("000002") and report["version"] == 2
    take, refined = read_take(tmp_path / "w.take"), read_take(Path(report["take"]))
    rows = np.flatnonzero(take.valid[0])[:count]
    assert len(rows) == count
    away = take.joints_2d[0, rows] - truth["joints_2d"][rows]
    assert np.median(np.linalg.norm(away, axis=-1)) < 8
    rooted = take.joints[0, rows] - take.joints[0, rows, :1] - (truth["joints"][rows] - truth["joints"][rows, :1])
    assert 1000 * np.median(np.linalg.norm(rooted, axis=-1)) < 60
    spread = take.hypotheses_joints[0, rows] - take.hypotheses_joints[0, rows][:, :1]
    assert 10 < 1000 * np.linalg.norm(spread[:, 1:], axis=-1).mean() < 200
    assert (refined.pose[0, rows] != take.pose[0, rows]).any()
    assert cli.main(["refine", str(tmp_path / "w.npz"), "-o", str(tmp_path / "v.take")]) == 2
    assert "--video" in capsys.readouterr().err
