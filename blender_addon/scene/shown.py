"""Which hypothesis a clip shows: every person's body and armature play the estimate or hypothesis k of the take.

The body keeps its object (name, materials, constraints, what the artist put on it) and changes its mesh; the armature
changes its action. What was shown once stays in the file, so that going back and forth costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import Take

from . import compat, naming
from .armature import animate_armature
from .axes import world_from_camera
from .body import body_mesh, posed_copy
from .clock import clock_of
from .motion import animate_shape_keys, write_point_cache
from .person import PersonMotion, person_motion
from .reading import ahead, read_in_background
from .stored_edits import edits_of

ESTIMATE = -1
SHOWN = "hmdiff_shown"


def shown(root: Any) -> int:
    """The hypothesis (0..N-1) the clip of this root shows, or ESTIMATE."""
    return int(root.get(SHOWN, ESTIMATE))


def iter_show(root: Any, hypothesis: int) -> Generator[object, None, None]:
    """Let the clip of ``root`` show a hypothesis (0..N-1) or the ESTIMATE, in slices.

    Errors: ``take.missing`` where the take is needed and gone, those of reading it, ``hypothesis.none``.
    """
    if hypothesis == shown(root):
        return
    clip = root[naming.CLIP]
    bodies = [item for item in naming.find("body", clip) if item.get(naming.PERSON) is not None]
    if not all(_name(hypothesis) in item for item in bodies):
        yield from _make(root, bodies, hypothesis)
    for item in bodies:
        _show(item, hypothesis)
    for item in naming.find("armature", clip):
        _show_action(item, hypothesis)
    root[SHOWN] = hypothesis


def forget_others(root: Any) -> None:
    """Let go of the meshes and actions of hypotheses that are not shown: their body shape is no longer the clip's."""
    for item in [*naming.find("body", root[naming.CLIP]), *naming.find("armature", root[naming.CLIP])]:
        names = [name for name in item.keys() if re.fullmatch(r"hmdiff_of_\d+(_file)?", name)]
        data = [item[name] for name in names if not name.endswith("_file")]
        for name in names:
            del item[name]
        bpy.data.batch_remove([one for one in data if one is not None and one.users == 0])


def _make(root: Any, bodies: list[Any], hypothesis: int) -> Generator[object, None, None]:
    folder = naming.folder_of(root)
    if folder is None or not folder.is_dir():
        raise HmdiffError(
            "take.missing", "The folder with this clip's hypotheses is gone.",
            "Put it back, or run the clip again.", str(folder),
        )  # fmt: skip
    take = yield from read_in_background(folder)
    if not ESTIMATE <= hypothesis < take.n_hypotheses:
        raise HmdiffError("hypothesis.none", f"This clip has {take.n_hypotheses} hypotheses.", "Choose one of these.")
    frame_map = clock_of(root).frame_map(take)
    world = world_from_camera(np.asarray(take.header.up))
    wanted = None if hypothesis == ESTIMATE else hypothesis
    template = yield from body_mesh("HMDiff template", take.body, bodies[0].data.materials[0])
    tracks = take.track_ids.tolist()
    for item in bodies:
        if _name(hypothesis) in item:
            continue
        person = tracks.index(item[naming.PERSON])
        motion = person_motion(take, person, frame_map, wanted)
        own = edits_of(root).of(motion.track_id).betas
        if own is not None:
            motion = replace(motion, betas=np.array(own, np.float32))
        yield
        if len(motion.frames):
            yield from _make_mesh(item, template, motion, world, take, hypothesis)
            yield from _make_action(item, motion, world, hypothesis)
    bpy.data.meshes.remove(template)


def _make_mesh(
    item: Any, template: Any, motion: PersonMotion, world: Any, take: Take, hypothesis: int
) -> Iterator[object]:
    """The mesh that plays a motion, remembered on the body's object; of a long clip the PC2 file that it plays."""
    _remember(item, _name(shown_of(item)), item.data)
    shapes = ahead(motion.shapes(world))
    mesh = posed_copy(template, f"{item.name} {_words(hypothesis)}", next(motion.shapes(world)))
    for slot, material in enumerate(item.data.materials):
        mesh.materials[slot] = material
    modifier = _cache(item)
    if modifier is not None:
        path = Path(bpy.path.abspath(modifier.filepath))
        path = path.with_name(f"{item[naming.UUID]}-{hypothesis}.pc2")
        yield from write_point_cache(path, len(motion.frames), len(mesh.vertices), shapes)
        item[f"{_name(shown_of(item))}_file"] = modifier.filepath
        item[f"{_name(hypothesis)}_file"] = naming.stored_path(path)
    elif len(motion.frames) > 1:
        carrier = bpy.data.objects.new(mesh.name, mesh)
        yield from animate_shape_keys(carrier, motion.frames, shapes)
        bpy.data.objects.remove(carrier)
    _remember(item, _name(hypothesis), mesh)


def _make_action(item: Any, motion: PersonMotion, world: Any, hypothesis: int) -> Iterator[object]:
    for armature in naming.find("armature", item[naming.CLIP]):
        if armature.get(naming.PERSON) != item.get(naming.PERSON):
            continue
        if armature.animation_data and armature.animation_data.action:
            _remember(armature, _name(shown_of(armature)), armature.animation_data.action)
        carrier = armature.copy()
        carrier.animation_data_clear()
        yield from animate_armature(
            carrier, motion.body, motion.betas, motion.frames, motion.pose, motion.transl, world
        )
        action = carrier.animation_data.action
        action.name = f"{armature.name} {_words(hypothesis)}"
        _remember(armature, _name(hypothesis), action)
        bpy.data.objects.remove(carrier)


def _show(item: Any, hypothesis: int) -> None:
    mesh = item.get(_name(hypothesis))
    if mesh is None:
        return
    item.data = mesh
    modifier, file = _cache(item), item.get(f"{_name(hypothesis)}_file")
    if modifier is not None and file:
        modifier.filepath = file
    item[SHOWN] = hypothesis


def _show_action(item: Any, hypothesis: int) -> None:
    action = item.get(_name(hypothesis))
    if action is not None:
        compat.assign_action(item, action)
        item[SHOWN] = hypothesis


def shown_of(item: Any) -> int:
    return int(item.get(SHOWN, ESTIMATE))


def _remember(item: Any, name: str, data: Any) -> None:
    if name not in item:
        item[name] = data


def _cache(item: Any) -> Any | None:
    return next((modifier for modifier in item.modifiers if modifier.type == "MESH_CACHE"), None)


def _name(hypothesis: int) -> str:
    return "hmdiff_of_estimate" if hypothesis == ESTIMATE else f"hmdiff_of_{hypothesis}"


def _words(hypothesis: int) -> str:
    return "estimate" if hypothesis == ESTIMATE else f"hypothesis {hypothesis + 1}"
