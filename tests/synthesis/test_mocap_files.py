"""A person's own motion capture: BVH and AMASS files written here come back as the motion they were written from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hmdiff.bodies.model import FREE_BODY
from hmdiff.bodies.random_pose import random_rotations
from hmdiff.synthesis.bvh import read_bvh
from hmdiff.synthesis.mocap_files import load_mocap_folder, subjects_of_split
from hmdiff.synthesis.poses import load_pose_pool
from hmdiff_wire.body import JOINT_NAMES, joint_transforms, load_body, rest_shape
from hmdiff_wire.errors import HmdiffError
from scipy.spatial.transform import Rotation

PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)
J = {name: k for k, name in enumerate(JOINT_NAMES)}


def sided(rows: list[tuple[str, str, str, tuple[float, float, float]]]) -> list:
    out = []
    for name, parent, joint, offset in rows:
        out.append((name, parent, joint, offset))
        mirrored = [t.replace("Left", "Right").replace("LHip", "RHip") for t in (name, parent)]
        out.append((*mirrored, joint.replace("left", "right"), (-offset[0], *offset[1:])))
    return out


# joint of the file, its parent, the SMPL joint it turns with ("" = with its parent), offset. Legs spread at rest.
MOTIONBUILDER = [
    ("Hips", "", "pelvis", (0, 0, 0)),
    *sided([
        ("LHipJoint", "Hips", "", (0, 0, 0)), ("LeftUpLeg", "LHipJoint", "left_hip", (1.7, -1.9, 0.6)),
        ("LeftLeg", "LeftUpLeg", "left_knee", (2.4, -6.7, 0)), ("LeftFoot", "LeftLeg", "left_ankle", (2.7, -7.6, 0)),
        ("LeftToeBase", "LeftFoot", "left_foot", (0.17, -0.47, 2.0)),
    ]),
    ("LowerBack", "Hips", "spine1", (0, 0, 0)), ("Spine", "LowerBack", "spine2", (0, 2.0, -0.35)),
    ("Spine1", "Spine", "spine3", (0.05, 2.0, 0.04)), ("Neck", "Spine1", "", (0, 1.5, 0.2)),
    ("Neck1", "Neck", "neck", (0, 1.7, 0.1)), ("Head", "Neck1", "head", (0, 1.7, -0.2)),
    *sided([
        ("LeftShoulder", "Spine1", "left_collar", (0, 0, 0)),
        ("LeftArm", "LeftShoulder", "left_shoulder", (3.2, 1.1, -0.3)),
        ("LeftForeArm", "LeftArm", "left_elbow", (5, 0, 0)), ("LeftHand", "LeftForeArm", "", (3.5, 0, 0)),
        ("LeftFingerBase", "LeftHand", "left_wrist", (0, 0, 0)), ("LeftHandIndex1", "LeftFingerBase", "", (0.6, 0, 0)),
    ]),
]  # fmt: skip
BIOVISION = [
    ("Hips", "", "pelvis", (0, 0, 0)),
    *sided([
        ("LeftHip", "Hips", "left_hip", (3.5, 0, 0)), ("LeftKnee", "LeftHip", "left_knee", (0, -18, 0)),
        ("LeftAnkle", "LeftKnee", "left_ankle", (0, -17, 0)),
    ]),
    ("Chest", "Hips", "spine1", (0, 5, 0)),
    *sided([
        ("LeftCollar", "Chest", "left_collar", (1, 16, 2)), ("LeftShoulder", "LeftCollar", "left_shoulder", (5, 2, 0)),
        ("LeftElbow", "LeftShoulder", "left_elbow", (0, -12, 0)), ("LeftWrist", "LeftElbow", "left_wrist", (0, -10, 0)),
    ]),
    ("Neck", "Chest", "neck", (0, 18, 0)), ("Head", "Neck", "head", (0, 5, 0)),
]  # fmt: skip
DAZ = [
    ("hip", "", "pelvis", (0, 0, 0)), ("abdomen", "hip", "spine1", (0, 2, 0)),
    ("chest", "abdomen", "spine3", (0, 3, 0)),
    ("neck", "chest", "neck", (0, 6, 0)), ("head", "neck", "head", (0, 2, 0)),
    ("lCollar", "chest", "left_collar", (0.6, 4, 0)), ("rCollar", "chest", "right_collar", (-0.6, 4, 0)),
    ("lShldr", "lCollar", "left_shoulder", (3, 1, 0)), ("rShldr", "rCollar", "right_shoulder", (-3, 1, 0)),
    ("lForeArm", "lShldr", "left_elbow", (5, 0.2, 0)), ("rForeArm", "rShldr", "right_elbow", (-5, 0.2, 0)),
    ("lHand", "lForeArm", "left_wrist", (4, 0, 0)), ("rHand", "rForeArm", "right_wrist", (-4, 0, 0)),
    ("lThigh", "hip", "left_hip", (2, -1, 0)), ("rThigh", "hip", "right_hip", (-2, -1, 0)),
    ("lShin", "lThigh", "left_knee", (0, -8, 0.3)), ("rShin", "rThigh", "right_knee", (0, -8, 0.3)),
    ("lFoot", "lShin", "left_ankle", (0, -8, 0)), ("rFoot", "rShin", "right_ankle", (0, -8, 0)),
]  # fmt: skip
DIRECTION = {
    "hip": (0, -1, 0), "knee": (0, -1, 0), "ankle": (0, -0.28, 0.96), "foot": (0, 0, 1), "collar": (0.95, 0.31, 0),
    "shoulder": (1, 0, 0), "elbow": (1, 0, 0), "wrist": (1, 0, 0),
}  # fmt: skip


def direction(joint: str) -> np.ndarray:
    side, _, part = joint.partition("_")
    vector = np.array(DIRECTION.get(part, (0, 1, 0)), float) * ((-1, 1, 1) if side == "right" else (1, 1, 1))
    return vector / np.linalg.norm(vector)


def world_of(local: np.ndarray) -> np.ndarray:
    world = local.copy()
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            world[:, joint] = world[:, parent] @ local[:, joint]
    return world


def between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    axis = np.cross(a, b)
    length = np.linalg.norm(axis)
    if length < 1e-9:
        return np.eye(3)
    return Rotation.from_rotvec(axis / length * np.arctan2(length, a @ b)).as_matrix()


def about(axis: str, degrees: np.ndarray | float) -> np.ndarray:
    """Turns about one axis: (F,3,3), or (3,3) for a number."""
    vector = np.eye(3)["xyz".index(axis)]
    return Rotation.from_rotvec(np.multiply.outer(np.radians(degrees), vector)).as_matrix()


def bone_of(skeleton: list, place: int) -> np.ndarray | None:
    name = skeleton[place][0]
    offsets = [np.array(row[3], float) for row in skeleton if row[1] == name]
    if "Toe" in name:
        return np.array([0.0, 0, 1])
    if skeleton[place][2] in ("spine1", "spine3"):  # the trunk's bone goes to the neck, not to the collars
        offsets = [np.array(row[3], float) for row in skeleton if row[1] == name and "ollar" not in row[0] + row[2]]
    return offsets[0] / np.linalg.norm(offsets[0]) if offsets and np.linalg.norm(offsets[0]) > 0 else None


def theirs(skeleton: list, local: np.ndarray) -> np.ndarray:
    """World rotations of the file's joints whose bones point where those of the SMPL tree (F,24,3,3) do."""
    world = world_of(local)
    places = {row[0]: k for k, row in enumerate(skeleton)}
    out = np.empty((len(local), len(skeleton), 3, 3))
    for k, (_, parent, joint, _) in enumerate(skeleton):
        if not joint:
            out[:, k] = out[:, places[parent]]
            continue
        bone = bone_of(skeleton, k) if joint != "pelvis" else None
        out[:, k] = world[:, J[joint]] @ (np.eye(3) if bone is None else between(bone, direction(joint)))
    return out


