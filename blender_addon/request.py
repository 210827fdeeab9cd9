"""What the panel says as a request to the backend."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
from hmdiff_wire.errors import HmdiffError

from . import footage_choice, preferences
from .core.source import Footage, frame_range, resolve, take_folder
from .core.state import Request
from .scene import naming
from .scene.opened import folder_of, open_now
from .scene.refined import wishes
from .scene.stored_edits import edits_of


def new_id() -> str:
    return uuid.uuid4().hex[:12]


def start_frame(scene: Any) -> int:
    """Scene frame of a clip's first picture."""
    return scene.frame_current if scene.hmdiff.start == "CURRENT" else scene.frame_start


def for_footage(context: Any) -> Request:
    """The run the panel describes. Errors: no or unusable footage, an empty range, nobody chosen."""
    scene = context.scene
    settings = scene.hmdiff
    footage = footage_choice.chosen_anew(settings, scene)
    if footage.job_kind == "pose":
        return _pose(footage, scene)
    options = _options(settings)
    count = footage.count or settings.count or 0
    if settings.use_range:
        first, end = frame_range(settings.first, settings.last, footage.count or settings.count or None)
        options["frame_range"] = [first, end]
        count = (min(end, count or end) if end else count) - first
    if settings.people == "largest":
        options["person"] = "largest"
    elif settings.people == "chosen":
        options["boxes"] = _chosen_boxes(context)
    return Request(
        "animate", str(footage.path), options, str(_new_take(footage)), label=footage.name,
        start_frame=footage_choice.place(settings, scene, start_frame(scene)), frames=count,
    )  # fmt: skip


def for_photo(context: Any, path: str) -> Request:
    footage = resolve("FILE", path)
    if footage.job_kind != "pose":
        raise HmdiffError("input.is_video", f"{footage.name} is not a photo.", "Choose it as the source and press Run.")
    return _pose(footage, context.scene)


def to_resume(context: Any, root: Any) -> Request:
    """Go on with an unfinished clip. Errors: ``take.missing``, those of reading the take's manifest."""
    from hmdiff_wire.take_format import read_manifest

    folder = naming.folder_of(root)
    if folder is None or not folder.is_dir():
        raise HmdiffError("take.missing", "The folder of this run is gone.", "Put it back or press Run.", str(folder))
    header = read_manifest(folder).header
    start = int(root.get(naming.START, start_frame(context.scene)))
    return Request(
        "animate", header.source_path, {}, str(folder), resume=True, label=Path(header.source_path).stem,
        start_frame=start, frames=header.n_frames or 0,
    )  # fmt: skip


def for_refine(root: Any, options: Mapping[str, Any], label: str) -> Request:
    """Correct the version of the take that the clip plays; the clip follows. options: of a ``refine`` job, besides the
    artist's picks and locks. Errors: ``take.missing``."""
    edits = edits_of(root)
    folder = folder_of(root, edits.version)
    asked = {**wishes(edits, open_now(root, edits.version)), **options}
    return Request("refine", str(folder), asked, label=label, clip=root[naming.CLIP])


def anew(earlier: Request) -> Request:
    """The same footage with the same settings, into a new take. Errors: those of the footage and of the folder."""
    from hmdiff_wire.take_format import read_manifest

    footage = resolve("FILE" if Path(earlier.source).is_file() else "SEQUENCE", earlier.source)
    options = dict(earlier.options)
    if earlier.resume and not options:  # a resumed run leaves its settings to the take it goes on with
        kept = read_manifest(Path(earlier.take)).header.settings
        options = {name: value for name, value in kept.items() if name != "device"}
    return replace(earlier, options=options, take=str(_new_take(footage)), resume=False, frames=footage.count or 0)


def for_people(context: Any) -> Request:
    settings = context.scene.hmdiff
    footage = footage_choice.chosen(settings, context.scene)
    options = {"frame": settings.first - 1} if settings.use_range and footage.job_kind == "animate" else {}
    return Request("people", str(footage.path), options, label=footage.name, frames=1)


def people_key(request: Request) -> str:
    """Tells whether a list of people belongs to the footage and frame that are chosen now."""
    return f"{request.source}|{request.options.get('frame', 0)}"


def _pose(footage: Footage, scene: Any) -> Request:
    return Request(
        "pose", str(footage.path), _options(scene.hmdiff), str(_new_take(footage)), label=footage.name,
        start_frame=scene.frame_current, frames=1,
    )  # fmt: skip


def _options(settings: Any) -> dict[str, Any]:
    options: dict[str, Any] = {"preset": settings.preset, "hypotheses": settings.hypotheses}
    if settings.use_smooth:
        options["smooth"] = settings.smooth
    return options


def _new_take(footage: Footage) -> Path:
    """Where the artist wants it, else beside the .blend, else with Blender's own data until there is one."""
    blend = Path(bpy.data.filepath) if bpy.data.filepath else None
    chosen = preferences.get()
    own = preferences.takes_folder() if blend is None or (chosen and chosen.takes) else None
    return take_folder(blend, own, footage)


def _chosen_boxes(context: Any) -> list[list[float]]:
    found = context.window_manager.hmdiff
    if found.found_for != people_key(for_people(context)) or not len(found.people):
        raise HmdiffError("people.unknown", "It is not known yet who is in this clip.", "Press Find People first.")
    boxes = [[float(value) for value in person.box] for person in found.people if person.use]
    if not boxes:
        raise HmdiffError("people.none", "Nobody is ticked.", "Tick the people to animate.")
    return boxes
