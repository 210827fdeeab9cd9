"""The end of a run: one body shape per track, a smooth motion, and which way is up. The raw rows stay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from hmdiff_wire.take import Take, TakeWriter, read_take
from numpy.typing import NDArray
from torch import Tensor

from ..bodies.hierarchy import load_hierarchy
from ..bodies.joint_maps import fit_joint_maps
from ..bodies.model import BodyModel
from ..fitting import FittedTrack, Sightings, estimate_up, fit_track, meshes_from_rows
from ..fitting.smoothing import DEFAULT_STRENGTH
from .estimate import Estimator


@dataclass(frozen=True)
class _Anchors:
    """What holds a body to the picture: the reduced body, the map from its vertices to points (K,V'), and those points
    in the picture as a take's field gives them (with confidence, or without: then all count).
    """

    body: BodyModel
    matrix: Tensor
    field: str


def finish_tracks(
    estimator: Estimator, writer: TakeWriter, smooth: float | None, on_progress: Callable[[str, int, int], None]
) -> None:
    """Refit every track of the take being written; smooth: strength in seconds, None for the default."""
    take = read_take(writer.folder, raw=True)
    anchors = _anchors(estimator)
    strength = DEFAULT_STRENGTH if smooth is None else smooth
    joints = np.zeros((take.n_people, take.n_frames, 24, 3), np.float32)
    seen = np.zeros((take.n_people, take.n_frames), bool)
    for person, track in enumerate(take.track_ids):
        span, usable = _span(take, person)
        if span is None:
            continue
        motion = _fit(anchors, take, person, span, usable, strength)
        writer.set_track(
            int(track), motion.betas.numpy(), take.frame_indices[span], motion.pose.numpy(), motion.transl.numpy(),
            motion.joints.numpy(), motion.joints_2d.numpy(),
        )  # fmt: skip
        joints[person, span] = motion.joints.numpy()
        seen[person, span] = usable
        on_progress("motion", person + 1, take.n_people)
    if take.header.source_kind != "image" and seen.any():
        up = estimate_up(joints, take.times.astype(np.float32), seen)
        writer.set_up(up.up, up.source)


def _anchors(estimator: Estimator) -> _Anchors:
    if estimator.transfer is None:
        return _Anchors(estimator.coarse, estimator.landmarks, "landmarks_2d")
    own = estimator.transfer.own
    hierarchy = load_hierarchy(own.data)
    maps = fit_joint_maps(own, hierarchy, np.zeros((33, own.data.n_vertices), np.float32))
    return _Anchors(hierarchy.coarse(own), torch.from_numpy(maps.coarse_joints), "joints_2d")


def _span(take: Take, person: int) -> tuple[slice | None, NDArray[np.bool_]]:
    """First to last frame of a person, and which frames between were really seen."""
    frames = np.flatnonzero(take.valid[person])
    if not len(frames):
        return None, np.zeros(0, bool)
    span = slice(int(frames[0]), int(frames[-1]) + 1)
    landmarks = np.nan_to_num(take.landmarks_2d[person, span])
    usable = take.valid[person, span] & (landmarks[..., 2].max(1) > 0)
    return (span if usable.any() else None), usable


def _fit(
    anchors: _Anchors, take: Take, person: int, span: slice, usable: NDArray[np.bool_], strength: float
) -> FittedTrack:
    points = np.nan_to_num(take.read(anchors.field, person, span))
    confidence = points[..., 2] if points.shape[-1] == 3 else np.repeat(usable[:, None], points.shape[1], 1)
    pose = torch.from_numpy(np.nan_to_num(take.read("pose", person, span)))
    betas = torch.from_numpy(np.nan_to_num(take.read("betas", person, span)))
    seen = Sightings(
        landmarks_2d=torch.from_numpy(np.ascontiguousarray(points[..., :2])),
        confidence=torch.from_numpy(confidence.astype(np.float32)),
        focal=torch.from_numpy(take.focal[span].astype(np.float32)),
        principal=take.center,
        times=torch.from_numpy(take.times[span].astype(np.float32)),
        valid=torch.from_numpy(usable),
    )
    body = anchors.body
    return fit_track(body, meshes_from_rows(body, pose, betas[:, : body.n_betas]), anchors.matrix, seen, strength)