def write_bvh(path: Path, skeleton: list, world: np.ndarray, frame_time: float, seed: int = 0) -> Path:
    rng = np.random.default_rng(seed)
    places = {row[0]: k for k, row in enumerate(skeleton)}
    columns: list[np.ndarray] = []

    def block(k: int, depth: int) -> str:
        name, parent, _, offset = skeleton[k]
        pad = "\t" * depth
        order = "".join(rng.permutation(list("XYZ")))
        local = world[:, k] if not parent else world[:, places[parent]].transpose(0, 2, 1) @ world[:, k]
        channels = [f"{axis}rotation" for axis in order]
        numbers = Rotation.from_matrix(local).as_euler(order, degrees=True)
        if not parent:
            channels = ["Xposition", "Yposition", "Zposition", *channels]
            numbers = np.concatenate([rng.normal(0, 50, (len(world), 3)), numbers], axis=1)
        columns.append(numbers)
        text = f"{pad}{'JOINT' if parent else 'ROOT'} {name}\n{pad}{{\n"
        text += f"{pad}\tOFFSET {offset[0]} {offset[1]} {offset[2]}\n"
        text += f"{pad}\tCHANNELS {len(channels)} {' '.join(channels)} \n"
        children = [c for c, row in enumerate(skeleton) if row[1] == name]
        text += "".join(block(c, depth + 1) for c in children)
        if not children:
            text += f"{pad}\tEnd Site\n{pad}\t{{\n{pad}\t\tOFFSET 0 0 {int('Toe' in name)}\n{pad}\t}}\n"
        return text + f"{pad}}}\n"

    tree = block(0, 0)
    rows = "\n".join(" ".join(f"{x:.5f}" for x in row) for row in np.concatenate(columns, axis=1))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"HIERARCHY\n{tree}MOTION\nFrames: {len(world)}\nFrame Time: {frame_time}\n{rows}\n")
    return path


