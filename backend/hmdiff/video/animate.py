"""The main job: footage in, a take out. Frames stream through in small batches; tracks are finished at the end."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hmdiff_wire.take import TakeHeader, TakeWriter, read_take

from .. import __version__
from ..bodies.model import FREE_BODY, body_model, load_free_body
from ..fitting import focal_pixels
from .bodies import BodyStream, OnFrame
from .body_transfer import BodyTransfer, prepare_body
from .estimate import Estimator, make_estimator
from .finish import finish_tracks
from .frames import Frame
from .observe import Observer
from .options import RunOptions
from .resume import check_footage, count_seen, earlier_run, last_rows, people_in
from .source import Footage, open_source

BATCH_FRAMES = 16
"""Frames per network call: enough to fill two cores, few enough to cancel and stream smoothly."""
GRACE_SECONDS = 1.0
"""How long a run that was cancelled may go on to smooth what it has."""

OnProgress = Callable[[str, int, int], None]
ShouldStop = Callable[[], bool]


@dataclass(frozen=True)
class RunResult:
    """take: folder; frames read; people: track ids with a body; seen_frames: frames with somebody in them;
    status ``complete`` or ``cancelled``; notes: sentences for the user. Of a resumed run all of its parts count.
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
    should_stop: ShouldStop = lambda: False,
    on_frame: OnFrame = lambda index, time, rows: None,
    overwrite: bool = False,
    resume: bool = False,
    source: Footage | None = None,
) -> RunResult:
    """Animate a video, an image sequence or a photo into take_folder.

    on_progress hears (stage, done, total), total 0 where unknown; should_stop is asked between frames, and a stopped
    run finishes the batch it is in and leaves a readable take. resume: go on with the take an earlier run left there,
    with its settings (``options`` at their defaults stand for them); on_frame hears only of new frames. source:
    already opened footage, such as pushed frames, instead of the file.

    Errors: those of the source, the detector, the weights, the body and the disk (``disk.full``, after which the take
    can be resumed); resuming, those of ``earlier_run`` and ``check_footage``.
    """
    earlier = earlier_run(take_folder, options) if resume else None
    options = options if earlier is None else earlier.options
    source = source or open_source(footage, options.frame_range)
    if earlier is None:
        estimator, writer = _begin(footage, source, options, take_folder, overwrite)
    else:
        check_footage(earlier.header, source)
        writer = TakeWriter.resume(take_folder)
        if writer.status == "complete":
            return _nothing_left(take_folder, on_progress)
        estimator = make_estimator(options, _stored_transfer(writer, options))
    return _Run(source, options, estimator, writer, on_progress, should_stop, on_frame).go()


def _begin(
    footage: Path, source: Footage, options: RunOptions, folder: Path, overwrite: bool
) -> tuple[Estimator, TakeWriter]:
    info = source.info
    focal, focal_source = focal_pixels((info.width, info.height), options.focal, info.focal_px)
    body_file, transfer = FREE_BODY, None
    if options.body is not None:
        principal = (info.width / 2, info.height / 2)
        transfer, body_file = prepare_body(options.body, load_free_body(), folder, focal, principal)
    estimator = make_estimator(options, transfer)
    mark = source.mark()
    header = TakeHeader(
        source_path=str(footage.resolve()) if mark else str(footage), source_kind=info.kind, width=info.width,
        height=info.height, fps=info.fps, n_frames=source.n_frames,
        body_name="free" if options.body is None else options.body.stem, preset=options.preset,
        n_hypotheses=estimator.sampler.hypotheses, seed=options.seed, focal=focal, focal_source=focal_source,
        tool_version=__version__, rotation=info.rotation, settings=options.to_settings(), source_mark=mark,
    )  # fmt: skip
    writer = TakeWriter.create(folder, header, body_file, overwrite=overwrite)
    if transfer is not None:
        body_file.unlink()  # the take holds its own copy now
    return estimator, writer


