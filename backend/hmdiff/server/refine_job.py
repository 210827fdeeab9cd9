"""The job ``refine``: a take in, a new version of it out. The model and the last takes stay between jobs."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path

from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import Take, read_take
from hmdiff_wire.take_version import original_of, read_version

from ..refine.plan import make_plan
from ..refine.reading import edit_from, read_request
from ..refine.take_refiner import Cancelled, Hooks, refine_take
from ..refine.version import changed_rows, write_refined
from ..video.outputs import FROM_CLIP, FROM_PHOTO, check_outputs, write_output
from .contract import JobHooks, JobOutcome, JobRequest
from .rows import frame_arrays
from .takes import Takes

THOUSANDTHS = 1000
_shelf: dict[Hashable, object] = {}
_takes = Takes()


def refine_job(request: JobRequest, hooks: JobHooks) -> JobOutcome:
    """Errors: those of ``read_request``, ``make_plan``, ``refine_take``, ``write_version`` and the outputs."""
    asked = read_request(request.options)
    if request.outputs and not asked.write:
        raise HmdiffError("options.bad", "Files are made of a version, and none is written.", "Leave `write` out.")
    take = _takes.open(request.source, raw=False)
    original = original_of(request.source)
    kinds = FROM_PHOTO if take.header.source_kind == "image" else FROM_CLIP
    check_outputs(request.outputs, kinds)
    before = tuple(edit_from(one) for one in read_version(request.source).edits)
    plan = make_plan(take, asked, before, _original(original, take))
    hooks.on_progress("refining", 0, THOUSANDTHS)

    def heard(share: float) -> None:
        hooks.on_progress("refining", int(THOUSANDTHS * share), THOUSANDTHS)

    try:
        found = refine_take(take, plan, asked, Hooks(heard, hooks.should_stop), _shelf)
    except Cancelled:
        return JobOutcome(0, (), cancelled=True)
    if asked.write:
        write_refined(take, request.take, plan, asked, found.people)
    count = 0
    for index, seconds, rows in changed_rows(take, found.people, asked.vertices):
        hooks.on_frame(index, seconds, frame_arrays(rows, asked.vertices))
        count += 1
    written = _outputs(request, take, hooks)
    tracks = tuple(one.plan.track_id for one in found.people if one.changed.any())
    return JobOutcome(count, tracks, found.notes, written)


def _original(folder: Path, take: Take) -> Take:
    """The motion before any refinement; the take itself where its original is gone."""
    try:
        return take if folder == take.folder else _takes.open(folder, raw=False)
    except HmdiffError:
        return take


def _outputs(request: JobRequest, take: Take, hooks: JobHooks) -> tuple[Path, ...]:
    if not request.outputs:
        return ()
    new, footage = read_take(request.take), Path(take.header.source_path)
    written: list[Path] = []
    for path in request.outputs:
        written += write_output(new, footage, path, lambda done, total: hooks.on_progress("writing", done, total))
    return tuple(written)