def known_motion(count: int, seed: int = 0) -> np.ndarray:
    local = random_rotations(count, torch.Generator().manual_seed(seed)).double().numpy()
    turn = about("y", np.linspace(0, 360, count, endpoint=False))
    local[:, 0] = turn @ local[:, 0]
    for pair in ("hand", "wrist"):
        local[:, [J[f"left_{pair}"], J[f"right_{pair}"]]] = np.eye(3)
    return local


def at_rest_where_absent(skeleton: list, local: np.ndarray) -> np.ndarray:
    """What the file cannot say stays at rest."""
    present = {row[2] for row in skeleton}
    local = local.copy()
    local[:, [k for k, name in enumerate(JOINT_NAMES) if name not in present]] = np.eye(3)
    return local


def matrices(poses: np.ndarray) -> np.ndarray:
    return Rotation.from_rotvec(poses.reshape(-1, 3)).as_matrix().reshape(*poses.shape, 3)


def degrees_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = (x / np.linalg.norm(x, axis=-1, keepdims=True) for x in (a, b))
    return np.degrees(np.arccos(np.clip((a * b).sum(-1), -1, 1)))


@pytest.mark.parametrize("skeleton", [MOTIONBUILDER, BIOVISION, DAZ], ids=["motionbuilder", "biovision", "daz"])
def test_bvh_keeps_every_bone_direction(skeleton: list, tmp_path: Path) -> None:
    local = at_rest_where_absent(skeleton, known_motion(40))
    write_bvh(tmp_path / "06" / "06_01.bvh", skeleton, theirs(skeleton, local), 1 / 30)
    poses = load_mocap_folder(tmp_path, "train")
    start = len(local) - len(poses)  # two wild poses in a row at the start look like a T-pose and the motion
    assert poses.shape[1:] == (24, 3) and poses.dtype == np.float32 and start in (0, 1)
    found, truth = matrices(poses), local[start:]

    # Bones of the free body, which stands in its own T-pose, against the file's motion.
    _, rest = rest_shape(load_body(FREE_BODY), np.zeros(1, np.float32))
    joints = joint_transforms(np.array(PARENTS, np.int32), rest, found.astype(np.float32))[1]
    world, found_world = world_of(truth), world_of(found)
    for side in ("left", "right"):
        for joint, child in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist")):
            bone = joints[:, J[f"{side}_{child}"]] - joints[:, J[f"{side}_{joint}"]]
            wanted = world[:, J[f"{side}_{joint}"]] @ direction(f"{side}_{joint}")
            assert degrees_between(bone, wanted).max() < 1, (side, joint)
    for joint in JOINT_NAMES:
        if joint not in ("pelvis", "head") and "hand" not in joint:
            found_bone, wanted = (w[:, J[joint]] @ direction(joint) for w in (found_world, world))
            assert degrees_between(found_bone, wanted).max() < 1, joint
    assert degrees_between(found_world[:, 0, :, 2], world[:, 0, :, 2]).max() < 0.1  # the pelvis faces the same way


