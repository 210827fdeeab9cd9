"""How overlays are drawn: translucent bodies whose outline shows more than their middle, lines, discs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import gpu
import numpy as np
from gpu_extras.batch import batch_for_shader
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
Colour = tuple[float, float, float, float]

_VERTEX = "void main() { place = pos; gl_Position = view_projection * vec4(pos, 1.0); }"
_FRAGMENT = """
void main() {
  vec3 normal = normalize(cross(dFdx(place), dFdy(place)));
  vec3 sight = eye.w > 0.5 ? normalize(eye.xyz - place) : normalize(eye.xyz);
  float edge = 1.0 - abs(dot(normal, sight));
  float shade = 0.75 + 0.25 * abs(normal.z);
  colour_out = vec4(tint.rgb * shade, tint.a * mix(inside, 1.0, edge * edge));
}
"""


@cache
def _ghost_shader() -> Any:
    between = gpu.types.GPUStageInterfaceInfo("hmdiff_ghost")
    between.smooth("VEC3", "place")
    info = gpu.types.GPUShaderCreateInfo()
    info.push_constant("MAT4", "view_projection")
    info.push_constant("VEC4", "tint")
    info.push_constant("VEC4", "eye")
    info.push_constant("FLOAT", "inside")
    info.vertex_in(0, "VEC3", "pos")
    info.vertex_out(between)
    info.fragment_out(0, "VEC4", "colour_out")
    info.vertex_source(_VERTEX)
    info.fragment_source(_FRAGMENT)
    return gpu.shader.create_from_info(info)


def body_batch(vertices: Array, faces: NDArray[np.integer]) -> Any:
    """vertices (V,3) in the world, faces (T,3)."""
    points = np.ascontiguousarray(vertices, np.float32)
    return batch_for_shader(_ghost_shader(), "TRIS", {"pos": points}, indices=np.ascontiguousarray(faces, np.int32))


def draw_body(batch: Any, colour: Colour, inside: float, region_3d: Any, over: bool = False) -> None:
    """inside: how much of the colour's alpha the middle of the body has; over: also where something is before it, and
    then without its far side."""
    shader = _ghost_shader()
    shader.bind()
    view = region_3d.view_matrix.inverted()
    is_perspective = region_3d.is_perspective
    sight = view.translation if is_perspective else view.col[2].to_3d()
    shader.uniform_float("view_projection", region_3d.perspective_matrix)
    shader.uniform_float("tint", colour)
    shader.uniform_float("eye", (*sight, 1.0 if is_perspective else 0.0))
    shader.uniform_float("inside", inside)
    gpu.state.blend_set("ALPHA")
    gpu.state.depth_test_set("NONE" if over else "LESS_EQUAL")
    gpu.state.depth_mask_set(False)
    gpu.state.face_culling_set("BACK" if over else "NONE")
    batch.draw(shader)
    gpu.state.face_culling_set("NONE")
    gpu.state.depth_test_set("NONE")
    gpu.state.blend_set("NONE")


def draw_lines(points: Array, colour: Colour, width: float) -> None:
    """points (2n,2) pixels of the region, two for each line."""
    if not len(points):
        return
    shader = gpu.shader.from_builtin("POLYLINE_UNIFORM_COLOR")
    shader.bind()
    shader.uniform_float("viewportSize", gpu.state.viewport_get()[2:])
    shader.uniform_float("lineWidth", width)
    shader.uniform_float("color", colour)
    gpu.state.blend_set("ALPHA")
    gpu.state.depth_test_set("NONE")
    flat = np.concatenate([np.asarray(points, np.float32), np.zeros((len(points), 1), np.float32)], axis=1)
    batch_for_shader(shader, "LINES", {"pos": flat}).draw(shader)
    gpu.state.blend_set("NONE")


def draw_box(first: tuple[float, float], second: tuple[float, float], colour: Colour, width: float) -> None:
    """The frame between two opposite corners in pixels of the region, as four bars: smooth lines along the axes are not
    drawn by every graphics driver."""
    (x0, x1), (y0, y1) = sorted((first[0], second[0])), sorted((first[1], second[1]))
    w = width
    bars = ((x0, y0, x1, y0 + w), (x0, y1 - w, x1, y1), (x0, y0, x0 + w, y1), (x1 - w, y0, x1, y1))
    points = np.array([[(a, b), (c, b), (c, d), (a, d)] for a, b, c, d in bars], np.float32).reshape(-1, 2)
    indices = [(4 * k, 4 * k + i, 4 * k + i + 1) for k in range(4) for i in (1, 2)]
    shader = gpu.shader.from_builtin("UNIFORM_COLOR")
    shader.bind()
    shader.uniform_float("color", colour)
    gpu.state.blend_set("ALPHA")
    gpu.state.depth_test_set("NONE")
    batch_for_shader(shader, "TRIS", {"pos": points}, indices=indices).draw(shader)
    gpu.state.blend_set("NONE")


CORNERS = 24
"""Of a disc."""


@dataclass(frozen=True)
class Disc:
    """centre, radius: pixels of the region; hole: radius of what is left out of its middle."""

    centre: tuple[float, float]
    radius: float
    colour: Colour
    hole: float = 0.0


def draw_discs(discs: Sequence[Disc]) -> None:
    """Later ones over earlier ones; all at once, since each drawing costs some tenths of a millisecond."""
    if not discs:
        return
    turn = np.linspace(0, 2 * np.pi, CORNERS + 1)[:-1]
    rim = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    radii = np.array([(disc.hole, disc.radius) for disc in discs])
    points = np.array([disc.centre for disc in discs])[:, None, None] + radii[:, :, None, None] * rim
    colours = np.repeat(np.array([disc.colour for disc in discs], np.float32), 2 * CORNERS, axis=0)
    inner = np.arange(CORNERS)
    after = (inner + 1) % CORNERS
    ring = np.concatenate([
        np.stack([inner, inner + CORNERS, after + CORNERS], axis=1), np.stack([inner, after + CORNERS, after], axis=1)
    ])  # fmt: skip
    indices = (ring[None] + 2 * CORNERS * np.arange(len(discs))[:, None, None]).reshape(-1, 3).astype(np.int32)
    flat = np.zeros((len(colours), 3), np.float32)
    flat[:, :2] = points.reshape(-1, 2)
    shader = gpu.shader.from_builtin("FLAT_COLOR")
    shader.bind()
    gpu.state.blend_set("ALPHA")
    gpu.state.depth_test_set("NONE")
    batch_for_shader(shader, "TRIS", {"pos": flat, "color": colours}, indices=indices).draw(shader)
    gpu.state.blend_set("NONE")
