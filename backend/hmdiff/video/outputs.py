"""The files made of a finished take, by their ending: for the command line and the server alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from hmdiff_wire.amass import SUFFIX as AMASS
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import Take

from .blender_process import BLENDER_SUFFIXES, find_blender, write_blend
from .export_amass import export_amass
from .export_npz import export_npz
from .overlay import overlay_image, write_overlay

OnProgress = Callable[[int, int], None]
FROM_PHOTO = (".npz", AMASS, ".png", *BLENDER_SUFFIXES)
FROM_CLIP = (".npz", AMASS, ".mp4", *BLENDER_SUFFIXES)
FROM_PUSHED = (".npz", AMASS, *BLENDER_SUFFIXES)


def check_outputs(paths: Iterable[Path], kinds: tuple[str, ...], blender: str | None = None) -> None:
    """Before anything is computed. Errors: ``output.unknown_kind``, ``blender.not_found``."""
    for path in paths:
        suffix = path.suffix.lower()
        if suffix not in kinds:
            raise HmdiffError(
                "output.unknown_kind", f"{path.name} cannot be written from this footage.",
                f"Ask for names ending in {', '.join(kinds)}.",
            )  # fmt: skip
        if suffix in BLENDER_SUFFIXES:
            find_blender(blender)


def write_output(
    take: Take, footage: Path, out: Path, on_progress: OnProgress, with_vertices: bool = False,
    blender: str | None = None,
) -> list[Path]:  # fmt: skip
    """Write ``out`` and say what was written (.bvh, .pc2 and .amass.npz: one file per person).

    on_progress(done, total) in units of its own, total 0 where unknown; an exception from it ends the writing and goes
    on up.

    Errors: those of ``export_npz``, ``export_amass``, ``write_overlay``, ``overlay_image``, ``write_blend``.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    suffix = out.suffix.lower()
    on_progress(0, 0)
    if suffix in BLENDER_SUFFIXES:
        # The scene holds all hypotheses of a photo and four of a clip; the take holds every one asked for.
        return write_blend(take.folder, out, blender, lambda done, total, stage: on_progress(done, total))
    if out.name.lower().endswith(AMASS):
        return export_amass(take, out)
    if suffix == ".npz":
        export_npz(take, out, with_vertices=with_vertices)
    elif suffix == ".mp4":
        write_overlay(take, footage, out, on_progress)
    else:
        overlay_image(take, footage, out)
    return [out]
