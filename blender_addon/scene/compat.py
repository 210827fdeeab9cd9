"""Every difference of bpy's API between Blender 4.2 and 5.2 that this add-on meets (docs/blender_facts, section d)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

MINIMUM_VERSION = (4, 2, 0)
TURNS_VIDEOS = bpy.app.version >= (4, 4, 0)
"""Measured: 4.2 shows videos with a rotation mark as they are stored, 4.5 and 5.0 upright."""

INTERPOLATION = {"CONSTANT": 0, "LINEAR": 1}


def ensure_fcurve(owner: Any, data_path: str, index: int = 0, group: str = "") -> Any:
    """The F-curve of ``owner`` (an ID) for ``data_path[index]``, made together with its action where missing.

    Blender 4.4 put slots between an action and its curves, 5.0 removed ``Action.fcurves``, 4.2 knows nothing else.
    """
    animation = owner.animation_data or owner.animation_data_create()
    if animation.action is None:
        animation.action = bpy.data.actions.new(f"{owner.name} motion")
    action = animation.action
    if not hasattr(action, "fcurve_ensure_for_datablock"):
        found = action.fcurves.find(data_path, index=index)
        return found or action.fcurves.new(data_path, index=index, action_group=group)
    if group and bpy.app.version >= (5, 0, 0):
        return action.fcurve_ensure_for_datablock(owner, data_path, index=index, group_name=group)
    return action.fcurve_ensure_for_datablock(owner, data_path, index=index)


def iter_fcurves(owner: Any) -> Iterator[Any]:
    """Every F-curve that moves ``owner`` through its action."""
    animation = owner.animation_data
    if animation is None or animation.action is None:
        return
    action = animation.action
    if hasattr(action, "fcurves"):
        yield from action.fcurves
        return
    for layer in action.layers:
        for strip in layer.strips:
            bag = strip.channelbag(animation.action_slot)
            if bag is not None:
                yield from bag.fcurves


def action_fcurves(action: Any) -> Iterator[Any]:
    """Every F-curve of an action that nobody may be playing just now, of all its slots."""
    if not hasattr(action, "layers") or not len(action.layers):
        yield from getattr(action, "fcurves", ())
        return
    for layer in action.layers:
        for strip in layer.strips:
            for bag in strip.channelbags:
                yield from bag.fcurves


def assign_action(owner: Any, action: Any) -> None:
    """Let ``owner`` play ``action``; from 4.4 on with the slot that was made for an object of its kind."""
    animation = owner.animation_data or owner.animation_data_create()
    animation.action = action
    if hasattr(animation, "action_slot") and animation.action_slot is None and len(action.slots):
        animation.action_slot = action.slots[0]


def exchange_action(owner: Any, action: Any) -> None:
    """Let ``owner`` play a copy of the action it plays, with the slot of the same name."""
    animation = owner.animation_data
    slot = getattr(animation, "action_slot", None)
    name = slot.identifier if slot is not None else ""
    assign_action(owner, action)
    if name:
        animation.action_slot = action.slots[name]


def set_keys(fcurve: Any, frames: NDArray[Any], values: NDArray[Any], interpolation: str = "LINEAR") -> None:
    """Put keys (n,) at scene frames (n,) on an F-curve in one write, in place of those it has; frames must ascend."""
    count = len(frames)
    if len(fcurve.keyframe_points) != count:
        fcurve.keyframe_points.clear()
        fcurve.keyframe_points.add(count)
    points = np.stack([np.asarray(frames, np.float32), np.asarray(values, np.float32)], axis=1)
    fcurve.keyframe_points.foreach_set("co", np.ascontiguousarray(points).ravel())
    fcurve.keyframe_points.foreach_set("interpolation", np.full(count, INTERPOLATION[interpolation], np.int32))
    fcurve.update()


def strip_part(strip: Any) -> tuple[int, int, int]:
    """Of a sequencer strip: frames of its source before what is shown, how many are shown, their first scene frame."""
    if hasattr(strip, "left_handle_offset"):  # 5.2's names; the old ones go with 6.0
        before = int(strip.left_handle_offset) + int(strip.content_trim_start)
        return before, int(strip.duration), int(strip.left_handle)
    before = int(strip.frame_offset_start) + int(strip.animation_offset_start)
    return before, int(strip.frame_final_duration), int(strip.frame_final_start)


def use_nodes(owner: Any) -> Any:
    """The node tree of a material or world; from 5.0 on it is always there and setting ``use_nodes`` warns."""
    if owner.node_tree is None:
        owner.use_nodes = True
    return owner.node_tree