def test_bvh_left_is_left(tmp_path: Path) -> None:
    local = np.tile(np.eye(3), (1, 24, 1, 1))
    local[:, J["left_shoulder"]] = about("z", 80)
    local[:, J["right_shoulder"]] = about("z", 80)
    local[:, J["left_hip"]] = about("x", -90)
    write_bvh(tmp_path / "01_01.bvh", MOTIONBUILDER, theirs(MOTIONBUILDER, local), 1 / 30)
    _, rest = rest_shape(load_body(FREE_BODY), np.zeros(1, np.float32))
    found = matrices(load_mocap_folder(tmp_path, "train")).astype(np.float32)
    joints = joint_transforms(np.array(PARENTS, np.int32), rest, found)[1][0]
    head = joints[J["head"]]
    assert joints[J["left_wrist"], 1] > head[1] and joints[J["left_wrist"], 0] > 0
    assert joints[J["right_wrist"], 1] < joints[J["pelvis"], 1] + 0.1 and joints[J["right_wrist"], 0] < 0
    assert joints[J["left_knee"], 2] > 0.3 > 0.1 > abs(joints[J["right_knee"], 2])


def test_bvh_frame_rate_first_pose_and_duplicates(tmp_path: Path) -> None:
    local = known_motion(12)
    four_times = np.repeat(local, 4, axis=0)  # 120 frames per second
    t_pose = np.tile(np.eye(3), (1, 24, 1, 1))
    world = theirs(MOTIONBUILDER, np.concatenate([t_pose, four_times]))
    file = write_bvh(tmp_path / "35_01.bvh", MOTIONBUILDER, world, 1 / 120)
    assert len(read_bvh(file).rotations) == 48 and read_bvh(file).fps == pytest.approx(120, rel=1e-3)
    assert read_bvh(file, 30).rotations.shape[0] == 12
    poses = load_mocap_folder(tmp_path, "train")
    assert len(poses) == 12
    knees = world_of(matrices(poses))[:, J["left_knee"]] @ direction("left_knee")
    assert degrees_between(knees, world_of(local)[:, J["left_knee"]] @ direction("left_knee")).max() < 1

    slow = about("y", np.linspace(0, 4, 60))
    local = np.tile(np.eye(3), (60, 24, 1, 1))
    local[:, J["spine1"]] = slow
    write_bvh(tmp_path / "35_01.bvh", MOTIONBUILDER, theirs(MOTIONBUILDER, local), 1 / 30)
    assert 1 <= len(load_mocap_folder(tmp_path, "train")) <= 4  # barely moves


