"""Motion capture as clips to place in a scene: rotations over time on the free body's rest pose, and the way walked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from hmdiff_wire.body import joint_transforms, rotation_matrices
from hmdiff_wire.errors import HmdiffError
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ...bodies.model import BodyModel
from ..amass import read_amass
from ..bvh import read_bvh
from ..mocap_files import subject_of, subjects_of_split
from ..poses import MIRROR, apply_collar_correction, collar_correction
from ..retarget import level_heads, retarget

Floats = NDArray[np.floating]
FPS = 30.0
BUNDLE = "mocap_cmu_clips.npz"
_STRIDE = 8
_CLUSTERS = 192
_FIX = f"Give --data {BUNDLE}, or a folder with it or with AMASS-style .npz or CMU .bvh files."


@dataclass(frozen=True)
class MotionLibrary:
    """poses (F,24,3) local axis-angles and trans (F,3) pelvis positions over leg length, y up, floor at 0, of all
    sequences after one another; trans is NaN where a source has none. start, length (S,) per sequence.
    candidate (C,) frames to draw from with their weight (C,); owner (C,) their sequence. collar (2,3,3).
    """

    poses: Floats
    trans: Floats
    start: NDArray[np.int64]
    length: NDArray[np.int64]
    candidate: NDArray[np.int64]
    weight: NDArray[np.float64]
    owner: NDArray[np.int64]
    collar: torch.Tensor


@dataclass(frozen=True)
class Motion:
    """A piece of motion at 30 fps. quaternions (F,24,4) local, xyzw, neighbours on one side; trans (F,3) as above."""

    quaternions: NDArray[np.float64]
    trans: NDArray[np.float64]

    def at(self, time: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """time in seconds from the piece's first frame -> local rotations (24,3,3), trans (3,)."""
        place = float(np.clip(time * FPS, 0, len(self.quaternions) - 1))
        low = min(int(place), max(len(self.quaternions) - 2, 0))
        high, part = min(low + 1, len(self.quaternions) - 1), place - low
        mixed = (1 - part) * self.quaternions[low] + part * self.quaternions[high]
        return Rotation.from_quat(mixed).as_matrix(), (1 - part) * self.trans[low] + part * self.trans[high]


def load_motion(path: Path, split: str, body: BodyModel) -> MotionLibrary:
    """The subjects of ``train`` or ``test``; candidates are spread over poses and over clusters of poses, half each.

    Errors: ``mocap.not_found``, ``mocap.empty``, ``mocap.unreadable`` and those of the readers.
    """
    path = Path(path)
    bundle = path / BUNDLE if path.is_dir() else path
    if bundle.is_file():
        poses, trans, length = _read_bundle(bundle, split)
    elif path.is_dir():
        poses, trans, length = _read_folder(path, split)
    else:
        raise HmdiffError("mocap.not_found", f"There is no motion capture data at {path}.", _FIX)
    if not len(length):
        raise HmdiffError("mocap.empty", f"There is no motion of the {split} split in {path}.", _FIX)
    start = np.concatenate([[0], np.cumsum(length)[:-1]])
    candidate = np.concatenate([np.arange(s, s + n, _STRIDE) for s, n in zip(start, length, strict=True)])
    owner = np.searchsorted(start, candidate, side="right") - 1
    rest = body.joint_template
    direction = torch.stack([rest[16] - rest[13], rest[17] - rest[14]])
    collar = collar_correction(torch.from_numpy(poses[candidate]), direction)
    weight = _balance(poses[candidate], body)
    return MotionLibrary(poses, trans, start, length, candidate, weight, owner, collar)


