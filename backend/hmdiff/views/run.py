"""`hmdiff animate CAM1 CAM2 ... --views`: a take of every camera, their offsets, and one motion of each person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import Take, read_take
from hmdiff_wire.take_format import MANIFEST
from hmdiff_wire.take_version import TrackMotion, write_version

from ..refine.take_bodies import make_take_refiner
from ..video.animate import run
from ..video.options import RunOptions
from ..video.source import open_source
from .calibration import Camera, match_cameras, read_cameras
from .combine import View, combine, main_person
from .match import match_people, people_of
from .sync import OVERLAP, find_offset

CAMERAS = "cameras"
"""The folder in the new take with each camera's own."""
OnProgress = Callable[[str, int, int], None]
THOUSANDTHS = 1000


@dataclass(frozen=True)
class ViewsResult:
    """take: the new take, in the first camera's axes; offsets: seconds of each camera; notes: sentences."""

    take: Path
    frames: int
    offsets: tuple[float, ...]
    notes: tuple[str, ...]


def run_views(
    videos: Sequence[Path], options: RunOptions, folder: Path, calibration: Path | None = None,
    offsets: Sequence[float] | None = None, on_progress: OnProgress = lambda stage, done, total: None,
) -> ViewsResult:  # fmt: skip
    """offsets: seconds that a moment's time in each video is more than in the first; found where None.

    Errors: ``views.*``, those of ``video.animate.run``, ``nothing.nobody``.
    """
    if (folder / MANIFEST).exists():
        raise HmdiffError("take.exists", f"{folder} already holds a take.", "Choose another folder.")
    cameras = _cameras(videos, calibration)
    views, notes = _takes(videos, cameras, options, folder, on_progress)
    views, said = _synchronised(views, offsets)
    notes += said
    on_progress("views", 0, THOUSANDTHS)
    matched = match_people(views)
    if not matched.groups:
        raise HmdiffError(
            "views.nobody_shared", "Nobody in camera 1 was found again in another camera.",
            "Check that the cameras show the same scene, that the calibration is theirs, and the offsets.",
        )  # fmt: skip
    notes += matched.notes
    refiner = make_take_refiner(views[0].take, "score")
    motions: dict[int, TrackMotion] = {}
    for number, group in enumerate(matched.groups):

        def heard(share: float, before: int = number) -> None:
            on_progress("views", int(THOUSANDTHS * (before + share) / len(matched.groups)), THOUSANDTHS)

        found = combine(group, refiner, options.smooth, heard)
        motions[found.plan.track_id] = TrackMotion(
            found.plan.betas, found.plan.frames, found.pose, found.transl, found.joints, found.joints_2d
        )  # fmt: skip
    wishes = {
        "views": [str(path) for path in videos], "offsets": [one.offset for one in views],
        "calibration": str(calibration) if calibration else None,
    }  # fmt: skip
    write_version(views[0].take.folder, folder, motions, (), wishes)
    return ViewsResult(
        folder, max(len(one.pose) for one in motions.values()), tuple(one.offset for one in views), tuple(notes)
    )


def _cameras(videos: Sequence[Path], calibration: Path | None) -> tuple[Camera | None, ...]:
    if calibration is None:
        return (None,) * len(videos)
    cameras = match_cameras(read_cameras(calibration), videos)
    sizes = [(info.width, info.height) for info in (open_source(video).info for video in videos)]
    return tuple(camera.scaled_to(size) for camera, size in zip(cameras, sizes, strict=True))


def _takes(
    videos: Sequence[Path], cameras: Sequence[Camera | None], options: RunOptions, folder: Path, on_progress: OnProgress
) -> tuple[list[View], list[str]]:
    """Every camera by itself, beside the new take, since that appears in one step."""
    views: list[View] = []
    notes: list[str] = []
    for number, (video, camera) in enumerate(zip(videos, cameras, strict=True), start=1):
        own = options if camera is None else replace(options, focal=camera.focal)
        where = cameras_folder(folder) / f"{number:02d}-{video.stem}.take"

        def heard(stage: str, done: int, total: int, camera_number: int = number) -> None:
            on_progress(f"camera {camera_number}: {stage}", done, total)

        result = run(video, own, where, heard, overwrite=True)
        notes += [f"Camera {number}: {note}" for note in result.notes]
        take = read_take(where)
        views.append(View(take, main_person(take), 0.0, camera))
    return views, notes


def cameras_folder(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.{CAMERAS}")


def _synchronised(views: list[View], offsets: Sequence[float] | None) -> tuple[list[View], list[str]]:
    """Errors: ``views.offsets`` for a wrong number of them, ``views.apart`` where two show no common moment."""
    if offsets is not None:
        if len(offsets) != len(views):
            raise HmdiffError(
                "views.offsets", f"{len(offsets)} offsets are given for {len(views)} cameras.",
                "Give one for each camera, the first being 0.",
            )  # fmt: skip
        return [replace(view, offset=float(one)) for view, one in zip(views, offsets, strict=True)], []
    found, notes = [views[0]], []
    for number, view in enumerate(views[1:], start=2):
        offset = max(
            (find_offset(*one, *other) for one in _motions(views[0]) for other in _motions(view)),
            key=lambda one: one.correlation,
        )
        if not offset.sure:
            raise HmdiffError(
                "views.apart", f"No common moment of camera 1 and camera {number} was found.",
                "Say how far apart they are with --offset, or check that they show the same motion.",
                f"best correlation {offset.correlation:.2f} at {offset.seconds:.3f} s",
            )  # fmt: skip
        notes.append(
            f"Camera {number} is {offset.seconds:+.3f} s from camera 1 (correlation {offset.correlation:.2f})."
        )
        found.append(replace(view, offset=offset.seconds))
    return found, notes


def _motions(view: View) -> list[tuple[np.ndarray, np.ndarray]]:
    """pose and times of everybody who is there long enough to tell; of the main person in any case."""
    take: Take = view.take
    found = []
    for person in people_of(take):
        positions = np.flatnonzero(take.valid[person])
        if person != view.person and np.ptp(take.times[positions]) < OVERLAP:
            continue
        found.append((take.read("pose", person, positions), take.times[positions]))
    return found
