"""The spread of the hypotheses painted on the bodies: a colour attribute that follows the current frame."""

from __future__ import annotations

from functools import cache
from typing import Any

import bpy
import numpy as np
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import Take
from numpy.typing import NDArray

from . import clips, compat, naming, opened, stored_edits
from .clock import clock_of
from .place import place_at

Array = NDArray[np.floating[Any]]

ATTRIBUTE, MATERIAL = "HMDiff spread", "HMDiff spread"
STOPS = ((0.00, (0.02, 0.05, 0.25)), (0.25, (0.02, 0.35, 0.45)), (0.5, (0.10, 0.60, 0.20)),
         (0.75, (0.90, 0.70, 0.05)), (1.00, (0.80, 0.03, 0.02)))  # fmt: skip
"""Share of the scale -> linear colour; sure is dark blue, doubtful red."""


def paint(root: Any, scene_frame: float, top_mm: float) -> None:
    """Colour every body of a clip by its frame's spread; top_mm is red. Errors: ``take.*``."""
    take = opened.open_now(root, stored_edits.edits_of(root).version)
    frame_map = clock_of(root).frame_map(take)
    for body in naming.find("body", root[naming.CLIP]):
        place = place_at(take, frame_map, body.get(naming.PERSON), scene_frame)
        if place is not None:
            _colour(body.data, _row(take, place.person, place.position), top_mm)


def paint_all(top_mm: float) -> None:
    """Every clip of the scene at its current frame; a clip whose take is gone keeps its colours."""
    scene = bpy.context.scene
    for root in clips.roots():
        if root[naming.ROLE] == "clip" and root.name in scene.objects:
            try:
                paint(root, scene.frame_current_final, top_mm)
            except HmdiffError:
                continue


def remove_all() -> None:
    for body in naming.find("body"):
        attribute = body.data.color_attributes.get(ATTRIBUTE)
        if attribute is not None and not _uses(body, MATERIAL):
            body.data.color_attributes.remove(attribute)


def spread_material() -> Any:
    """A material that shows the colour attribute in renders and material views."""
    found = bpy.data.materials.get(MATERIAL)
    if found is not None:
        return found
    material = bpy.data.materials.new(MATERIAL)
    tree = compat.use_nodes(material)
    shader = next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")
    attribute = tree.nodes.new("ShaderNodeVertexColor")
    attribute.layer_name = ATTRIBUTE
    attribute.location = (-250.0, 200.0)
    tree.links.new(attribute.outputs["Color"], shader.inputs["Base Color"])
    shader.inputs["Roughness"].default_value = 0.6
    return material


def colours(std: Array, top_mm: float) -> NDArray[np.float32]:
    """std (V,) metres -> linear RGBA (V,4); grey where nothing is known."""
    share = 1000.0 * np.asarray(std, np.float32) / max(top_mm, 1e-3)
    known = np.isfinite(share)
    level = (np.where(known, share, 0.0).clip(0.0, 1.0) * 255.0).astype(np.intp)
    found = _ramp()[level]
    found[~known] = (0.3, 0.3, 0.3, 1.0)
    return found


@cache
def _ramp() -> NDArray[np.float32]:
    at = np.linspace(0.0, 1.0, 256)
    places, values = [place for place, _ in STOPS], np.array([colour for _, colour in STOPS])
    channels = [np.interp(at, places, values[:, channel]) for channel in range(3)]
    return np.stack([*channels, np.ones(256)], axis=1).astype(np.float32)


def _row(take: Take, person: int, position: int) -> Array:
    found = take.read("vertex_std", person, [position])
    return found[0] if found.size else np.full(take.body.n_vertices, np.nan, np.float32)


def _colour(mesh: Any, std: Array, top_mm: float) -> None:
    attribute = mesh.color_attributes.get(ATTRIBUTE)
    if attribute is None:
        attribute = mesh.color_attributes.new(ATTRIBUTE, "FLOAT_COLOR", "POINT")
        mesh.color_attributes.active_color = attribute
    if len(std) == len(attribute.data):
        attribute.data.foreach_set("color", colours(std, top_mm).ravel())
        mesh.update_tag()


def _uses(body: Any, material: str) -> bool:
    return any(slot.material is not None and slot.material.name == material for slot in body.material_slots)
