"""Blender scenes for this project's own pictures: a dressed body, a room, lights, a camera with OpenCV truth.

Body and camera live in a y-up world, facing +z (DESIGN 3); only the functions here know Blender's z-up.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import numpy as np
from hmdiff_wire.body import BodyData
from mathutils import Matrix
from numpy.typing import NDArray
from wardrobe import REGIONS

Floats = NDArray[np.float64]
Colour = tuple[float, float, float]
TO_BLENDER = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
"""y-up world -> Blender's z-up world."""


def empty_scene(width: int, height: int, samples: int, threads: int = 2) -> Any:
    """A fresh file whose scene renders with Cycles on the CPU, cheaply."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    cycles = scene.cycles
    cycles.device = "CPU"
    cycles.samples = samples
    cycles.use_adaptive_sampling = True
    cycles.adaptive_threshold = 0.05
    cycles.use_denoising = True
    cycles.denoiser = "OPENIMAGEDENOISE"
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 3, 2, 1
    cycles.caustics_reflective = cycles.caustics_refractive = False
    render = scene.render
    render.use_persistent_data = True
    render.threads_mode, render.threads = "FIXED", threads
    render.resolution_x, render.resolution_y, render.resolution_percentage = width, height, 100
    render.image_settings.file_format = "PNG"
    render.image_settings.compression = 30
    scene.view_settings.view_transform = "Standard"
    scene.world = bpy.data.worlds.new("World")
    return scene


def material(name: str, colour: Colour, roughness: float = 0.8) -> Any:
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    shader = made.node_tree.nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value = (*colour, 1.0)
    shader.inputs["Roughness"].default_value = roughness
    return made


def patterned(name: str, pattern: str, first: Colour, second: Colour, scale: float, source: str | None = "rest") -> Any:
    """A material of two colours: ``plain``, ``stripes``, ``bands``, ``checker``, ``noise`` or ``cells``.

    ``source`` names the point attribute that holds the coordinates; None takes object coordinates.
    """
    made = material(name, first)
    if pattern == "plain":
        return made
    nodes, links = made.node_tree.nodes, made.node_tree.links
    if source is None:
        where = nodes.new("ShaderNodeTexCoord").outputs["Object"]
    else:
        attribute = nodes.new("ShaderNodeAttribute")
        attribute.attribute_name = source
        where = attribute.outputs["Vector"]
    mix = nodes.new("ShaderNodeMix")
    mix.data_type = "RGBA"
    mix.inputs[6].default_value, mix.inputs[7].default_value = (*first, 1.0), (*second, 1.0)
    kinds = {"stripes": "Wave", "bands": "Wave", "checker": "Checker", "noise": "Noise", "cells": "Voronoi"}
    texture = nodes.new(f"ShaderNodeTex{kinds[pattern]}")
    texture.inputs["Scale"].default_value = scale
    if kinds[pattern] == "Wave":
        texture.bands_direction = "Y" if pattern == "stripes" else "X"
        ramp = nodes.new("ShaderNodeMath")
        ramp.operation = "GREATER_THAN"
        links.new(texture.outputs[1], ramp.inputs[0])
        factor = ramp.outputs[0]
    else:
        factor = texture.outputs["Fac" if pattern != "cells" else "Distance"]
    links.new(where, texture.inputs["Vector"])
    links.new(factor, mix.inputs[0])
    links.new(mix.outputs[2], nodes["Principled BSDF"].inputs["Base Color"])
    return made


def add_body(body: BodyData, regions: NDArray[np.int64], materials: dict[str, Any]) -> Any:
    """The body as a mesh object whose faces carry the materials of their regions; vertices are set per picture."""
    assert body.quads is not None
    mesh = bpy.data.meshes.new("Person")
    mesh.from_pydata(body.v_template.tolist(), [], body.quads.tolist())
    rest = mesh.attributes.new("rest", "FLOAT_VECTOR", "POINT")
    rest.data.foreach_set("vector", body.v_template.astype(np.float32).ravel())
    mesh.shade_smooth()
    thing = bpy.data.objects.new("Person", mesh)
    bpy.context.scene.collection.objects.link(thing)
    dress(thing, regions, materials)
    return thing


def add_mesh(name: str, points: Floats, faces: list[list[int]], materials: list[Any], slots: NDArray[np.int64]) -> Any:
    """A smooth mesh object: points (S,3) in the y-up world, one material slot per face."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata((points @ TO_BLENDER.T).tolist(), [], faces)
    for made in materials:
        mesh.materials.append(made)
    mesh.polygons.foreach_set("material_index", slots.astype(np.int32))
    mesh.shade_smooth()
    mesh.set_sharp_from_angle(angle=0.9)
    thing = bpy.data.objects.new(name, mesh)
    bpy.context.scene.collection.objects.link(thing)
    return thing


def dress(thing: Any, regions: NDArray[np.int64], materials: dict[str, Any]) -> None:
    thing.data.materials.clear()
    for name in REGIONS:
        thing.data.materials.append(materials[name])
    thing.data.polygons.foreach_set("material_index", regions.astype(np.int32))


def set_vertices(thing: Any, vertices: Floats) -> None:
    """vertices (V,3) in the y-up world."""
    thing.data.vertices.foreach_set("co", (vertices @ TO_BLENDER.T).astype(np.float32).ravel())
    thing.data.update()
    thing.data.update_tag()