def test_bvh_heads_look_ahead(tmp_path: Path) -> None:
    """CMU's head markers are offset per person: the median gaze of a subject becomes 6 degrees down."""
    local = np.tile(np.eye(3), (40, 24, 1, 1))
    local[:, J["left_shoulder"]] = about("z", np.linspace(-60, 60, 40))
    sway = np.linspace(-10, 10, 40)
    local[:, J["head"]] = about("x", 25 + sway)
    write_bvh(tmp_path / "07_01.bvh", MOTIONBUILDER, theirs(MOTIONBUILDER, local), 1 / 30)
    gaze = world_of(matrices(load_mocap_folder(tmp_path, "train")))[:, J["head"], :, 2]
    pitch = np.degrees(np.arcsin(gaze[:, 1]))
    assert abs(np.median(pitch) + 6) < 1
    assert np.ptp(pitch) == pytest.approx(20, abs=3)  # the motion of the head itself stays


def test_half_of_the_forearm_twist_is_the_elbows(tmp_path: Path) -> None:
    local = np.tile(np.eye(3), (1, 24, 1, 1))
    local[:, J["left_wrist"]] = about("x", 80)
    write_bvh(tmp_path / "01_01.bvh", MOTIONBUILDER, theirs(MOTIONBUILDER, local), 1 / 30)
    pose = load_mocap_folder(tmp_path, "train")[0]
    np.testing.assert_allclose(np.degrees(pose[J["left_elbow"]]), (40, 0, 0), atol=0.1)
    np.testing.assert_allclose(np.degrees(pose[J["left_wrist"]]), (40, 0, 0), atol=0.1)
    np.testing.assert_allclose(pose[J["right_elbow"]], 0, atol=1e-3)


def write_amass(path: Path, poses: np.ndarray, rate: float = 120.0, key: str = "mocap_framerate") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, poses=poses, trans=np.zeros((len(poses), 3)), betas=np.zeros(16), gender="neutral", **{key: rate})
    return path


