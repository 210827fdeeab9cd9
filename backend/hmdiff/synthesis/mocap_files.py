"""A person's own motion capture: a folder of AMASS-style .npz and CMU .bvh files as one array of poses."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from hmdiff_wire.body import JOINT_NAMES, joint_transforms, load_body, rest_shape
from hmdiff_wire.errors import HmdiffError
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ..bodies.anny_rig import PARENTS
from ..bodies.model import FREE_BODY
from .amass import read_amass
from .bvh import read_bvh
from .retarget import level_heads, retarget

FPS = 30.0
TEST_SHARE = 1 / 8
NEAR = 0.01
"""Metres: a pose is kept when its joints have moved this much on average since the last one kept (as in the bundle)."""

_FIX = "Give --data a folder with AMASS-style .npz or CMU .bvh files."


def load_mocap_folder(folder: Path, split: str) -> NDArray[np.float32]:
    """Poses (P,24,3): local axis-angles on the SMPL tree, root with y up, of the subjects of a split.

    split: ``train`` or ``test``. About one subject in eight is for testing, told by the name alone: the folder of an
    AMASS file, the number before ``_`` of a CMU file. At most 30 poses per second, near-duplicates thinned.
    Errors: ``mocap.not_found``, ``mocap.empty``, ``mocap.no_subjects``, ``mocap.unreadable``,
    ``mocap.unknown_skeleton``.
    """
    if split not in ("train", "test"):
        raise ValueError(f"split must be train or test, not {split!r}")
    folder = Path(folder)
    if not folder.is_dir():
        raise HmdiffError("mocap.not_found", f"There is no motion capture folder at {folder}.", _FIX)
    by_subject: dict[str, list[Path]] = {}
    for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".npz", ".bvh") and p.is_file()):
        if not _without_motion(path):
            by_subject.setdefault(subject_of(path), []).append(path)
    if not by_subject:
        raise HmdiffError("mocap.empty", f"There are no .npz or .bvh files in {folder}.", _FIX)
    chosen = subjects_of_split(set(by_subject), split)
    if not chosen:
        raise HmdiffError(
            "mocap.no_subjects", f"All motion in {folder.name} is of one subject, so none is left for testing.",
            "Add motion of others: a subject is the folder of an AMASS file, or the number before _ of a CMU file.",
        )  # fmt: skip
    parts = [part for subject in sorted(chosen) for part in _subject_poses(by_subject[subject])]
    poses = np.concatenate(parts or [np.zeros((0, 24, 3))])
    if not len(poses):
        raise HmdiffError("mocap.empty", f"The .npz files in {folder} hold no motion.", _FIX)
    return poses.astype(np.float32)


def subject_of(path: Path) -> str:
    """The person in a file: ``01`` of ``01_05.bvh``, the folder's name for an .npz."""
    return path.stem.split("_")[0] if path.suffix.lower() == ".bvh" else path.parent.name


def subjects_of_split(subjects: set[str], split: str) -> set[str]:
    """The subjects of ``train`` or ``test``, by a hash of their names; of two or more, neither split stays empty."""
    place = {name: int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big") / 2**48 for name in subjects}
    order = sorted(subjects, key=lambda name: place[name])
    count = sum(place[name] < TEST_SHARE for name in order)
    count = 0 if len(order) < 2 else min(max(count, 1), len(order) - 1)
    return set(order[:count]) if split == "test" else set(order[count:])


def _without_motion(path: Path) -> bool:
    """AMASS puts a subject's shape beside the motions under these names."""
    return path.suffix.lower() == ".npz" and (path.stem == "shape" or path.stem.endswith(("_stagei", "_shape")))


def _subject_poses(paths: list[Path]) -> list[NDArray[np.float64]]:
    parts = [read_amass(path, FPS) for path in paths if path.suffix.lower() == ".npz"]
    recorded = [retarget(read_bvh(path, FPS), path) for path in paths if path.suffix.lower() == ".bvh"]
    if recorded:
        levelled = level_heads(np.concatenate(recorded))
        ends = np.cumsum([len(part) for part in recorded])[:-1]
        for part in np.split(levelled, ends):
            parts.append(Rotation.from_matrix(part.reshape(-1, 3, 3)).as_rotvec().reshape(-1, len(JOINT_NAMES), 3))
    return [part[keep_distinct(part)] for part in parts if part is not None]


def keep_distinct(poses: NDArray[np.float64]) -> NDArray[np.int64]:
    """Indices of the poses (F,24,3) of one recording that differ from the last one kept, measured on the free body."""
    body = load_body(FREE_BODY)
    _, rest = rest_shape(body, np.zeros(1, np.float32))
    matrices = Rotation.from_rotvec(poses.reshape(-1, 3)).as_matrix().reshape(*poses.shape, 3).astype(np.float32)
    _, joints = joint_transforms(np.array(PARENTS, np.int32), rest, matrices)
    kept = [0]
    for frame in range(1, len(poses)):
        if np.linalg.norm(joints[frame] - joints[kept[-1]], axis=-1).mean() > NEAR:
            kept.append(frame)
    return np.array(kept)
