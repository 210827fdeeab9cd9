"""A file of its own for a take: empty, lit, opened on the camera's view."""

from __future__ import annotations

import math
from pathlib import Path

import bpy

from . import compat


def prepare_file(blend: Path | None) -> None:
    """Start from an empty file. blend: where it will be saved; saved at once, so that paths in it can be relative."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.film_transparent = True
    scene.world = bpy.data.worlds.new("HMDiff world")
    background = next(node for node in compat.use_nodes(scene.world).nodes if node.type == "BACKGROUND")
    background.inputs["Color"].default_value = (0.6, 0.65, 0.7, 1.0)
    background.inputs["Strength"].default_value = 0.6
    sun = bpy.data.objects.new("HMDiff sun", bpy.data.lights.new("HMDiff sun", "SUN"))
    sun.data.energy = 3.0
    sun.rotation_euler = (math.radians(50), math.radians(10), math.radians(25))
    scene.collection.objects.link(sun)
    # The file is saved twice; the first, empty one is no backup anybody wants beside the result.
    bpy.context.preferences.filepaths.save_version = 0
    if blend is not None:
        blend.parent.mkdir(parents=True, exist_ok=True)
        bpy.ops.wm.save_as_mainfile(filepath=str(blend), compress=True, check_existing=False)


def show_camera_view() -> None:
    """Let every 3D view of the file look through the camera, where mesh and footage lie on each other."""
    for screen in bpy.data.screens:
        for area in screen.areas:
            if area.type == "VIEW_3D":
                area.spaces[0].region_3d.view_perspective = "CAMERA"