def test_amass_is_turned_upright_and_keeps_the_body(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    poses = rng.normal(0, 0.3, (40, 156))
    headings = np.linspace(0, 300, 40)
    # z is up in AMASS: stand up from y-up, then turn about the vertical.
    stand = Rotation.from_euler("x", 90, degrees=True)
    poses[:, :3] = (Rotation.from_euler("z", headings[:, None], degrees=True) * stand).as_rotvec()
    write_amass(tmp_path / "CMU" / "01" / "01_01_poses.npz", poses)
    write_amass(tmp_path / "ACCAD" / "s007" / "walk_stageii.npz", poses[:, :165], 60.0, "mocap_frame_rate")
    np.savez(tmp_path / "CMU" / "01" / "shape.npz", betas=np.zeros(16))
    np.savez(tmp_path / "ACCAD" / "s007" / "neutral_stagei.npz", betas=np.zeros(16))
    chosen = {split: load_mocap_folder(tmp_path, split) for split in ("train", "test")}
    assert sorted(len(p) for p in chosen.values()) == [10, 20]  # 120 and 60 down to 30 per second, one subject each
    found = max(chosen.values(), key=len)
    every = poses[::2]
    np.testing.assert_allclose(found[:, 1:22], every[:, 3:66].reshape(-1, 21, 3), atol=1e-6)
    assert not found[:, 22:].any()
    expected = Rotation.from_euler("y", headings[::2, None], degrees=True).as_matrix()
    np.testing.assert_allclose(matrices(found)[:, 0], expected, atol=1e-6)


def test_splits_go_by_subject_and_stay(tmp_path: Path) -> None:
    subjects = {f"{k:02d}" for k in range(1, 145)}
    test = subjects_of_split(subjects, "test")
    assert subjects_of_split(subjects, "train") == subjects - test
    assert 0.06 < len(test) / len(subjects) < 0.2
    fewer = set(sorted(subjects)[::2])
    assert subjects_of_split(fewer, "test") == test & fewer  # others in the folder change nothing
    assert len(subjects_of_split({"a", "b"}, "test")) == len(subjects_of_split({"a", "b"}, "train")) == 1

    for name in ("01_01", "01_02", "02_01", "03_01"):
        motion = known_motion(8, seed=int(name[:2]) * 10 + int(name[3:]))
        write_bvh(
            tmp_path / name[:2] / f"{name}.bvh", MOTIONBUILDER, theirs(MOTIONBUILDER, np.repeat(motion, 2, 0)), 1 / 60
        )
    train, held_out = (load_mocap_folder(tmp_path, split) for split in ("train", "test"))
    assert len(train) + len(held_out) == 32
    assert len(load_pose_pool(tmp_path, "train")) == len(train)


def test_errors_are_sentences(tmp_path: Path) -> None:
    def kind(folder: Path, split: str = "train") -> str:
        with pytest.raises(HmdiffError) as caught:
            load_mocap_folder(folder, split)
        assert caught.value.message.endswith(".") and caught.value.fix
        return caught.value.kind

    assert kind(tmp_path / "nowhere") == "mocap.not_found"
    (tmp_path / "empty").mkdir()
    assert kind(tmp_path / "empty") == "mocap.empty"
    np.savez(tmp_path / "empty" / "shape.npz", betas=np.zeros(10))
    np.savez(tmp_path / "empty" / "other.npz", betas=np.zeros(10))
    assert kind(tmp_path / "empty") == "mocap.empty"

    write_amass(tmp_path / "one" / "a.npz", np.zeros((4, 156)))
    assert kind(tmp_path / "one", "test") == "mocap.no_subjects"
    whole = (tmp_path / "one" / "a.npz").read_bytes()
    for content in (whole[:-200], b"", b"not a zip"):
        (tmp_path / "one" / "a.npz").write_bytes(content)
        assert kind(tmp_path / "one") == "mocap.unreadable"
    bad = [np.zeros((4, 30)), np.zeros(156), np.full((4, 156), np.nan), np.array([{"a": 1}], dtype=object)]
    for poses in bad:
        write_amass(tmp_path / "one" / "a.npz", poses)
        assert kind(tmp_path / "one") == "mocap.unreadable"
    write_amass(tmp_path / "one" / "a.npz", np.zeros((4, 156)), 0)
    assert kind(tmp_path / "one") == "mocap.unreadable"


def test_damaged_bvh_files_are_named(tmp_path: Path) -> None:
    world = theirs(MOTIONBUILDER, known_motion(3))
    file = write_bvh(tmp_path / "01_01.bvh", MOTIONBUILDER, world, 1 / 30)
    whole = file.read_text()
    damaged = [
        whole[:300], whole[: len(whole) // 2], whole[:-40], "", whole.replace("HIERARCHY", "X"), whole + " 3 4",
        whole.replace("Frames: 3", "Frames: 4"), whole.replace("Frame Time: 0.0", "Frame Time: -0.0"),
        whole.replace("CHANNELS 3", "CHANNELS 4", 1), whole.replace("Zrotation", "Wrotation", 1),
        whole.replace("}\nMOTION", "MOTION"), whole.replace("OFFSET", "OFFSET x", 1), whole[:-10] + "nan\n",
    ]  # fmt: skip
    for text in damaged:
        assert text != whole
        file.write_text(text)
        with pytest.raises(HmdiffError) as caught:
            load_mocap_folder(tmp_path, "train")
        assert caught.value.kind == "mocap.unreadable" and "01_01.bvh" in caught.value.message
    file.write_bytes(b"\xff\xfe\x00\x01" * 50)
    with pytest.raises(HmdiffError, match="01_01.bvh"):
        load_mocap_folder(tmp_path, "train")
    file.write_text(whole.replace("LeftUpLeg", "Tentacle"))
    with pytest.raises(HmdiffError) as caught:
        load_mocap_folder(tmp_path, "train")
    assert caught.value.kind == "mocap.unknown_skeleton"
