"""The real job: footage in, a take out, rows to the client as frames finish. Importing this imports torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import PersonFrame, read_take
from hmdiff_wire.take_format import HYPOTHESIS_FIELDS, ROW_FIELDS, STATUS_CODE
from numpy.typing import NDArray

from ..video.animate import run
from ..video.export_npz import export_npz
from ..video.sequence import PHOTO_SUFFIXES
from .contract import JobHooks, JobOutcome, JobRequest
from .options import run_options


def run_job(request: JobRequest, hooks: JobHooks) -> JobOutcome:
    """Errors: those of the options, of ``video.animate.run`` and of the outputs; ``nothing.nobody``."""
    options = run_options(request.options, request.device)
    _check_kind(request)
    for path in request.outputs:
        if path.suffix.lower() != ".npz":
            raise HmdiffError(
                "output.unknown_kind", f"The backend cannot write {path.name}.",
                "Ask for names ending in .npz; `hmdiff animate` writes the other kinds.",
            )  # fmt: skip
    result = run(
        request.source, options, request.take, hooks.on_progress, hooks.should_stop,
        lambda index, time, rows: hooks.on_frame(index, time, frame_arrays(rows)),
    )  # fmt: skip
    cancelled = result.status == "cancelled"
    if not result.people and not cancelled:
        raise HmdiffError(
            "nothing.nobody", f"Nobody was found in {request.source.name}.",
            "Mark the person with a box, or give keypoints from another detector.",
        )  # fmt: skip
    written = () if cancelled else request.outputs
    for path in written:
        export_npz(read_take(request.take), path, with_vertices=options.raw_vertices)
    return JobOutcome(result.frames, result.people, result.notes, written, cancelled)


def frame_arrays(rows: list[PersonFrame]) -> dict[str, NDArray[Any]]:
    """Rows of one frame as the arrays of FrameResult: P people first, hypotheses (P, N, ...), vertex_std (P, V)."""
    count = max((len(row.hypotheses_score) for row in rows), default=0)
    vertices = max((len(row.vertex_std) for row in rows), default=0)
    arrays: dict[str, NDArray[Any]] = {
        "track_id": np.array([row.track_id for row in rows], "<i4"),
        "status": np.array([STATUS_CODE[row.status] for row in rows], "|u1"),
        "vertex_std": _stacked([row.vertex_std for row in rows], (vertices,)),
    }
    for name, shape in ROW_FIELDS.items():
        arrays[name] = _stacked([getattr(row, name) for row in rows], shape)
    for name, shape in HYPOTHESIS_FIELDS.items():
        arrays[f"hypotheses_{name}"] = _stacked([getattr(row, f"hypotheses_{name}") for row in rows], (count, *shape))
    return arrays


def _stacked(values: list[NDArray[Any]], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Values along a new first axis; NaN where a person has fewer (a row without hypotheses or without a spread)."""
    out = np.full((len(values), *shape), np.nan, "<f4")
    for at, value in enumerate(values):
        out[at, : len(value)] = value
    return out


def _check_kind(request: JobRequest) -> None:
    photo = request.source.suffix.lower() in PHOTO_SUFFIXES and "%" not in request.source.name
    photo = photo and not request.source.is_dir()
    if photo != (request.kind == "pose"):
        raise HmdiffError(
            "input.is_picture" if photo else "input.is_video",
            f"{request.source.name} is {'a single picture' if photo else 'not a photo'}.",
            f"Send it as a job of kind {'pose' if photo else 'animate'}.",
        )
