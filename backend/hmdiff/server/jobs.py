"""The real jobs: footage in, a take out, rows to the client as frames finish. Importing this imports torch."""

from __future__ import annotations

from pathlib import Path

from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import Take, read_take

from ..video.animate import run
from ..video.options import RunOptions
from ..video.outputs import FROM_CLIP, FROM_PHOTO, FROM_PUSHED, check_outputs, write_output
from ..video.people import people_in_frame
from ..video.pushed import PushedSource
from ..video.sequence import PHOTO_SUFFIXES
from ..video.source import Footage, open_source
from ..video.warm_up import warm_up
from .contract import JobHooks, JobOutcome, JobRequest
from .options import frame_option, run_options
from .refine_job import refine_job
from .rows import frame_arrays

__all__ = ["people_job", "run_job", "warm_up"]


class _Cancelled(Exception):
    """Ends the writing of an output."""


def run_job(request: JobRequest, hooks: JobHooks) -> JobOutcome:
    """Any kind of job. Errors: those of the options, of ``video.animate.run`` and of the outputs; ``nothing.nobody``,
    ``input.empty`` where no frame was pushed.
    """
    if request.kind == "people":
        return people_job(request, hooks)
    if request.kind == "refine":
        return refine_job(request, hooks)
    options = run_options(request.options, request.device)
    pushed = _pushed(request, options.frame_range)
    if pushed is None:
        _check_kind(request)
    kinds = FROM_PUSHED if pushed else FROM_PHOTO if request.kind == "pose" else FROM_CLIP
    check_outputs(request.outputs, kinds)
    result = run(
        request.source, options, request.take, hooks.on_progress, hooks.should_stop,
        lambda index, time, rows: hooks.on_frame(index, time, frame_arrays(rows)),
        resume=request.resume, source=pushed,
    )  # fmt: skip
    if result.status == "cancelled":
        return JobOutcome(result.frames, result.people, result.notes, (), cancelled=True)
    if not result.frames and pushed:
        raise HmdiffError("input.empty", "No picture came.", "Push at least one frame of the range.")
    if not result.people:
        raise nobody(request.source)
    written, cancelled = _write(request, options, hooks)
    return JobOutcome(result.frames, result.people, result.notes, written, cancelled)


def people_job(request: JobRequest, hooks: JobHooks) -> JobOutcome:
    """Who is in one frame, largest first: ``box`` (P,4) px, ``score`` (P,), ``thumbnail`` (P,96,96,3) RGB. No take.

    Errors: those of the options, the source and the detector; ``nothing.nobody``.
    """
    index, others = frame_option(request.options)
    options = run_options(others, request.device)  # a mistake is told now, not when the run begins
    hooks.on_progress("people", 0, 1)
    # A pushed picture is already the one that is meant.
    pushed = _pushed(request, None)
    source: Footage = pushed or open_source(request.source)
    found = people_in_frame(source, 0 if pushed or source.info.kind == "image" else index, options)
    if not len(found.box):
        raise nobody(request.source)
    hooks.on_frame(
        found.index, found.time,
        {"box": found.box.astype("<f4"), "score": found.score.astype("<f4"), "thumbnail": found.thumbnail},
    )  # fmt: skip
    hooks.on_progress("people", 1, 1)
    return JobOutcome(1, tuple(range(len(found.box))))


def nobody(source: Path) -> HmdiffError:
    return HmdiffError(
        "nothing.nobody", f"Nobody was found in {source.name}.",
        "Mark the person with a box, or give keypoints from another detector.",
    )  # fmt: skip


def _pushed(request: JobRequest, frame_range: tuple[int, int | None] | None) -> PushedSource | None:
    if request.frames is None:
        return None
    stream = request.stream
    return PushedSource(
        request.source.name, request.frames, int(stream["width"]), int(stream["height"]), float(stream["fps"]),
        "image" if request.kind == "pose" else "video", frame_range,
    )  # fmt: skip


def _write(request: JobRequest, options: RunOptions, hooks: JobHooks) -> tuple[tuple[Path, ...], bool]:
    """What was asked for besides the take: files written, whether it was cancelled before the last one."""

    def heard(done: int, total: int) -> None:
        hooks.on_progress("writing", done, total)
        if hooks.should_stop():
            raise _Cancelled

    written: list[Path] = []
    take: Take | None = read_take(request.take) if request.outputs else None
    for path in request.outputs:
        assert take is not None
        try:
            written += write_output(take, request.source, path, heard, options.raw_vertices)
        except _Cancelled:
            return tuple(written), True
    return tuple(written), False


def _check_kind(request: JobRequest) -> None:
    photo = request.source.suffix.lower() in PHOTO_SUFFIXES and "%" not in request.source.name
    photo = photo and not request.source.is_dir()
    if photo != (request.kind == "pose"):
        raise HmdiffError(
            "input.is_picture" if photo else "input.is_video",
            f"{request.source.name} is {'a single picture' if photo else 'not a photo'}.",
            f"Send it as a job of kind {'pose' if photo else 'animate'}.",
        )
