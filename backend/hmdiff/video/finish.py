"""The end of a run: one body shape per track, a smooth motion, and which way is up. The raw rows stay."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from hmdiff_wire.take import Take, TakeWriter, read_take
from numpy.typing import NDArray
from torch import Tensor

from ..bodies.model import BodyModel
from ..fitting import FittedTrack, Sightings, estimate_up, fit_track, meshes_from_rows
from ..fitting.smoothing import DEFAULT_STRENGTH
from .estimate import Estimator
from .warm import ready_body

Array = NDArray[np.float32]


@dataclass(frozen=True)
class _Anchors:
    """What holds a body to the picture: the reduced body, the map from its vertices to points (K,V'), and those points
    in the picture as a take's field gives them (with confidence, or without: then all count).
    """

    body: BodyModel
    matrix: Tensor
    field: str


class _Stopped(Exception):
    """Ends the fit of a long track in its middle."""


@dataclass(frozen=True, eq=False)
class _Motion:
    """One track over its span of n frames: betas (10,) or fewer, pose (n,72), transl (n,3), joints (n,24,3), joints_2d
    (n,24,2).
    """

    betas: Array
    pose: Array
    transl: Array
    joints: Array
    joints_2d: Array


def finish_tracks(
    estimator: Estimator, writer: TakeWriter, smooth: float | None, on_progress: Callable[[str, int, int], None],
    should_stop: Callable[[], bool] = lambda: False,
) -> bool:  # fmt: skip
    """Refit every track of the take being written; smooth: strength in seconds, None for the default.

    on_progress hears of the stage ``motion`` in frames of all tracks. Stopped between slices of a track it gives False:
    the tracks that were finished have their motion, the others their rows.
    """
    take = read_take(writer.folder, raw=True)
    strength = DEFAULT_STRENGTH if smooth is None else smooth
    spans = [(person, *_span(take, person)) for person in range(take.n_people)]
    tracks = [(person, span, usable) for person, span, usable in spans if span is not None]
    total = sum(len(usable) for _, _, usable in tracks)
    joints = np.zeros((take.n_people, take.n_frames, 24, 3), np.float32)
    seen = np.zeros((take.n_people, take.n_frames), bool)
    done = 0
    for person, span, usable in tracks:

        def heard(share: float, before: int = done, frames: int = len(usable)) -> None:
            # What comes after the fit of the frames takes its time too, so a track is not done before it is stored.
            on_progress("motion", before + int(0.9 * share * frames), total)
            if should_stop():
                raise _Stopped

        try:
            heard(0.0)
            motion = _motion(estimator, writer, take, person, span, usable, strength, heard)
        except _Stopped:
            return False
        writer.set_track(
            int(take.track_ids[person]), motion.betas, take.frame_indices[span], motion.pose, motion.transl,
            motion.joints, motion.joints_2d,
        )  # fmt: skip
        joints[person, span] = motion.joints
        seen[person, span] = usable
        done += len(usable)
        on_progress("motion", done, total)
    if take.header.source_kind != "image" and seen.any():
        up = estimate_up(joints, take.times.astype(np.float32), seen)
        writer.set_up(up.up, up.source)
    return True


def _motion(
    estimator: Estimator, writer: TakeWriter, take: Take, person: int, span: slice, usable: NDArray[np.bool_],
    strength: float, heard: Callable[[float], None],
) -> _Motion:  # fmt: skip
    if len(usable) == 1:
        # One frame has one shape already, and nothing to be smoothed with.
        betas, *values = (take.read(name, person, span) for name in ("betas", "pose", "transl", "joints", "joints_2d"))
        return _Motion(betas[0], *values)
    fitted = _fit(_anchors(estimator, writer), take, person, span, usable, strength, heard)
    return _Motion(
        fitted.betas.numpy(), fitted.pose.numpy(), fitted.transl.numpy(), fitted.joints.numpy(),
        fitted.joints_2d.numpy(),
    )  # fmt: skip


def _anchors(estimator: Estimator, writer: TakeWriter) -> _Anchors:
    if estimator.transfer is None:
        return _Anchors(estimator.coarse, estimator.landmarks, "landmarks_2d")
    own = ready_body(estimator.transfer.own, writer.header.body_sha256)
    return _Anchors(own.coarse, own.joints, "joints_2d")


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
    anchors: _Anchors, take: Take, person: int, span: slice, usable: NDArray[np.bool_], strength: float,
    heard: Callable[[float], None],
) -> FittedTrack:  # fmt: skip
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
    meshes = meshes_from_rows(body, pose, betas[:, : body.n_betas])
    return fit_track(body, meshes, anchors.matrix, seen, strength, progress=heard)
