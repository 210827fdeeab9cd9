"""The main job: footage in, a take out. Frames stream through in small batches; tracks are finished at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from hmdiff_wire.take import PersonFrame, TakeHeader, TakeWriter

from .. import __version__
from ..bodies.model import FREE_BODY, load_free_body
from ..detect import Detector, ExternalDetector, Observation, read_keypoints
from ..fitting import focal_pixels
from .body_transfer import prepare_body
from .estimate import Estimator, estimate_people, make_estimator
from .finish import finish_tracks
from .frames import Frame
from .options import RunOptions
from .source import Source, open_source

BATCH_FRAMES = 16
"""Frames per network call: enough to fill two cores, few enough to cancel and stream smoothly."""

OnProgress = Callable[[str, int, int], None]
OnFrame = Callable[[int, float, list[PersonFrame]], None]


@dataclass(frozen=True)
class RunResult:
    """take: folder; frames read; people: track ids with a body; seen_frames: frames with somebody in them;
    status ``complete`` or ``cancelled``; notes: sentences for the user.
    """

    take: Path
    frames: int
    people: tuple[int, ...]
    seen_frames: int
    status: str
    notes: tuple[str, ...]


def run(
    footage: Path,
    options: RunOptions,
    take_folder: Path,
    on_progress: OnProgress = lambda stage, done, total: None,
    should_stop: Callable[[], bool] = lambda: False,
    on_frame: OnFrame = lambda index, time, rows: None,
    overwrite: bool = False,
) -> RunResult:
    """Animate a video, an image sequence or a photo into take_folder.

    on_progress hears (stage, done, total), total 0 where unknown; should_stop is asked between batches, and a stopped
    run leaves a readable take. Errors: those of the source, the detector, the weights, the body and the disk.
    """
    source = open_source(footage, options.frame_range)
    width, height = source.info.width, source.info.height
    focal, focal_source = focal_pixels((width, height), options.focal, source.info.focal_px)
    principal = (width / 2, height / 2)
    body_file, transfer = FREE_BODY, None
    if options.body is not None:
        transfer, body_file = prepare_body(options.body, load_free_body(), take_folder, focal, principal)
    estimator = make_estimator(options, transfer)
    header = TakeHeader(
        source_path=str(footage.resolve()), source_kind=source.info.kind, width=width, height=height,
        fps=source.info.fps, n_frames=source.n_frames, body_name="free" if options.body is None else options.body.stem,
        preset=options.preset, n_hypotheses=estimator.sampler.hypotheses, seed=options.seed, focal=focal,
        focal_source=focal_source, tool_version=__version__, rotation=source.info.rotation,
        settings=options.to_settings(),
    )  # fmt: skip
    writer = TakeWriter.create(take_folder, header, body_file, overwrite=overwrite)
    if transfer is not None:
        body_file.unlink()  # the take holds its own copy now
    stream = _Stream(estimator, writer, focal, principal, on_frame)
    status = "complete"
    total = source.n_frames or 0
    for done, (frame, people) in enumerate(_observe(source, options), start=1):
        stream.add(frame, people)
        if done % BATCH_FRAMES == 0:
            stream.flush()
            on_progress("bodies", done, total)
            if should_stop():
                status = "cancelled"
                break
    stream.flush()
    on_progress("bodies", stream.frames, stream.frames)
    writer.flush()
    finish_tracks(estimator, writer, options.smooth, on_progress)
    writer.finish("complete" if status == "complete" else "cancelled")
    return RunResult(
        take_folder, stream.frames, tuple(sorted(stream.last)), stream.seen_frames, status, tuple(source.notes)
    )


def _observe(source: Source, options: RunOptions) -> Iterator[tuple[Frame, list[Observation]]]:
    """Frames with the people in them, from the detector or from outside keypoints."""
    width, height = source.info.width, source.info.height
    photo = source.info.kind == "image"
    if options.keypoints is not None:
        outside = ExternalDetector(read_keypoints(options.keypoints), options.masks)
        for frame in source:
            if photo:
                yield frame, outside.photo(source.info.path.name, width, height)
            else:
                yield frame, outside.video_step(frame.index, frame.time, width, height)
        return
    detector = Detector()
    boxes = np.array(options.boxes, np.float32) if options.boxes else None
    for frame in source:
        # Boxes given by hand say where people are in the first frame; the tracker follows them from there.
        here = boxes if photo or frame.index == (options.frame_range or (0, None))[0] else None
        if photo:
            yield frame, detector.photo(frame.image_rgb, here)
        elif boxes is not None:
            yield frame, detector.video_step(frame.image_rgb, frame.time, here)
        else:
            yield frame, detector.video_step(frame.image_rgb, frame.time)


class _Stream:
    """Collects a batch of frames, estimates everybody in it at once and writes the rows in order."""

    def __init__(
        self, estimator: Estimator, writer: TakeWriter, focal: float, principal: tuple[float, float], on_frame: OnFrame
    ) -> None:
        self.estimator, self.writer, self.focal, self.principal = estimator, writer, focal, principal
        self.on_frame = on_frame
        self.pending: list[tuple[int, float, list[Observation]]] = []
        self.last: dict[int, PersonFrame] = {}
        self.frames = 0
        self.seen_frames = 0

    def add(self, frame: Frame, people: list[Observation]) -> None:
        self.pending.append((frame.index, frame.time, people))
        self.frames += 1

    def flush(self) -> None:
        seen = [person for _, _, people in self.pending for person in people if person.seen]
        rows = iter(estimate_people(self.estimator, seen, self.focal, self.principal))
        for index, time, people in self.pending:
            here = [next(rows) if person.seen else self._held(person) for person in people]
            kept = [row for row in here if row is not None]
            self.last |= {row.track_id: row for row in kept}
            self.seen_frames += any(row.status != "held" for row in kept)
            self.writer.write_frame(index, time, self.focal, kept)
            self.on_frame(index, time, kept)
        self.pending.clear()

    def _held(self, person: Observation) -> PersonFrame | None:
        """A missed frame holds the last pose, marked as such."""
        before = self.last.get(person.track_id)
        if before is None:
            return None
        blind = np.concatenate([before.landmarks_2d[:, :2], np.zeros((33, 1), np.float32)], 1)
        return replace(before, status="held", landmarks_2d=blind)
