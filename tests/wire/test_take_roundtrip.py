"""What is written comes back, wherever the chunks end; smoothed motion and raw rows stand beside each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hmdiff_wire.body import load_body, skin
from hmdiff_wire.take import HELD, STATUS_NAMES, TINY, TakeWriter, read_take
from hypothesis import given, settings
from hypothesis import strategies as st
from take_maker import V, header, person

FIELDS = ("box", "betas", "pose", "transl", "joints", "joints_2d", "landmarks_2d")


def write(folder: Path, body_file: Path, rows: dict[int, list], n: int = 3, chunk_frames: int = 32) -> None:
    writer = TakeWriter.create(folder, header(n), body_file, chunk_frames=chunk_frames)
    for frame, people in rows.items():
        writer.write_frame(frame, frame / 25, 300.0 + frame, people)
    writer.finish()


@settings(max_examples=25, deadline=None)
@given(
    present=st.lists(st.sets(st.integers(0, 3), max_size=3), min_size=0, max_size=20),
    chunk_frames=st.integers(1, 8),
    first=st.integers(0, 50),
)
def test_any_presence_and_any_chunk_length_come_back(present, chunk_frames, first, body_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("take") / "ein take"
    rows = {first + at: [person(first + at, track) for track in sorted(tracks)] for at, tracks in enumerate(present)}
    write(folder, body_file, rows, chunk_frames=chunk_frames)
    take = read_take(folder)
    tracks = sorted(set().union(*present)) if present else []
    assert take.track_ids.tolist() == tracks
    assert take.frame_indices.tolist() == list(rows)
    np.testing.assert_allclose(take.times, [frame / 25 for frame in rows])
    np.testing.assert_array_equal(take.focal, np.float32([300 + frame for frame in rows]))
    assert take.valid.shape == (len(tracks), len(rows))
    for place, track in enumerate(tracks):
        assert take.valid[place].tolist() == [track in there for there in present]
        for at, there in enumerate(present):
            if track not in there:
                assert np.isnan(take.pose[place, at]).all() and np.isnan(take.vertex_std[place, at]).all()
                continue
            told = person(first + at, track)
            for name in FIELDS:
                np.testing.assert_array_equal(take.read(name, place, at)[0], np.float32(getattr(told, name)))
            np.testing.assert_array_equal(take.hypotheses_pose[place, at], np.float32(told.hypotheses_pose))
            np.testing.assert_array_equal(take.hypotheses_joints[place, at], np.float32(told.hypotheses_joints))
            np.testing.assert_array_equal(take.hypotheses_score[place, at], np.float32(told.hypotheses_score))
            np.testing.assert_array_equal(take.vertex_std[place, at], np.float16(told.vertex_std))


def test_header_and_names_survive(tmp_path, body_file):
    write(tmp_path / "t", body_file, {4: [person(4, 0)]})
    take = read_take(tmp_path / "t")
    told = header(uuid=take.header.uuid, body_sha256=take.header.body_sha256)
    assert take.header == told and len(take.header.body_sha256) == 64
    assert take.run_status == "complete"
    assert take.global_orient.shape == (1, 1, 3) and take.body_pose.shape == (1, 1, 69) and take.betas.shape == (1, 10)
    np.testing.assert_array_equal(np.concatenate([take.global_orient, take.body_pose], -1), take.pose)


def test_smoothed_motion_is_read_where_it_exists_and_raw_rows_stay(tmp_path, body_file):
    writer = TakeWriter.create(tmp_path / "t", header(), body_file, chunk_frames=3)
    for frame in range(8):
        gone = frame == 4
        writer.write_frame(frame, frame / 25, 300.0, [person(frame, 5)] if not gone else [])
    rng = np.random.default_rng(0)
    frames = np.array([2, 3, 4, 5])
    motion = {
        "pose": rng.normal(size=(4, 72)),
        "transl": rng.normal(size=(4, 3)),
        "joints": rng.normal(size=(4, 24, 3)),
    }
    motion["joints_2d"] = rng.normal(size=(4, 24, 2))
    betas = np.arange(10)
    writer.set_track(5, betas, frames, **{name: value * 0 for name, value in motion.items()})
    writer.set_track(5, betas, frames, **motion)
    writer.finish()
    take, raw = read_take(tmp_path / "t"), read_take(tmp_path / "t", raw=True)
    for name, value in motion.items():
        np.testing.assert_array_equal(getattr(take, name)[0, 2:6], np.float32(value))
        np.testing.assert_array_equal(getattr(take, name)[0, [0, 1, 6, 7]], getattr(raw, name)[0, [0, 1, 6, 7]])
    np.testing.assert_array_equal(take.betas, np.float32(betas)[None])
    np.testing.assert_array_equal(take.read("betas", 0, [3, 0]), np.float32([betas, person(0, 5).betas]))
    # Smoothing bridged the frame without a row: it is there, and marked.
    assert take.valid[0].all() and take.status[0, 4] == HELD
    assert raw.valid[0].tolist() == [True] * 4 + [False] + [True] * 3
    np.testing.assert_array_equal(raw.pose[0, 3], np.float32(person(3, 5).pose))
    np.testing.assert_array_equal(take.boxes[0, 3], raw.boxes[0, 3])
    assert len(list((tmp_path / "t" / "tracks").iterdir())) == 1


def test_raw_betas_are_the_median_of_the_rows(tmp_path, body_file):
    write(tmp_path / "t", body_file, {frame: [person(frame, 0)] for frame in range(5)})
    told = np.median([np.float32(person(frame, 0).betas) for frame in range(5)], axis=0)
    np.testing.assert_allclose(read_take(tmp_path / "t").betas[0], told, rtol=1e-6)


def test_decode_is_the_skinning_of_what_was_stored(tmp_path, body_file):
    write(
        tmp_path / "t", body_file, {frame: [person(frame, 0), person(frame, 1)][: 1 + frame % 2] for frame in range(70)}
    )
    take, body = read_take(tmp_path / "t"), load_body(body_file)
    told = person(69, 1)
    expected = skin(body, told.betas.astype(np.float32), told.pose[None], told.transl[None])[0]
    np.testing.assert_allclose(take.decode(1, [69]), expected, atol=1e-6)
    expected = skin(body, told.betas.astype(np.float32), told.hypotheses_pose[2:], told.hypotheses_transl[2:])[0]
    np.testing.assert_allclose(take.decode(1, 69, hypothesis=2), expected, atol=1e-6)
    everything = take.decode(1)
    assert everything.shape == (70, V, 3)
    assert np.isnan(everything[::2]).all() and np.isfinite(everything[1::2]).all()
    with pytest.raises(IndexError):
        take.decode(0, 0, hypothesis=3)


def test_status_unusable_poses_missing_hypotheses_and_vertices(tmp_path, body_file):
    rows = {
        0: [person(0, 0, vertices=True)],
        1: [person(1, 0, status="held", n=0)],
        2: [person(2, 0, status="tiny", n=1, pose=np.full(72, np.nan), vertex_std=np.zeros(0))],
    }
    write(tmp_path / "t", body_file, rows)
    take = read_take(tmp_path / "t")
    assert [STATUS_NAMES[code] for code in take.status[0]] == ["ok", "held", "tiny"]
    assert take.valid[0].tolist() == [True, True, False] and take.status[0, 2] == TINY
    assert np.isfinite(take.boxes).all()
    assert np.isfinite(take.hypotheses_pose[0]).all((1, 2)).tolist() == [True, False, False]
    assert np.isfinite(take.hypotheses_score[0]).tolist() == [[True] * 3, [False] * 3, [True, False, False]]
    assert take.has_vertices and take.vertices.shape == (1, 3, V, 3)
    np.testing.assert_array_equal(take.vertices[0, 0], np.float32(rows[0][0].vertices))
    assert np.isnan(take.vertices[0, 1]).all() and np.asarray(take.vertices).shape == (1, 3, V, 3)
    assert np.isnan(take.vertex_std[0, 2]).all()
    assert np.isnan(take.decode(0, 2)).all()


def test_no_hypotheses_and_no_people(tmp_path, body_file):
    write(tmp_path / "a", body_file, {0: [person(0, 0, n=0)]}, n=0)
    assert read_take(tmp_path / "a").hypotheses_joints.shape == (1, 1, 0, 24, 3)
    write(tmp_path / "b", body_file, {0: [], 1: []})
    take = read_take(tmp_path / "b")
    assert take.n_people == 0 and take.joints.shape == (0, 2, 24, 3) and take.hypotheses_pose.shape == (0, 2, 3, 72)
    write(tmp_path / "c", body_file, {})
    assert read_take(tmp_path / "c").times.shape == (0,)


def test_up_is_stored_as_a_unit_vector(tmp_path, body_file):
    writer = TakeWriter.create(tmp_path / "t", header(), body_file)
    writer.set_up((0, -2, 0.5), "tilt")
    writer.finish("cancelled", "stopped by hand")
    take = read_take(tmp_path / "t")
    np.testing.assert_allclose(take.header.up, np.array((0, -2, 0.5)) / np.linalg.norm((0, -2, 0.5)))
    assert (take.header.up_source, take.run_status, take.message) == ("tilt", "cancelled", "stopped by hand")


def test_misuse_is_refused_before_anything_is_written(tmp_path, body_file):
    writer = TakeWriter.create(tmp_path / "t", header(), body_file, chunk_frames=2)
    writer.write_frame(3, 0.5, 300.0, [person(3, 0)])
    wrong = {
        "older frame": lambda: writer.write_frame(3, 0.6, 300.0, []),
        "older time": lambda: writer.write_frame(4, 0.5, 300.0, []),
        "track twice": lambda: writer.write_frame(4, 0.6, 300.0, [person(4, 0), person(4, 0)]),
        "shape": lambda: writer.write_frame(4, 0.6, 300.0, [person(4, 0, joints=np.zeros((3, 24)))]),
        "vertices": lambda: writer.write_frame(4, 0.6, 300.0, [person(4, 0, vertex_std=np.zeros(V + 1))]),
        "too many": lambda: writer.write_frame(4, 0.6, 300.0, [person(4, 0, n=4)]),
        "status": lambda: writer.write_frame(4, 0.6, 300.0, [person(4, 0, status="absent")]),
    }
    for name, act in wrong.items():
        with pytest.raises(ValueError):
            act()
            pytest.fail(name)
    writer.write_frame(4, 0.6, 300.0, [person(4, 0)])
    writer.finish()
    assert read_take(tmp_path / "t").frame_indices.tolist() == [3, 4]
