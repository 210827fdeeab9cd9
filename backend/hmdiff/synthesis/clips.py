"""Synthetic people who move before a camera that may pan: clips of frames, for networks that look at time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from hmdiff_wire.errors import HmdiffError
from torch import Tensor

from ..bodies.rotations import axis_angle_to_matrix
from .people import CameraRanges, People, SynthesisSetup, place_people, sample_cameras
from .poses import MIRROR, apply_collar_correction

FPS = 30.0
NEAREST = 1.0
"""No pelvis comes nearer to the camera than this (m): a clip that would is pushed back as a whole."""
_PANNING, _PAN = 0.35, 0.35
"""Share of clips with a turning camera, and its usual speed in radians a second."""


@dataclass(frozen=True)
class ClipPool:
    """Sequences after one another at 30 fps. poses (F,24,3) local axis-angle, trans (F,3) metres over leg length, y up;
    start, length (S,) per sequence; weight (S,) by which sequences are drawn.
    """

    poses: Tensor
    trans: Tensor
    start: Tensor
    length: Tensor
    weight: Tensor

    def to(self, device: torch.device | str) -> ClipPool:
        return ClipPool(*(part.to(device) for part in (self.poses, self.trans, self.start, self.length, self.weight)))


def load_clip_pool(path: Path, split: str, frames: int) -> ClipPool:
    """``mocap_cmu_clips.npz``: sequences of at least ``frames`` frames of the split's subjects; long ones come more
    often, by the root of their length. Errors: ``mocap.not_found``, ``mocap.unreadable``.
    """
    if not path.is_file():
        raise HmdiffError(
            "mocap.not_found", f"There is no motion capture data at {path}.", "Give --clips a mocap_cmu_clips.npz."
        )
    try:
        with np.load(path, allow_pickle=False) as data:
            chosen = (data["seq_split"] == {"train": 0, "test": 1}[split]) & (data["seq_len"] >= frames)
            leg = float(np.linalg.norm(data["rest_offsets"][[4, 7]], axis=-1).sum())
            poses = torch.from_numpy(data["seq_poses"].astype(np.float32))
            trans = torch.from_numpy(data["seq_trans"].astype(np.float32) / leg)
            start, length = (torch.from_numpy(data[name][chosen].astype(np.int64)) for name in ("seq_start", "seq_len"))
    except (KeyError, ValueError, OSError) as error:
        raise HmdiffError(
            "mocap.unreadable", f"{path.name} is not a bundle of motion clips.", "Use the file as it was handed out.",
            repr(error),
        ) from error  # fmt: skip
    return ClipPool(poses, trans, start, length, length.float().sqrt())


def sample_clips(
    setup: SynthesisSetup, pool: ClipPool, count: int, frames: int, generator: torch.Generator,
    cameras: CameraRanges | None = None, beta_std: float = 1.2,
) -> People:  # fmt: skip
    """count clips of frames people, rows clip by clip: one body, one camera and one piece of motion each."""
    device = setup.device

    def uniform(*shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=generator, device=device)

    row = torch.multinomial(pool.weight, count, replacement=True, generator=generator)
    begin = pool.start[row] + ((pool.length[row] - frames + 1) * uniform()).long()
    at = begin[:, None] + torch.arange(frames, device=device)
    poses, trans = pool.poses[at], pool.trans[at]
    flip = uniform() < 0.5
    poses = torch.where(flip[:, None, None, None], poses[:, :, list(MIRROR)] * poses.new_tensor([1, -1, -1]), poses)
    trans = torch.where(flip[:, None, None], trans * trans.new_tensor([-1, 1, 1]), trans)
    backwards = uniform() < 0.15  # motion played backwards is motion too
    poses = torch.where(backwards[:, None, None, None], poses.flip(1), poses)
    trans = torch.where(backwards[:, None, None], trans.flip(1), trans)
    rotations = apply_collar_correction(axis_angle_to_matrix(poses).flatten(0, 1), setup.collar)
    rotations = rotations.unflatten(0, (count, frames))
    betas = beta_std * torch.randn(count, 10, generator=generator, device=device)

    turn, pelvis = sample_cameras(count, generator, cameras or CameraRanges(), device)
    _, joints = setup.body.rest(betas)
    leg = (joints[:, 4] - joints[:, 1]).norm(dim=-1) + (joints[:, 7] - joints[:, 4]).norm(dim=-1)
    middle = trans[:, frames // 2, None]
    way = torch.einsum("nab,ntb->nta", turn, (trans - middle) * leg[:, None, None])
    pan = _pan(count, frames, uniform, generator, device)
    root = torch.einsum("ntab,nbc,ntcd->ntad", pan, turn, rotations[:, :, 0])
    pelvis = torch.einsum("ntab,ntb->nta", pan, pelvis[:, None] + way)
    pelvis = pelvis + torch.relu(NEAREST - pelvis[..., 2].amin(1))[:, None, None] * pelvis.new_tensor([0, 0, 1])
    rotations = torch.cat([root[:, :, None], rotations[:, :, 1:]], 2)
    return place_people(setup, betas.repeat_interleave(frames, 0), rotations.flatten(0, 1), pelvis.flatten(0, 1))


def _pan(count: int, frames: int, uniform, generator: torch.Generator, device: torch.device) -> Tensor:
    """(N,T,3,3): the camera turns evenly about its own place, mostly sideways, and not at all in most clips."""
    speed = torch.randn(count, 3, generator=generator, device=device) * torch.tensor([0.3, 1.0, 0.15], device=device)
    speed = speed * _PAN * (uniform() < _PANNING)[:, None]
    time = (torch.arange(frames, device=device) - frames // 2) / FPS
    return axis_angle_to_matrix(speed[:, None] * time[:, None])
