"""The artist's own character, as it moves in the scene: retargeted, constrained, linked from another file or not.

Its pose is sampled and set up as for a clip, so constraints, control bones and drivers are in what is seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from hmdiff_wire.errors import HmdiffError
from mathutils import Matrix
from numpy.typing import NDArray

from .. import compat
from . import fbx, gltf
from .bones import baked_armature
from .clock import Frames, frames_between
from .run import set_clock
from .sampled import each_moment, temporary_scene
from .untouched import standing_still
from .wish import Told, silent

Array = NDArray[np.floating[Any]]

WRITERS = {".fbx": fbx.write_objects, ".glb": gltf.write_objects}


def export_character(path: Path, chosen: Any, fps: float | None = None, told: Told = silent) -> list[Path]:
    """Write the character that ``chosen`` (its armature or one of its meshes) belongs to. fps: default the scene's.
    told: of every frame that has been read.

    Errors: ``export.no_character``, ``export.suffix``.
    """
    armature = armature_of(chosen)
    writer = WRITERS.get(path.suffix.lower())
    if armature is None:
        raise no_character()
    if writer is None:
        raise HmdiffError(
            "export.suffix", f"A character cannot be written as {path.suffix or 'a file without a suffix'}.",
            f"Choose a name that ends in {' or '.join(WRITERS)}.",
        )  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    meshes = meshes_of(armature)
    # The copies must be gone before the artist's objects can have their names again.
    everything = [armature, *meshes]
    with standing_still(everything), _borrowed_names(everything) as names, temporary_scene() as scene:
        objects, frames = _staged(scene, armature, meshes, names, fps, told)
        set_clock(scene, frames.fps, frames.last, None)
        controls = bool(meshes) and any(not bone.use_deform for bone in armature.data.bones)
        writer(path, scene, objects, deform_only=controls)
    return [path]


def no_character() -> HmdiffError:
    return HmdiffError(
        "export.no_character", "No character is selected.", "Select its armature or one of its meshes first."
    )


def armature_of(item: Any) -> Any | None:
    """The armature a selected object is, hangs on or is bent by."""
    if item is None or item.type == "ARMATURE":
        return item
    bent_by = [modifier.object for modifier in item.modifiers if modifier.type == "ARMATURE" and modifier.object]
    parent = item.parent if item.parent is not None and item.parent.type == "ARMATURE" else None
    return next(iter(bent_by), parent)


def meshes_of(armature: Any) -> list[Any]:
    """The visible meshes that move with an armature."""
    return [
        item
        for item in bpy.context.view_layer.objects
        if item.type == "MESH" and armature_of(item) == armature and item.visible_get()
    ]


def _staged(
    scene: Any, armature: Any, meshes: list[Any], names: dict[str, str], fps: float | None, told: Told
) -> tuple[list[Any], Frames]:
    frames = _frames(armature, fps)
    for item in (armature, *meshes):
        scene.collection.objects.link(item)
    poses: list[Array] = []
    keys: dict[str, dict[str, list[float]]] = {mesh.name: {} for mesh in meshes}
    places: dict[str, Array] = {}
    world = np.eye(4)
    for at in each_moment(scene, frames, told):
        poses.append(at.bones(armature))
        for mesh in meshes:
            if at.number == 0:
                world = at.world(armature)
                places[mesh.name] = place_of(mesh, armature, world, poses[0], at.world(mesh))
            shapes = mesh.data.shape_keys
            if shapes is not None:
                for block in shapes.evaluated_get(at.depsgraph).key_blocks[1:]:
                    keys[mesh.name].setdefault(block.name, []).append(float(block.value))
    scale = float(np.cbrt(abs(np.linalg.det(world[:3, :3]))))
    for item in (armature, *meshes):
        scene.collection.objects.unlink(item)
    baked = baked_armature(armature, names[armature.name], scene, np.array(poses), scale)
    copies = [
        bound_copy(mesh, names[mesh.name], armature, baked, places[mesh.name], keys[mesh.name], scene)
        for mesh in meshes
    ]
    return [baked, *copies], frames


def bound_copy(
    mesh: Any, name: str, armature: Any, baked: Any, place: Array, keys: dict[str, list[float]], scene: Any
) -> Any:
    """A copy of a mesh in a temporary scene, moved by ``baked`` in place of ``armature``. place (4,4): ``place_of`` it;
    keys: values of its shape keys per frame."""
    item = mesh.copy()
    item.data = mesh.data.copy()
    item.name = name
    item.animation_data_clear()
    item.constraints.clear()
    scene.collection.objects.link(item)
    for modifier in item.modifiers:
        if modifier.type == "ARMATURE" and modifier.object == armature:
            modifier.object = baked
    item.parent, item.parent_type = baked, "OBJECT"
    item.matrix_parent_inverse.identity()
    item.matrix_basis = Matrix(place.tolist())
    if _hangs(mesh, armature):
        _bind(item, baked, mesh.parent_bone)
    shapes = item.data.shape_keys
    if shapes is not None:
        shapes.animation_data_clear()
        for block in shapes.key_blocks[1:]:
            values = np.array(keys[block.name])
            block.value = values[0]
            if np.ptp(values) > 1e-5:
                curve = compat.ensure_fcurve(shapes, f'key_blocks["{block.name}"].value')
                compat.set_keys(curve, np.arange(len(values), dtype=np.float64), values)
    return item


def _hangs(mesh: Any, armature: Any) -> bool:
    """Whether a mesh is a child of one bone; glTF's exporter puts such a child where the bone is not."""
    return mesh.parent == armature and mesh.parent_type == "BONE" and mesh.parent_bone in armature.data.bones


def place_of(mesh: Any, armature: Any, world: Array, bones: Array, mesh_world: Array) -> Array:
    """Where a mesh is (4,4) in the armature, in rest where it hangs on a bone. bones (B,4,4), worlds: of one frame."""
    if not _hangs(mesh, armature):
        return np.linalg.inv(world) @ mesh_world
    number = armature.data.bones.find(mesh.parent_bone)
    rest = np.array(armature.data.bones[number].matrix_local)
    return rest @ np.linalg.inv(bones[number]) @ mesh_world


def _bind(item: Any, baked: Any, bone: str) -> None:
    """Let a bone carry the whole mesh, as a skin."""
    baked.data.bones[bone].use_deform = True
    item.vertex_groups.clear()
    item.vertex_groups.new(name=bone).add(range(len(item.data.vertices)), 1.0, "REPLACE")
    item.modifiers.new("Armature", "ARMATURE").object = baked


def _frames(armature: Any, fps: float | None) -> Frames:
    """Over the character's own action, else over the scene's range (it may move by constraints)."""
    scene = bpy.context.scene
    scene_fps = scene.render.fps / scene.render.fps_base
    action = armature.animation_data.action if armature.animation_data else None
    first, last = (scene.frame_start, scene.frame_end) if action is None else action.frame_range
    return frames_between(float(first), float(last), scene_fps, fps or scene_fps)


@contextmanager
def _borrowed_names(items: list[Any]) -> Iterator[dict[str, str]]:
    """While it lasts these objects are called something else, so that their copies can have their names in the file,
    where other programs look for them. Gives present name -> name to use; linked objects keep theirs."""
    before = [(item, item.name) for item in items if item.library is None]
    names = {item.name: item.name for item in items}
    try:
        for number, (item, name) in enumerate(before):
            item.name = f"hmdiff {number}"
            names[item.name] = names.pop(name)
        yield names
    finally:
        for item, name in before:
            item.name = name