def draw_motion(library: MotionLibrary, rng: np.random.Generator, frames: int) -> Motion:
    """A piece of ``frames`` + 2 frames (fewer where the sequence is shorter), mirrored half of the time.

    The frame that was drawn is somewhere in it; frame 0 and the last are there for motion blur.
    """
    pick = int(rng.choice(len(library.candidate), p=library.weight))
    owner = library.owner[pick]
    first, last = library.start[owner], library.start[owner] + library.length[owner]
    low = library.candidate[pick] - 1 - int(rng.integers(0, frames))
    low = int(np.clip(low, first, max(first, last - frames - 2)))
    window = slice(low, min(low + frames + 2, last))
    poses, trans = library.poses[window].astype(np.float64), library.trans[window].astype(np.float64)
    if rng.random() < 0.5:
        poses = poses[:, list(MIRROR)] * [1.0, -1.0, -1.0]
        trans = trans * [-1.0, 1.0, 1.0]
    local = Rotation.from_rotvec(poses.reshape(-1, 3)).as_matrix().reshape(-1, 24, 3, 3)
    local = apply_collar_correction(torch.from_numpy(local), library.collar.double()).numpy()
    quaternions = Rotation.from_matrix(local.reshape(-1, 3, 3)).as_quat().reshape(-1, 24, 4)
    for frame in range(1, len(quaternions)):
        quaternions[frame] *= np.where((quaternions[frame] * quaternions[frame - 1]).sum(-1, keepdims=True) < 0, -1, 1)
    return Motion(quaternions, trans)


def _balance(poses: Floats, body: BodyModel) -> NDArray[np.float64]:
    """poses (C,24,3) -> weights (C,) that sum to 1: rare poses as often as common ones, for half of the draws."""
    matrices = rotation_matrices(poses)
    matrices[:, 0] = np.eye(3, dtype=np.float32)
    _, joints = joint_transforms(body.data.parents, body.joint_template.numpy(), matrices)
    features = joints.reshape(len(poses), -1)
    centres = [features.mean(0)]
    nearest = np.full(len(features), np.inf)
    cluster = np.zeros(len(features), np.int64)
    for index in range(min(_CLUSTERS, len(features))):
        away = ((features - centres[-1]) ** 2).sum(1)
        cluster[away < nearest] = index
        nearest = np.minimum(nearest, away)
        centres.append(features[nearest.argmax()])
    per_cluster = 1.0 / np.bincount(cluster)[cluster]
    weight = 0.5 / len(poses) + 0.5 * per_cluster / per_cluster.sum()
    return weight / weight.sum()


def _read_bundle(path: Path, split: str) -> tuple[Floats, Floats, NDArray[np.int64]]:
    try:
        with np.load(path, allow_pickle=False) as data:
            chosen = np.flatnonzero(data["seq_split"] == {"train": 0, "test": 1}[split])
            start, length = data["seq_start"][chosen], data["seq_len"][chosen]
            frames = np.concatenate([np.arange(s, s + n) for s, n in zip(start, length, strict=True)])
            poses, trans = data["seq_poses"][frames].astype(np.float32), data["seq_trans"][frames].astype(np.float32)
            leg = float(np.linalg.norm(data["rest_offsets"][[4, 7]], axis=-1).sum())
    except (KeyError, ValueError, OSError) as error:
        sentence = f"{path.name} is not a bundle of motion clips."
        raise HmdiffError("mocap.unreadable", sentence, _FIX, repr(error)) from error
    return poses, trans / np.float32(leg), length


def _read_folder(folder: Path, split: str) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """AMASS and BVH files hold no way walked that all share, so these people act on the spot."""
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in (".npz", ".bvh"))
    if len({subject_of(path) for path in paths}) < 2:
        raise HmdiffError("mocap.empty", f"{folder} holds motion of fewer than two subjects.", _FIX)
    chosen = subjects_of_split({subject_of(path) for path in paths}, split)
    parts: list[NDArray[np.float64]] = []
    for path in (p for p in paths if subject_of(p) in chosen):
        if path.suffix.lower() == ".npz":
            read = read_amass(path, FPS)
        else:
            levelled = level_heads(retarget(read_bvh(path, FPS), path))
            read = Rotation.from_matrix(levelled.reshape(-1, 3, 3)).as_rotvec().reshape(-1, 24, 3)
        if read is not None and len(read):
            parts.append(read)
    length = np.array([len(part) for part in parts], np.int64)
    poses = np.concatenate(parts).astype(np.float32) if parts else np.zeros((0, 24, 3), np.float32)
    return poses, np.full((len(poses), 3), np.nan, np.float32), length