def add_camera(rotation: Floats, translation: Floats, focal: float, width: int) -> Any:
    """A camera with x_cam = rotation @ x_world + translation (OpenCV axes) and a focal length in px."""
    data = bpy.data.cameras.new("Camera")
    camera = bpy.data.objects.new("Camera", data)
    bpy.context.scene.collection.objects.link(camera)
    bpy.context.scene.camera = camera
    place_camera(camera, rotation, translation, focal, width)
    return camera


def place_camera(camera: Any, rotation: Floats, translation: Floats, focal: float, width: int) -> None:
    camera.data.sensor_fit = "HORIZONTAL"
    camera.data.sensor_width = 36.0
    camera.data.lens = focal / width * 36.0
    pose = np.eye(4)
    pose[:3, :3] = TO_BLENDER @ rotation.T @ np.diag([1.0, -1.0, -1.0])
    pose[:3, 3] = TO_BLENDER @ (-rotation.T @ translation)
    camera.matrix_world = Matrix(pose.tolist())


def add_box(name: str, centre: Floats, size: Floats, made: Any, turn: float = 0.0) -> Any:
    """A box in the y-up world: centre (3,), full size (3,), turned about the vertical by radians."""
    corners = np.array([[i, j, k] for i in (-0.5, 0.5) for j in (-0.5, 0.5) for k in (-0.5, 0.5)]) * size
    sides = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    spin = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(((corners @ spin.T) @ TO_BLENDER.T).tolist(), [], sides)
    mesh.materials.append(made)
    thing = bpy.data.objects.new(name, mesh)
    thing.location = (TO_BLENDER @ centre).tolist()
    bpy.context.scene.collection.objects.link(thing)
    return thing


def add_round(name: str, centre: Floats, radius: float, height: float, made: Any, taper: float = 1.0) -> Any:
    """An upright round thing in the y-up world: a (tapered) cylinder, or an ellipsoid where taper is 0."""
    import bmesh  # exists only once bpy is loaded

    shape = bmesh.new()
    if taper > 0:
        bmesh.ops.create_cone(shape, cap_ends=True, segments=48, radius1=radius, radius2=radius * taper, depth=height)
    else:
        bmesh.ops.create_uvsphere(shape, u_segments=32, v_segments=16, radius=radius)
        bmesh.ops.scale(shape, vec=(1, 1, height / (2 * radius)), verts=shape.verts)
    mesh = bpy.data.meshes.new(name)
    shape.to_mesh(mesh)
    shape.free()
    mesh.shade_smooth()
    mesh.set_sharp_from_angle(angle=0.6)
    mesh.materials.append(made)
    thing = bpy.data.objects.new(name, mesh)
    thing.location = (TO_BLENDER @ centre).tolist()
    bpy.context.scene.collection.objects.link(thing)
    return thing


def wrinkle(made: Any, scale: float, strength: float, source: str = "rest") -> Any:
    """Give a material the unevenness of cloth or hair: a noise bump on the point attribute ``source``."""
    nodes, links = made.node_tree.nodes, made.node_tree.links
    attribute = nodes.new("ShaderNodeAttribute")
    attribute.attribute_name = source
    noise = nodes.new("ShaderNodeTexNoise")
    noise.inputs["Scale"].default_value = scale
    bump = nodes.new("ShaderNodeBump")
    bump.inputs["Strength"].default_value = strength
    bump.inputs["Distance"].default_value = 0.02
    links.new(attribute.outputs["Vector"], noise.inputs["Vector"])
    links.new(noise.outputs["Fac"], bump.inputs["Height"])
    links.new(bump.outputs["Normal"], nodes["Principled BSDF"].inputs["Normal"])
    return made


def add_light(kind: str, place: Floats, target: Floats, energy: float, size: float, colour: Colour = (1, 1, 1)) -> Any:
    """``SUN`` (size in radians) or ``AREA`` (size in metres) at place, shining at target, both y-up world."""
    data = bpy.data.lights.new(kind.title(), kind)
    data.energy, data.color = energy, colour
    if kind == "SUN":
        data.angle = size
    else:
        data.size = size
    light = bpy.data.objects.new(kind.title(), data)
    start, end = TO_BLENDER @ place, TO_BLENDER @ target
    away = (start - end) / np.linalg.norm(start - end)
    side = np.cross([0.0, 0.0, 1.0], away)
    side = side / np.linalg.norm(side) if np.linalg.norm(side) > 1e-6 else np.array([1.0, 0, 0])
    frame = np.eye(4)
    frame[:3, :3] = np.column_stack([side, np.cross(away, side), away])
    frame[:3, 3] = start
    light.matrix_world = Matrix(frame.tolist())
    bpy.context.scene.collection.objects.link(light)
    return light


def set_sky(colour: Colour, strength: float) -> None:
    world = bpy.context.scene.world
    world.use_nodes = True
    world.node_tree.nodes["Background"].inputs[0].default_value = (*colour, 1.0)
    world.node_tree.nodes["Background"].inputs[1].default_value = strength


def clear_scene() -> None:
    """Remove every object with its data and materials, keep the settings."""
    for thing in list(bpy.data.objects):
        bpy.data.objects.remove(thing, do_unlink=True)
    for kind in (bpy.data.meshes, bpy.data.materials, bpy.data.lights, bpy.data.cameras):
        for item in list(kind):
            kind.remove(item)


def render_to(path: Path) -> None:
    """Render the scene to a PNG; a half-written file never keeps the final name."""
    partial = path.with_name(path.stem + ".part.png")
    bpy.context.scene.render.filepath = str(partial)
    bpy.ops.render.render(write_still=True)
    partial.replace(path)