def _stored_transfer(writer: TakeWriter, options: RunOptions) -> BodyTransfer | None:
    """To the user's body as the take has it."""
    if options.body is None:
        return None
    take = read_take(writer.folder, raw=True)
    return BodyTransfer(load_free_body(), body_model(take.body), take.header.focal, take.center)


def _nothing_left(folder: Path, on_progress: OnProgress) -> RunResult:
    take = read_take(folder, raw=True)
    on_progress("bodies", take.n_frames, take.n_frames)
    note = "This take was complete already; there was nothing left to do."
    return RunResult(folder, take.n_frames, people_in(take), count_seen(take), "complete", (note,))


class _Run:
    """From the first frame that is missing to the finished take."""

    def __init__(
        self, source: Footage, options: RunOptions, estimator: Estimator, writer: TakeWriter, on_progress: OnProgress,
        should_stop: ShouldStop, on_frame: OnFrame,
    ) -> None:  # fmt: skip
        self.source, self.options, self.estimator, self.writer = source, options, estimator, writer
        self.on_progress, self.should_stop = on_progress, should_stop
        self.total = source.n_frames or 0
        before = read_take(writer.folder, raw=True) if writer.n_frames else None
        self.seen_before = 0 if before is None else count_seen(before)
        principal = (source.info.width / 2, source.info.height / 2)
        rows = [] if before is None else last_rows(before)
        self.stream = BodyStream(estimator, writer, principal, on_frame, rows)
        self.observer = Observer(source.info, options)

    def go(self) -> RunResult:
        cancelled = not self._bodies()
        self.writer.flush()
        frames = self.writer.n_frames
        self.on_progress("bodies", frames, frames)
        if cancelled:
            end = time.monotonic() + GRACE_SECONDS
            finish_tracks(
                self.estimator, self.writer, self.options.smooth, lambda *_: None, lambda: time.monotonic() > end
            )
        else:
            cancelled = not finish_tracks(
                self.estimator, self.writer, self.options.smooth, self.on_progress, self.should_stop
            )
        status = "cancelled" if cancelled else "complete"
        self.writer.finish(status)
        seen = self.seen_before + self.stream.seen_frames
        people = tuple(sorted(self.stream.last))
        notes = (*self.source.notes, *self.observer.notes())
        return RunResult(self.writer.folder, frames, people, seen, status, notes)

    def _bodies(self) -> bool:
        """All frames that are not in the take yet; False when it was stopped."""
        begin, done = self.writer.next_frame, self.writer.n_frames
        known = begin == 0 or self.observer.restore(self.writer.state)
        if known:
            self.on_progress("bodies", done, self.total)
        if known and begin:
            self.stream.restore(self.writer.state)
        # Without the tracker's own notes its people are found again by watching the earlier frames once more.
        source = self.source.starting_at(begin) if known else self.source
        frames = iter(source)
        for frame in frames:
            people = self.observer.step(frame)
            if frame.index < begin:
                self.on_progress("people", frame.index + 1, begin)
                if begin - frame.index <= self._reach:
                    self.stream.glimpse(frame, people)
            else:
                self.stream.add(frame, people, self.observer.state())
                done += 1
                if done % BATCH_FRAMES == 0:
                    self.stream.flush()
                    self.on_progress("bodies", done, self.total)
            if self.should_stop():
                self._look_ahead(frames, frame.time)
                self.stream.flush(final=True)
                return False
        self.stream.flush(final=True)
        return not self.should_stop()  # pushed frames end when their job is cancelled

    @property
    def _reach(self) -> int:
        """How many frames count before and after one."""
        return math.ceil(self.stream.delay * self.source.info.fps)

    def _look_ahead(self, frames: Iterator[Frame], last: float) -> None:
        """The few frames after the ``last`` of a cancelled run, for what the last ones need of them: so they are what
        they would have been, and a resumed take is the same. What is pushed ends with its job, so there are none.
        """
        if not self.source.mark():
            return
        for frame in itertools.islice(frames, self._reach):
            if frame.time > last + self.stream.delay:
                return
            self.stream.glimpse(frame, self.observer.step(frame))
