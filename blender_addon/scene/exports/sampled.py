"""What the artist sees of a clip, read frame by frame: edits, chosen hypotheses, own keys, constraints and all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from .. import compat
from .clock import Frames
from .wish import Told, silent

Array = NDArray[np.floating[Any]]


@contextmanager
def temporary_scene() -> Iterator[Any]:
    """A scene of our own, so that the artist's frame, rate, range and selection are never touched. Objects that are
    in no other scene go with it, and with them the data only they use."""
    scene = bpy.data.scenes.new("HMDiff export")
    try:
        yield scene
    finally:
        own = [item for item in scene.collection.objects if len(item.users_scene) == 1]
        data = {item.data for item in own if item.data is not None}
        owners = [*own, *data, *(keys for item in data if (keys := getattr(item, "shape_keys", None)))]
        actions = {owner.animation_data.action for owner in owners if owner.animation_data} - {None}
        bpy.data.batch_remove(own)
        for unused in (data, actions):
            bpy.data.batch_remove([item for item in unused if item.users == 0])
        bpy.data.scenes.remove(scene)


def watched(item: Any, scene: Any) -> Any:
    """A copy of ``item`` in a temporary scene that moves as it does, and is there even where the artist or the take
    hides it: what is hidden is not evaluated."""
    copy = item.copy()
    scene.collection.objects.link(copy)
    copy.hide_viewport = copy.hide_render = False
    if copy.animation_data and copy.animation_data.action:
        compat.assign_action(copy, copy.animation_data.action.copy())
        for curve in compat.iter_fcurves(copy):
            curve.mute = curve.data_path in ("hide_viewport", "hide_render")
    return copy


@dataclass(frozen=True)
class At:
    """One moment of a scene."""

    number: int
    depsgraph: Any

    def world(self, item: Any) -> Array:
        """(4,4)"""
        return np.array(item.evaluated_get(self.depsgraph).matrix_world)

    def bones(self, armature: Any) -> Array:
        """Matrices (B,4,4) of all pose bones in the world, in the order of ``armature.data.bones``."""
        evaluated = armature.evaluated_get(self.depsgraph)
        own = np.array([np.array(evaluated.pose.bones[bone.name].matrix) for bone in armature.data.bones])
        return self.world(armature) @ own

    def vertices(self, item: Any) -> Array:
        """(V,3) in the world, with everything its modifiers do."""
        evaluated = item.evaluated_get(self.depsgraph)
        mesh = evaluated.to_mesh()
        values = np.empty(3 * len(mesh.vertices), np.float32)
        mesh.vertices.foreach_get("co", values)
        evaluated.to_mesh_clear()
        matrix = self.world(item).astype(np.float32)
        return values.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]


def each_moment(scene: Any, frames: Frames, told: Told = silent) -> Iterator[At]:
    """Go through the frames of a file, in a temporary scene."""
    for number, frame in enumerate(frames.scene.tolist()):
        whole = int(np.floor(frame))
        scene.frame_set(whole, subframe=frame - whole)
        yield At(number, scene.view_layers[0].depsgraph)
        told(number + 1, frames.count)
