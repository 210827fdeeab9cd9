"""The body as a Blender mesh: quads, UVs, smooth shading, one simple material."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import bpy
import numpy as np
from hmdiff_wire.body import BodyData
from numpy.typing import NDArray

from . import compat

Array = NDArray[np.floating[Any]]

SKIN = (0.55, 0.33, 0.25)
TINTS = ((0.10, 0.45, 0.85), (0.95, 0.55, 0.10), (0.25, 0.70, 0.30), (0.75, 0.25, 0.65), (0.85, 0.80, 0.15))


def body_mesh(name: str, body: BodyData, material: Any) -> Generator[None, None, Any]:
    """The template as a mesh, with the body's own quads and UVs where it has them, else its triangles; yields in
    between, since this is the largest single thing a scene is made of. Other bodies are ``posed_copy`` of it.
    """
    polygons = body.faces if body.quads is None else body.quads
    corners = polygons.shape[1]
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(len(body.v_template))
    mesh.vertices.foreach_set("co", flat(body.v_template))
    mesh.loops.add(polygons.size)
    mesh.loops.foreach_set("vertex_index", polygons.astype(np.int32).ravel())
    yield
    mesh.polygons.add(len(polygons))
    mesh.polygons.foreach_set("loop_start", np.arange(0, polygons.size, corners, dtype=np.int32))
    mesh.polygons.foreach_set("use_smooth", np.ones(len(polygons), np.bool_))
    yield
    if body.quads is not None and body.uv is not None and body.uv_quads is not None:
        layer = mesh.uv_layers.new(name="UVMap")
        layer.uv.foreach_set("vector", flat(body.uv[body.uv_quads.ravel()]))
        yield
    mesh.update(calc_edges=True)
    mesh.materials.append(material)
    return mesh


def posed_copy(template: Any, name: str, vertices: Array, material: Any = None) -> Any:
    """A mesh like ``template``, whose topology and UVs it shares in memory, with vertices (V,3) metres."""
    mesh = template.copy()
    mesh.name = name
    mesh.vertices.foreach_set("co", flat(vertices))
    mesh.update()
    if material is not None:
        mesh.materials[0] = material
    return mesh


def skin_material() -> Any:
    """The material all estimated bodies share; the artist's own of that name is used as it is."""
    return bpy.data.materials.get("HMDiff skin") or _principled("HMDiff skin", SKIN, 1.0)


def tint_material(index: int, solid: bool = False) -> Any:
    """A colour for hypothesis ``index``, translucent unless ``solid``; colours repeat after the fifth."""
    index %= len(TINTS)
    name = f"HMDiff {'pose' if solid else 'hypothesis'} {index + 1}"
    return bpy.data.materials.get(name) or _principled(name, TINTS[index], 1.0 if solid else 0.35)


def flat(array: Array) -> Array:
    """What ``foreach_set`` takes fastest: contiguous, one-dimensional, float32."""
    return np.ascontiguousarray(array, np.float32).ravel()


def _principled(name: str, colour: tuple[float, float, float], alpha: float) -> Any:
    material = bpy.data.materials.new(name)
    shader = next(n for n in compat.use_nodes(material).nodes if n.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = (*colour, 1.0)
    shader.inputs["Roughness"].default_value = 0.55
    shader.inputs["Alpha"].default_value = alpha
    material.diffuse_color = (*colour, alpha)
    if alpha < 1.0:
        material.surface_render_method = "BLENDED"
    return material
