"""Frames and time, without Blender's data."""

from __future__ import annotations

import bpy  # noqa: F401  (gives mathutils)
import numpy as np
import pytest
from hmdiff_blender.scene.axes import BODY_TO_BLENDER, camera_rotation, world_from_camera
from hmdiff_blender.scene.rotations import continuous, quaternions
from hmdiff_blender.scene.timing import FrameMap, footage_offsets, nominal_rate, scene_rate
from hmdiff_wire.body import rotation_matrices
from mathutils import Quaternion


def test_a_level_camera_looks_along_y_with_z_up():
    world = world_from_camera()
    assert np.allclose(world @ [0, 0, 1], [0, 1, 0])
    assert np.allclose(world @ [0, -1, 0], [0, 0, 1])
    assert np.allclose(world @ [1, 0, 0], [1, 0, 0])
    assert np.allclose(camera_rotation(world) @ [0, 0, -1], [0, 1, 0])


@pytest.mark.parametrize("up", [(0.2, -0.9, 0.3), (0, 0, -1), (0, 0, 1), (1, 0, 0), (0, -5, 0), (0, 0, 0)])
def test_the_world_is_a_rotation_that_sends_up_to_z(up):
    world = world_from_camera(np.array(up, float))
    assert np.allclose(world @ world.T, np.eye(3)) and np.isclose(np.linalg.det(world), 1)
    if np.linalg.norm(up):
        assert np.allclose(world @ (np.array(up) / np.linalg.norm(up)), [0, 0, 1])


def test_the_rest_pose_stands_and_faces_the_front_view():
    assert np.isclose(np.linalg.det(BODY_TO_BLENDER), 1)
    assert (BODY_TO_BLENDER @ [0, 1, 0]).tolist() == [0, 0, 1]
    assert (BODY_TO_BLENDER @ [0, 0, 1]).tolist() == [0, -1, 0]


def test_quaternions_equal_blenders_also_at_half_turns():
    rng = np.random.default_rng(0)
    vectors = np.concatenate([rng.normal(size=(200, 3)), np.pi * np.eye(3), -np.pi * np.eye(3), np.zeros((1, 3))])
    matrices = rotation_matrices(vectors)
    back = np.array([np.array(Quaternion(q).to_matrix()) for q in quaternions(matrices)])
    assert np.abs(back - matrices).max() < 1e-5


def test_continuous_quaternions_never_flip():
    angles = np.linspace(0, 12 * np.pi, 300)
    keys = continuous(quaternions(rotation_matrices(np.stack([0 * angles, angles, 0 * angles], axis=1))))
    assert (np.sum(keys[1:] * keys[:-1], axis=1) > 0.99).all()


def test_time_stamps_become_fractional_frames_and_near_misses_snap():
    frame_map = FrameMap(fps=30.0, start=11, origin=2.0)
    assert np.allclose(frame_map.frames(np.array([2.0, 2.1, 2.15])), [11, 14, 15.5])
    # Matroska keeps milliseconds: 33 ms is frame 1 of 30 fps, not frame 0.99.
    assert frame_map.frames(np.array([2.033]))[0] == 12.0
    assert np.allclose(frame_map.times(np.array([11, 14])), [2.0, 2.1])


@pytest.mark.parametrize("fps", [23.976, 24.0, 29.97, 59.94, 12.5, 0.5])
def test_blenders_pair_of_numbers_gives_the_rate(fps):
    whole, base = scene_rate(fps)
    assert isinstance(whole, int) and whole >= 1 and np.isclose(whole / base, fps)


def test_the_nominal_rate_comes_from_time_stamps_where_none_is_stored():
    assert nominal_rate(np.arange(5) / 15, 0.0) == pytest.approx(15)
    assert nominal_rate(np.zeros(1), 0.0) == 24.0


RATES = [(30, 30, 0.0), (24, 30, 0.0), (60, 25, 1.2), (30, 29.97, 3)]


@pytest.mark.parametrize(("scene_fps", "movie_fps", "origin"), RATES)
def test_footage_offsets_show_the_movie_frame_of_the_moment(scene_fps, movie_fps, origin):
    frame_map = FrameMap(fps=scene_fps, start=5, origin=origin)
    frames, offsets = footage_offsets(frame_map, movie_fps, last=1500)
    assert (len(frames) == 1) == (scene_fps == movie_fps)
    for frame in range(5, 1501):
        offset = offsets[np.searchsorted(frames, frame, side="right") - 1]
        shown = frame - 5 + offset  # Blender's movie frame, from 0
        late = frame_map.times(np.array([frame]))[0] - shown / movie_fps
        assert -0.04 / movie_fps < late < 1 / movie_fps
