"""A take as AMASS files: joints where they are, times when they are, read back as its readers do."""

from __future__ import annotations

import numpy as np
import pytest
from hmdiff.synthesis.amass import read_amass
from hmdiff.video.export_amass import export_amass
from hmdiff.video.outputs import write_output
from hmdiff_wire.body import load_body, rotation_matrices, skin
from hmdiff_wire.take import TakeWriter, read_take
from hmdiff_wire.world import world_from_camera
from scipy.spatial.transform import Rotation
from take_maker import body_person, header

FPS = 25.0


def take_of(folder, free_body, times, people=1, absent=()):
    writer = TakeWriter.create(folder, header(0, fps=FPS), free_body)
    for frame, time in enumerate(times):
        rows = [
            body_person(free_body, frame, track, (track - 0.5, 0.1, 4.0), 0.3 * frame)
            for track in range(people)
            if (track, frame) not in absent
        ]
        writer.write_frame(frame, time, 260.0, rows)
    writer.finish()
    return read_take(folder)


def joints_of(path, free_body):
    with np.load(path, allow_pickle=False) as stored:
        data = dict(stored)
    pose = np.concatenate([data["poses"][:, :66], np.zeros((len(data["poses"]), 6))], axis=1)
    return data, skin(load_body(free_body), data["hmdiff_betas"], pose, data["trans"])[1]


def test_every_person_has_a_file_with_the_takes_joints_and_times(tmp_path, free_body):
    take = take_of(tmp_path / "t", free_body, np.arange(8) / FPS, people=2, absent={(1, 0), (1, 4)})
    written = write_output(take, tmp_path / "none.mp4", tmp_path / "out" / "Tanz.amass.npz", lambda *_: None)
    assert [path.name for path in written] == ["Tanz_0.amass.npz", "Tanz_1.amass.npz"]
    world = world_from_camera(np.asarray(take.header.up))
    shift = []
    for person, path in enumerate(written):
        data, joints = joints_of(path, free_body)
        assert data["poses"].shape == (8, 156) and data["betas"].shape == (16,) and data["dmpls"].shape == (8, 8)
        assert float(data["mocap_framerate"]) == FPS and str(data["gender"]) == "neutral"
        seen = take.valid[person]
        # One offset brings all people onto the floor and over the origin.
        away = joints[seen] - take.read("joints", person)[seen] @ world.T
        assert np.abs(away - away.mean((0, 1))).max() < 1e-3
        shift.append(away.mean((0, 1)))
    assert np.abs(shift[0] - shift[1]).max() < 1e-4
    _, joints = joints_of(written[0], free_body)
    assert np.abs(joints[0, 0, :2]).max() < 1e-4 and 0.7 < joints[:, 0, 2].mean() < 1.1  # a pelvis over the floor


def test_uneven_times_are_filled_in_evenly(tmp_path, free_body):
    take = take_of(tmp_path / "t", free_body, [0.0, 0.04, 0.10, 0.12])
    (path,) = export_amass(take, tmp_path / "a.amass.npz")
    data, _ = joints_of(path, free_body)
    assert len(data["poses"]) == 4
    turns = Rotation.from_rotvec(data["poses"][:, :3])
    at_08 = (turns[1].inv() * turns[2]).magnitude() / (turns[1].inv() * turns[3]).magnitude()
    assert at_08 == pytest.approx(0.2 / 0.6, abs=0.01)  # 0.08 s is two thirds of the way from 0.3 to 0.6 rad


def test_our_own_reader_of_amass_files_finds_the_poses(tmp_path, free_body):
    take = take_of(tmp_path / "t", free_body, np.arange(5) / FPS)
    (path,) = export_amass(take, tmp_path / "a.amass.npz")
    local = read_amass(path, FPS)
    assert local is not None and local.shape == (5, 24, 3)
    told = rotation_matrices(take.read("pose", 0).reshape(5, 24, 3))[:, 1:22]
    assert np.abs(rotation_matrices(local)[:, 1:22] - told).max() < 1e-4
