"""A clip that was edited, in a scene at another rate than its take's; what it looks like, what a file shows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from blender_look import go_to, shown_vertices
from blender_takes import Clip, write_take
from hmdiff_blender.edits.played import played
from hmdiff_blender.edits.record import Edits, Pick
from hmdiff_blender.scene import compat, naming
from hmdiff_blender.scene.axes import world_from_camera
from hmdiff_blender.scene.build import BuildOptions, build_scene
from hmdiff_blender.scene.replay import iter_replay
from hmdiff_wire.body import JOINT_NAMES, skin
from hmdiff_wire.take import read_take

FPS = 29.97
COUNT = 7
CLIP = Clip(times=tuple(np.arange(COUNT) / FPS), fps=FPS, people=2, absent=((1, 3),))
EDITS = Edits(smooth=0.05).picked(1, Pick(2, 4, 1, 1))
ARTIST_FPS, NEW_SCENE_FPS = 24, 25


@dataclass(frozen=True)
class Expected:
    """joints (P,F,24,3), vertices (P,F,V,3) in Blender's world; present (P,F)."""

    joints: np.ndarray
    vertices: np.ndarray
    present: np.ndarray


def edited_clip(folder: Path) -> tuple[Any, Expected]:
    """The clip's root in an artist's scene of 24 frames a second, turned and moved by the artist."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base = ARTIST_FPS, 1.0
    take = read_take(write_take(folder / "take", CLIP))
    root = build_scene(take, BuildOptions(hypotheses=0, start=11), scene).root
    for _ in iter_replay(root, EDITS):
        pass
    root.rotation_euler.z = 0.4
    root.location.x += 0.25
    bpy.context.view_layer.update()
    matrix, world = np.array(root.matrix_world), world_from_camera(np.asarray(take.header.up))
    vertices, joints, present = [], [], []
    for person in range(2):
        motion = played(take, person, EDITS, -float(root[naming.ORIGIN][2]))
        here = [points @ world.T @ matrix[:3, :3].T + matrix[:3, 3] for points in skin(
            take.body, motion.betas, np.nan_to_num(motion.poses.pose), np.nan_to_num(motion.poses.transl)
        )]  # fmt: skip
        vertices.append(here[0])
        joints.append(here[1])
        present.append(motion.present)
    return root, Expected(np.array(joints), np.array(vertices), np.array(present))


def new_file() -> None:
    """Empty, at a rate that is neither the take's nor the artist's."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    bpy.context.scene.render.fps, bpy.context.scene.render.fps_base = NEW_SCENE_FPS, 1.0


def keyed() -> np.ndarray:
    """Scene frames (F,) at which the imported bones, morphs and cameras have keys."""
    found: set[float] = set()
    for item in bpy.data.objects:
        keys = getattr(item.data, "shape_keys", None)
        for owner in (item, keys):
            for curve in compat.iter_fcurves(owner) if owner is not None else ():
                found.update(float(point.co.x) for point in curve.keyframe_points)
    frames = np.array(sorted(found))
    return frames[np.diff(frames, prepend=-np.inf) > 1e-3]


def scene_frames() -> np.ndarray:
    """Where the take's times (F,) lie in this scene, second 0 on frame 0."""
    render = bpy.context.scene.render
    return np.array(CLIP.times) * render.fps / render.fps_base


def in_time(frames: np.ndarray, start: float = 0.0) -> bool:
    """Whether these scene frames are the take's times to a millisecond."""
    render = bpy.context.scene.render
    seconds = (frames - start) * render.fps_base / render.fps
    return len(seconds) == COUNT and float(np.abs(seconds - np.array(CLIP.times)).max()) < 1e-3


def joint_error(expected: Expected, frames: np.ndarray) -> float:
    """Millimetres, over all people, frames and joints; armatures in the order of their names."""
    armatures = sorted((item for item in bpy.data.objects if item.type == "ARMATURE"), key=lambda item: item.name)
    assert len(armatures) == len(expected.joints)
    worst = 0.0
    for frame, scene_frame in enumerate(frames):
        go_to(scene_frame)
        for person, item in enumerate(armatures):
            if expected.present[person, frame]:
                worst = max(worst, away(heads(item), expected.joints[person, frame]))
    return worst


def heads(item: Any) -> np.ndarray:
    """Joints (24,3) in the world."""
    evaluated = item.evaluated_get(bpy.context.evaluated_depsgraph_get())
    matrix = np.array(evaluated.matrix_world)
    own = np.array([np.array(evaluated.pose.bones[name].head) for name in JOINT_NAMES])
    return own @ matrix[:3, :3].T + matrix[:3, 3]


def vertex_error(expected: Expected, frames: np.ndarray) -> float:
    """Millimetres, over all people, frames and vertices, in the body's own order."""
    items = bodies()
    assert len(items) == len(expected.vertices)
    worst = 0.0
    for frame, scene_frame in enumerate(frames):
        go_to(scene_frame)
        for person, item in enumerate(items):
            if expected.present[person, frame]:
                worst = max(worst, away(shown_vertices(item), expected.vertices[person, frame]))
    return worst


def bodies() -> list[Any]:
    return sorted((item for item in bpy.data.objects if "_body" in item.name), key=lambda item: item.name)


def away(first: np.ndarray, second: np.ndarray) -> float:
    return float(np.linalg.norm(first - second, axis=-1).max() * 1000)


def nearest_mm(expected: Expected, frames: np.ndarray, step: int = 211) -> tuple[float, float]:
    """Mean and largest distance of some of the imported bodies' vertices to the body: importers split and reorder."""
    from mathutils.kdtree import KDTree

    found: list[float] = []
    for frame, scene_frame in enumerate(frames):
        go_to(scene_frame)
        for person, item in enumerate(bodies()):
            if not expected.present[person, frame]:
                continue
            tree = KDTree(len(expected.vertices[person, frame]))
            for index, point in enumerate(expected.vertices[person, frame]):
                tree.insert(point, index)
            tree.balance()
            found += [tree.find(point)[2] * 1000 for point in shown_vertices(item)[::step]]
    return float(np.mean(found)), float(np.max(found))
