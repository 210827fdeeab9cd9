"""A rendered clip's exact truth, and a take laid beside it frame by frame."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hmdiff_wire.body import BodyData, load_body, skin
from hmdiff_wire.damaged import DAMAGED_NPZ
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import Take
from numpy.typing import NDArray

from ...bodies.joint_maps import J14_OF_24
from ...bodies.model import FREE_BODY
from ...video.render import mesh_mask, silhouette_iou
from .. import metrics
from ..footage import time_blocks
from ..score import Errors, acceleration, pose_errors

Floats = NDArray[Any]
ALIGNMENT = metrics.LSP_HIPS
J14 = list(J14_OF_24)


@dataclass(frozen=True, eq=False)
class ClipTruth:
    """F frames of one free body: times (F,) s; focal (F,) px; vertices (F,V,3), joints (F,24,3) camera axes, metres;
    joints_2d (F,24,2) px.
    """

    body: BodyData
    times: Floats
    focal: Floats
    vertices: Floats
    joints: Floats
    joints_2d: Floats


def read_clip_truth(path: Path) -> ClipTruth:
    """The .npz that ``tools/render_demo_clip.py`` writes beside the clip: times (F,), focal () or (F,), pose (F,72),
    betas (10,), transl (F,3), joints_2d (F,24,2). Errors: ``eval.no_truth``.
    """
    body = load_body(FREE_BODY)
    try:
        with np.load(path, allow_pickle=False) as stored:
            data = {name: np.asarray(stored[name], np.float32) for name in (
                "times", "focal", "pose", "betas", "transl", "joints_2d",
            )}  # fmt: skip
        count = len(data["times"])
        vertices, joints = skin(
            body, data["betas"].reshape(-1, 10)[0], data["pose"].reshape(count, 72), data["transl"].reshape(count, 3)
        )
        focal = np.broadcast_to(data["focal"].reshape(-1), count)
        times, joints_2d = data["times"].astype(np.float64), data["joints_2d"].reshape(count, 24, 2)
        return ClipTruth(body, times, focal, vertices, joints, joints_2d)
    except DAMAGED_NPZ as error:
        raise HmdiffError(
            "eval.no_truth", f"{path} is not the truth of a rendered clip.",
            "Use the file beside the demo clip, or make both again with tools/render_demo_clip.py.", repr(error),
        ) from error  # fmt: skip


@dataclass(frozen=True, eq=False)
class Compared:
    """One person of a take beside the truth. rows (R,): positions along the take with a body; truth: of the same R
    frames; blocks (R,): which half second each belongs to; same_body: whether vertices can be compared.
    """

    take: Take
    person: int
    rows: NDArray[np.int64]
    truth: ClipTruth
    blocks: NDArray[np.int64]
    same_body: bool

    def errors(self, joints: Floats, vertices: Floats | None, among: NDArray[np.bool_] | slice = slice(None)) -> Errors:
        """joints (r,14,3), vertices (r,V,3) metres, of all rows or of those in ``among``."""
        goal, corners = self.truth.joints[among][:, J14], self.truth.vertices[among]
        return pose_errors(joints, goal, ALIGNMENT, vertices if self.same_body else None, corners)

    def estimate_errors(self) -> Errors:
        """The finished motion: pose, mesh, acceleration, and the picture."""
        take, person, truth = self.take, self.person, self.truth
        joints, bodies = take.joints[person, self.rows], take.decode(person, self.rows)
        # Where a frame is missing between two rows no second difference is taken.
        jump = np.diff(self.rows, prepend=self.rows[0] - 1) != 1
        motion = acceleration(joints[:, J14], truth.joints[:, J14], ALIGNMENT, np.ones(len(joints), bool))
        size = (take.header.width, take.header.height)
        overlap = [
            silhouette_iou(
                bodies[row], take.body.faces, float(take.focal[at]), take.center,
                mesh_mask(truth.vertices[row], truth.body.faces, float(truth.focal[row]), take.center, size),
            )
            for row, at in enumerate(self.rows)
        ]  # fmt: skip
        return self.errors(joints[:, J14], bodies) | {
            "acceleration_mm": np.where(jump | np.roll(jump, -1), np.nan, motion),
            "error_2d_px": np.linalg.norm(take.joints_2d[person, self.rows] - truth.joints_2d, axis=-1).mean(-1),
            "iou": np.array(overlap),
        }

    def hypothesis_errors(self) -> list[Errors]:
        """Of each unsmoothed hypothesis; empty where the take has none."""
        joints = self.take.hypotheses_joints[self.person, self.rows][:, :, J14]
        return [self.errors(joints[:, k], self.take.decode(self.person, self.rows, k)) for k in range(joints.shape[1])]


def compare(take: Take, person: int, truth: ClipTruth) -> Compared:
    """Frames are matched by their time stamps. Errors: ``eval.other_clip``."""
    step = float(np.median(np.diff(truth.times))) if len(truth.times) > 1 else 1.0
    nearest = np.abs(take.times[:, None] - truth.times[None]).argmin(1)
    close = np.abs(take.times - truth.times[nearest]) < 0.5 * step
    rows = np.flatnonzero(take.valid[person] & close)
    if not len(rows):
        raise HmdiffError(
            "eval.other_clip", "The take and the truth have no frame in common.",
            "Name the take of the clip that this truth belongs to.",
        )  # fmt: skip
    at = nearest[rows]
    parts = (truth.times, truth.focal, truth.vertices, truth.joints, truth.joints_2d)
    chosen = ClipTruth(truth.body, *(part[at] for part in parts))
    same = take.n_vertices == truth.vertices.shape[1]
    return Compared(take, person, rows, chosen, time_blocks(chosen.times), same)
