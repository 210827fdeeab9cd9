"""What the artist's edits do to a motion, in numbers; numpy only."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hmdiff_blender.edits import turns
from hmdiff_blender.edits.doubt import doubtful, missed, spread
from hmdiff_blender.edits.feet import Ground, contacts, grounded, runs, soles
from hmdiff_blender.edits.legs import LEGS, posed_joints, reach
from hmdiff_blender.edits.played import played
from hmdiff_blender.edits.record import ESTIMATE, Edits, Lock, PersonEdits, Pick
from hmdiff_blender.edits.sequence import Poses
from hmdiff_blender.edits.shape import measures, shape_names
from hmdiff_blender.edits.smoothing import smoothed
from hmdiff_wire.body import JOINT_NAMES, load_body, rest_shape, rotation_matrices
from hmdiff_wire.take import read_take

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "blender"))
from blender_takes import BODY, Clip, write_take

TIMES = np.arange(90) / 30.0
BETAS = np.zeros(10, np.float32)
GROUND = Ground(np.array([0.0, -1.0, 0.0]), -1.4)


@pytest.fixture(scope="module")
def body():
    return load_body(BODY)


@pytest.fixture(scope="module")
def take(tmp_path_factory):
    folder = tmp_path_factory.mktemp("edits") / "take"
    return read_take(write_take(folder, Clip(times=tuple(np.arange(40) / 25), hypotheses=3)))


def angle(first, second):
    """Degrees (n,24) between two poses (n,72)."""
    one, two = rotation_matrices(first.reshape(-1, 24, 3)), rotation_matrices(second.reshape(-1, 24, 3))
    trace = np.einsum("nkab,nkab->nk", one, two)
    return np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1)))


def walk(body, slide=0.0, sink=0.0):
    """A person on the spot that lifts one foot after the other, facing the camera, sliding and sinking (m/s)."""
    pose = np.zeros((len(TIMES), 24, 3))
    pose[:, 0, 0] = np.pi
    for side, phase in (("left", 0.0), ("right", np.pi)):
        lift = np.maximum(0, np.sin(2 * np.pi * TIMES + phase))
        pose[:, JOINT_NAMES.index(f"{side}_hip"), 0] = -0.7 * lift
        pose[:, JOINT_NAMES.index(f"{side}_knee"), 0] = 1.4 * lift
        pose[:, JOINT_NAMES.index(f"{side}_ankle"), 0] = -0.7 * lift
    vertices, joints = rest_shape(body, BETAS)
    transl = np.zeros((len(TIMES), 3))
    transl[:, 0] = slide * TIMES
    # y is down, the body turns about its pelvis: the soles begin at y = 1.4
    transl[:, 1] = 1.4 - 2 * joints[0, 1] + vertices[:, 1].min() + sink * TIMES
    transl[:, 2] = 4.0
    return Poses(pose.reshape(len(TIMES), -1), transl)


def test_turns_are_those_of_the_matrices():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 50, 3))
    quaternions = turns.multiply(turns.from_axis_angle(a), turns.from_axis_angle(b))
    expected = rotation_matrices(a).astype(np.float64) @ rotation_matrices(b)
    assert np.allclose(turns.to_matrix(quaternions), expected, atol=1e-5)
    assert np.allclose(rotation_matrices(turns.to_axis_angle(quaternions)), expected, atol=1e-5)
    half = turns.between(turns.from_axis_angle(0 * a), turns.from_axis_angle(0.5 * a), np.full((50, 1), 0.5))
    assert np.allclose(turns.to_axis_angle(half), 0.25 * a, atol=1e-6)


def test_a_pick_is_the_hypothesis_itself_and_fades_into_the_estimate(take):
    edits = Edits().picked(1, Pick(10, 12, 2, 4))
    plain, mixed = played(take, 0, Edits(), 0.0), played(take, 0, edits, 0.0)
    chosen = take.read("hypotheses_pose", 0)[:, 2]
    assert np.allclose(mixed.poses.pose[10:13], chosen[10:13], atol=1e-6)
    pelvis = rest_shape(take.body, take.betas[0])[1][0]
    seen, was = take.read("hypotheses_transl", 0)[10:13, 2] + pelvis, plain.poses.transl[10:13] + pelvis
    now = mixed.poses.transl[10:13] + pelvis
    assert np.allclose(now[:, 2], was[:, 2], atol=1e-5), "it does not jump in depth"
    assert np.allclose(now[:, :2] / now[:, 2:], seen[:, :2] / seen[:, 2:], atol=1e-5), "and stays on its pixel"
    assert np.array_equal(mixed.poses.pose[:6], plain.poses.pose[:6])
    assert np.array_equal(mixed.poses.pose[17:], plain.poses.pose[17:])
    away = angle(mixed.poses.pose[6:11], plain.poses.pose[6:11]).mean(1)
    assert away[0] < 0.2 * away[-1] and (np.diff(away) > 0).all()
    again = edits.picked(1, Pick(0, 39, ESTIMATE, 0))
    assert np.array_equal(played(take, 0, again, 0.0).poses.pose, plain.poses.pose)
    assert again.of(1).picks == (Pick(0, 39, ESTIMATE, 0),)  # what it covers whole is forgotten


def test_a_locked_frame_stays_whatever_else_is_changed(take):
    plain = played(take, 0, Edits(), 0.0)
    lock = Lock(20, tuple(plain.poses.pose[20]), tuple(plain.poses.transl[20]), 5)
    edits = Edits(smooth=0.3).picked(1, Pick(15, 25, 1, 3)).locked(1, lock)
    motion = played(take, 0, edits, 0.0).poses
    assert np.allclose(motion.pose[20], plain.poses.pose[20], atol=1e-7)
    assert np.allclose(motion.transl[20], plain.poses.transl[20], atol=1e-7)
    without = played(take, 0, edits.unlocked(1, 20), 0.0).poses
    assert angle(without.pose[20:21], plain.poses.pose[20:21]).mean() > 5
    assert np.allclose(motion.transl[27], without.transl[27]), "the lock reaches its blend and no further"


def test_edits_survive_the_file_and_odd_text_is_no_edit():
    edits = (
        Edits(2, True, 0.1, 0.5, 1.0).picked(3, Pick(1, 2, 0, 4)).locked(3, Lock(1, (0.0,) * 72, (1.0, 2.0, 3.0), 2))
    )
    edits = edits.with_person(4, PersonEdits(betas=(0.5,) * 10))
    assert Edits.from_json(edits.to_json()) == edits
    assert Edits.from_json("") == Edits() == Edits.from_json("{") == Edits.from_json('{"unknown": 1}')


@pytest.mark.parametrize("how", ["dragged", "picked"])
def test_a_corrected_frame_outlasts_smoothing_and_its_neighbours_lead_up_to_it(take, how):
    frame, at = int(take.frame_indices[20]), 20
    track = int(take.track_ids[0])
    person = PersonEdits(corrected=(frame,)) if how == "dragged" else PersonEdits(picks=(Pick(frame, frame, 1, 0),))
    edits = Edits(smooth=0.2).with_person(track, person)
    sharp = played(take, 0, replace(edits, smooth=0.0), 0.0).poses
    kept = played(take, 0, edits, 0.0).poses
    washed = played(take, 0, replace(edits, keep_corrected=False), 0.0).poses
    lost = angle(washed.pose[[at]], sharp.pose[[at]]).max()
    assert lost > 1.0 and np.abs(kept.pose[at] - sharp.pose[at]).max() < 1e-6
    assert np.abs(kept.transl[at] - sharp.transl[at]).max() < 1e-6
    away = angle(kept.pose, washed.pose).max(axis=1)
    assert away[at] > away[at + 3] > away[at + 7] and max(away[at + 12 :].max(), away[: at - 12].max()) < 0.1


def test_a_refined_version_says_which_frames_are_corrected_and_old_files_are_read():
    edits = Edits(smooth=0.1).locked(3, Lock(1, (0.0,) * 72, (0.0, 0.0, 0.0), 2)).baked(2, {3: (7,), 5: (9, 11)})
    assert edits.of(3).corrected == (7,) and len(edits.of(3).locks) == 1 and edits.of(5).corrected == (9, 11)
    assert Edits.from_json(edits.to_json()) == edits
    assert edits.baked(3).of(5) == PersonEdits()
    old = '{"smooth": 0.2, "people": {"4": {"picks": [], "locks": [], "betas": [1.0]}}}'
    assert Edits.from_json(old) == Edits(smooth=0.2, people={4: PersonEdits(betas=(1.0,))})


def test_smoothing_takes_the_jitter_and_leaves_even_motion(body):
    even = Poses(np.linspace(0, 1, 90)[:, None] * np.ones(72) * 0.2, np.linspace(0, 1, 90)[:, None] * np.ones(3))
    result = smoothed(even, TIMES, 0.1)
    assert np.allclose(result.transl, even.transl, atol=1e-3)
    assert angle(result.pose, even.pose).max() < 0.3
    rng = np.random.default_rng(1)
    shaken = Poses(even.pose + 0.05 * rng.normal(size=even.pose.shape), even.transl + 0.02 * rng.normal(size=(90, 3)))
    calm = smoothed(shaken, TIMES, 0.1)

    def jitter(values):
        return np.abs(np.diff(values, n=2, axis=0)).mean()

    assert jitter(calm.transl) < 0.1 * jitter(shaken.transl)
    assert angle(calm.pose, even.pose).mean() < 0.5 * angle(shaken.pose, even.pose).mean()


def test_smoothing_never_reaches_across_a_gap():
    times = np.concatenate([np.arange(10) / 30, 2 + np.arange(10) / 30])
    values = np.repeat([0.0, 1.0], 10)[:, None] * np.ones(3)
    assert np.allclose(smoothed(Poses(np.zeros((20, 72)), values), times, 0.3).transl, values, atol=1e-6)


def test_legs_reach_what_they_can_and_keep_the_feet_straight(body):
    motion = walk(body)
    world, joints = posed_joints(body, BETAS, motion)
    hip, knee, ankle, _ = LEGS[0]
    target = np.stack([joints[:, leg[2]] for leg in LEGS], axis=1) + np.array([0.03, -0.05, -0.04])
    moved, after = posed_joints(body, BETAS, reach(body, BETAS, motion, target))
    assert np.abs(after[:, ankle] - target[:, 0]).max() < 1e-3
    assert np.abs(moved[:, ankle] - world[:, ankle]).max() < 1e-4
    lengths = [np.linalg.norm(one[:, knee] - one[:, hip], axis=1) for one in (joints, after)]
    assert np.allclose(*lengths, atol=1e-5)
    far = reach(body, BETAS, motion, target + np.array([0.0, 1.0, 0.0]))
    assert np.isfinite(far.pose).all()


def test_a_standing_foot_stops_sliding_and_floating(body):
    motion = walk(body, slide=0.15, sink=-0.1)
    stands = contacts(body, BETAS, motion, TIMES, GROUND)
    assert 0.4 < stands.mean() < 0.9 and (stands.any(1)).mean() > 0.9

    def slid(poses):
        joints = posed_joints(body, BETAS, poses)[1]
        worst = []
        for side, leg in enumerate(LEGS):
            for first, last in runs(stands[:, side]):
                part = joints[first + 3 : last - 2, leg[3]][:, [0, 2]]
                if len(part) > 2:
                    worst.append(np.ptp(part, axis=0).max())
        return max(worst)

    fixed = grounded(body, BETAS, motion, TIMES, GROUND, 1.0, 1.0)
    assert slid(motion) > 0.03 and slid(fixed) < 0.004
    height = soles(body, BETAS, motion, GROUND).min(1), soles(body, BETAS, fixed, GROUND).min(1)
    assert height[0].max() > 0.2 and height[1].max() < 0.03 and height[1].min() > -0.01
    half = grounded(body, BETAS, motion, TIMES, GROUND, 0.5, 0.0)
    assert 0.3 * slid(motion) < slid(half) < 0.7 * slid(motion)
    assert grounded(body, BETAS, motion, TIMES, GROUND, 0.0, 0.0) is motion


def test_doubtful_frames_are_the_wide_and_the_missed_ones(tmp_path):
    level = np.full(60, 40.0)
    level[20:24] = [90, 120, 110, 80]
    level[50] = 45.0
    status = np.ones(60, np.uint8)
    status[40:43] = 2
    assert doubtful(level, status) == [(20, 23, 21), (40, 42, 40)]
    assert missed(status) == [(40, 42)]
    assert doubtful(np.full(60, np.nan), np.ones(60, np.uint8)) == []
    assert doubtful(np.full(60, 40.0), np.ones(60, np.uint8)) == []


def test_spread_is_in_millimetres_and_unknown_where_nothing_was_measured(take):
    assert np.isnan(spread(take, 0)).all()


def test_shape_directions_do_what_their_names_say(body):
    names = shape_names(body.name)
    assert len(set(names)) == 10

    def at(name, value):
        betas = np.zeros(10, np.float32)
        betas[names.index(name)] = value
        return measures(body, betas)

    assert at("Height", 2)[0] - at("Height", -2)[0] > 0.3
    assert abs(at("Weight", 2)[0] - at("Weight", -2)[0]) < 0.02 and at("Weight", 2)[1] - at("Weight", -2)[1] > 30
    assert 50 < at("Height", 0)[1] < 80
    for name in names[4:]:
        assert abs(at(name, 2)[0] - at(name, -2)[0]) < 0.02 and abs(at(name, 2)[1] - at(name, -2)[1]) < 8
