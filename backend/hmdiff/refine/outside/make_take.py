"""An outside result and its video as a take: our detector's keypoints, their motion, hypotheses sampled around it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import PersonFrame, TakeHeader, TakeWriter
from numpy.typing import NDArray

from ... import __version__
from ...bodies.joint_maps import read_landmark_regressor
from ...bodies.model import FREE_BODY, load_free_body
from ...bodies.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from ...detect import Observation
from ...fitting import focal_pixels
from ...fitting.camera import solve_translation
from ...video.observe import Observer
from ...video.options import RunOptions
from ...video.source import open_source
from ..figure import Figure
from ..losses.reprojection import project_points
from ..weights import load_score
from .estimates import Outside, OutsideTrack
from .samples import poses_around

HYPOTHESES = 5
LEAST_OVERLAP, LEAST_POINTS = 0.1, 30
NO_LENS = np.zeros(5)
OnProgress = Callable[[str, int, int], None]


@dataclass(frozen=True, eq=False)
class _Row:
    """One person in one frame: seen is None where the detector saw nobody there."""

    track: int
    pose: NDArray[np.float32]
    transl: NDArray[np.float32] | None
    seen: Observation | None


def make_take(
    outside: Outside, video: Path, folder: Path, focal: float | None = None,
    on_progress: OnProgress = lambda stage, done, total: None,
) -> tuple[str, ...]:  # fmt: skip
    """Write ``folder``, a take on the free body; -> notes for the user. focal px: instead of the file's or the assumed.

    Errors: those of the video and the detector, ``outside.other_video`` where no frame fits, ``take.exists``.
    """
    source = open_source(video)
    info = source.info
    length, known_by = focal_pixels((info.width, info.height), focal or outside.focal, info.focal_px)
    observer = Observer(info, RunOptions())
    by_frame: list[tuple[int, float, list[_Row]]] = []
    for frame in source:
        people = [one for one in observer.step(frame) if one.seen]
        by_frame.append((frame.index, frame.time, _rows_at(outside, frame.index, frame.time, people)))
        on_progress("reading", len(by_frame), source.n_frames or 0)
    rows = [row for _, _, some in by_frame for row in some]
    if not rows:
        raise HmdiffError(
            "outside.other_video", f"No frame of {video.name} has anybody of the result.",
            "Check that the result belongs to this video.",
        )  # fmt: skip
    persons = _placed(rows, outside, length, (info.width / 2, info.height / 2), on_progress)
    header = TakeHeader(
        source_path=str(video.resolve()), source_kind=info.kind, width=info.width, height=info.height, fps=info.fps,
        n_frames=source.n_frames, body_name="free", preset="outside", n_hypotheses=HYPOTHESES, seed=0, focal=length,
        focal_source="user" if known_by == "user" else known_by, tool_version=__version__, rotation=info.rotation,
        settings={"outside": outside.source}, source_mark=source.mark(),
    )  # fmt: skip
    writer = TakeWriter.create(folder, header, FREE_BODY)
    at = 0
    for index, seconds, some in by_frame:
        writer.write_frame(index, seconds, length, persons[at : at + len(some)])
        at += len(some)
    writer.finish("complete")
    missing = sum(row.seen is None for row in rows)
    notes = [f"The shape of {outside.source}'s body is not taken over: the free body has its own."]
    if missing:
        notes.append(f"In {missing} of {len(rows)} places the detector saw nobody; nothing holds the body there.")
    return tuple(notes)


def _rows_at(outside: Outside, index: int, seconds: float, people: Sequence[Observation]) -> list[_Row]:
    rows, free = [], list(people)
    for track in outside.tracks:
        at = _position(track, index, seconds)
        if at is None:
            continue
        seen = _match(track, at, free, len(outside.tracks) == 1)
        if seen is not None:
            free.remove(seen)
        rows.append(_Row(track.track_id, track.pose[at], None if track.transl is None else track.transl[at], seen))
    return rows


def _position(track: OutsideTrack, index: int, seconds: float) -> int | None:
    if track.frames is not None:
        at = int(np.searchsorted(track.frames, index))
        return at if at < len(track.frames) and track.frames[at] == index else None
    assert track.times is not None
    at = int(np.abs(track.times - seconds).argmin())
    step = float(np.median(np.diff(track.times))) if len(track.times) > 1 else 0.04
    return at if abs(track.times[at] - seconds) <= max(step, 1 / 60) else None


def _match(track: OutsideTrack, at: int, people: list[Observation], alone: bool) -> Observation | None:
    """By the box where the file has one, else the largest person."""
    if not people:
        return None
    if track.boxes is not None:
        best = max(people, key=lambda one: _overlap(track.boxes[at], one.box))  # type: ignore[index]
        return best if _overlap(track.boxes[at], best.box) > LEAST_OVERLAP else None
    return max(people, key=lambda one: float(np.prod(one.box[2:] - one.box[:2]))) if alone else people[0]


def _overlap(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    size = np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None)
    inside = float(np.prod(size))
    return inside / max(float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - inside, 1e-6)


@torch.no_grad()
def _placed(
    rows: Sequence[_Row], outside: Outside, focal: float, middle: tuple[float, float], on_progress: OnProgress
) -> list[PersonFrame]:
    body = load_free_body()
    figure = Figure.of(body, torch.from_numpy(read_landmark_regressor(body.data)))
    pose = torch.from_numpy(np.stack([row.pose for row in rows])).float()
    points = np.zeros((len(rows), 33, 2), np.float32)
    confidence = np.zeros((len(rows), 33), np.float32)
    for number, row in enumerate(rows):
        if row.seen is not None:
            points[number] = np.nan_to_num(row.seen.landmarks_2d)
            confidence[number] = row.seen.confidence
    seen, sure = torch.from_numpy(points), torch.from_numpy(confidence)
    if not outside.in_camera:
        pose = _before_camera(figure, pose, rows, points, confidence, focal, middle)
    on_progress("hypotheses", 0, 1)
    several = poses_around(load_score().model, pose, HYPOTHESES, 0)
    flat = several.flatten(0, 1)
    rotations = axis_angle_to_matrix(flat.reshape(-1, 24, 3))
    betas = torch.zeros(len(flat), body.n_betas)
    _, joints, marks = figure.pose(figure.tables(betas), rotations)
    lengths = torch.full((len(flat),), focal)
    placed = solve_translation(
        marks, seen.repeat_interleave(HYPOTHESES, 0), sure.repeat_interleave(HYPOTHESES, 0), lengths, middle
    )
    given = [row.transl for row in rows]
    fallback = torch.tensor(np.array([[0.0, 0.0, 4.0] if one is None else one for one in given])).float()
    transl = torch.where(placed.ok[:, None], placed.transl, fallback.repeat_interleave(HYPOTHESES, 0))
    joints = joints + transl[:, None]
    flat_points = project_points(joints, lengths, torch.tensor(middle).float().expand(len(flat), 2))
    on_progress("hypotheses", 1, 1)
    found = []
    for number, row in enumerate(rows):
        these = slice(number * HYPOTHESES, (number + 1) * HYPOTHESES)
        two = flat_points[number * HYPOTHESES].numpy()
        box = np.concatenate([two.min(0) - 12, two.max(0) + 12]) if row.seen is None else row.seen.box
        found.append(PersonFrame(
            track_id=row.track, status="held" if row.seen is None else row.seen.status, box=box,
            betas=np.zeros(10, np.float32), pose=pose[number].numpy(), transl=transl[number * HYPOTHESES].numpy(),
            joints=joints[number * HYPOTHESES].numpy(), joints_2d=two,
            landmarks_2d=np.concatenate([points[number], confidence[number][:, None]], 1),
            hypotheses_pose=several[number].numpy(), hypotheses_transl=transl[these].numpy(),
            hypotheses_joints=joints[these].numpy(), hypotheses_score=-np.arange(HYPOTHESES, dtype=np.float32),
            vertex_std=np.zeros(0, np.float32),
        ))  # fmt: skip
    return found


def _before_camera(
    figure: Figure, pose: torch.Tensor, rows: Sequence[_Row], points: NDArray[np.float32],
    confidence: NDArray[np.float32], focal: float, middle: tuple[float, float],
) -> torch.Tensor:  # fmt: skip
    """A world's poses in the axes of the one camera that stands still and sees the landmarks where they were seen.

    Errors: ``outside.camera`` where none does.
    """
    rotations = axis_angle_to_matrix(pose.reshape(-1, 24, 3))
    betas = torch.zeros(len(pose), figure.body.n_betas)
    marks = figure.pose(figure.tables(betas), rotations)[2].numpy()
    marks = marks + np.array([np.zeros(3) if row.transl is None else row.transl for row in rows])[:, None]
    sure = confidence > 0.5
    matrix = np.array([[focal, 0, middle[0]], [0, focal, middle[1]], [0, 0, 1.0]])
    world, image = marks[sure].astype(np.float64), points[sure].astype(np.float64)
    turn = _camera_of(world, image, matrix, 0.05 * focal) if len(world) >= LEAST_POINTS else None
    if turn is None:
        raise HmdiffError(
            "outside.camera", "No camera was found that sees this motion as the video shows it.",
            "The result must be of this video, from a camera that stands still; give --focal if you know it.",
        )  # fmt: skip
    camera = torch.from_numpy(turn).float()
    rotations[:, 0] = camera @ rotations[:, 0]
    return matrix_to_axis_angle(rotations).flatten(1)


def _camera_of(
    world: NDArray[np.float64], image: NDArray[np.float64], matrix: NDArray[np.float64], px: float
) -> NDArray[np.float64] | None:
    """(3,3) world to camera axes; None where fewer than a third of the points agree on one, to px."""
    good, turn, shift, inliers = cv2.solvePnPRansac(
        world, image, matrix, NO_LENS, iterationsCount=300, reprojectionError=px, flags=cv2.SOLVEPNP_EPNP
    )
    if not good or inliers is None or len(inliers) < max(LEAST_POINTS, len(world) / 3):
        return None
    chosen = np.asarray(inliers, np.int64).ravel()
    turn, _ = cv2.solvePnPRefineLM(world[chosen], image[chosen], matrix, NO_LENS, turn, shift)
    return np.asarray(cv2.Rodrigues(turn)[0], np.float64)
