"""The explanations of one frame as bodies side by side, the likeliest first, each with its score. Every one carries its
own pose, so that it can be put on a character even where the take is gone.
"""

from __future__ import annotations

import math
from typing import Any

import bpy
import numpy as np
from hmdiff_wire.body import skin
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import Take
from numpy.typing import NDArray

from . import naming
from .axes import world_from_camera
from .body import posed_copy, tint_material
from .place import Place

Array = NDArray[np.floating[Any]]

ROLE, LABEL = "pose", "pose label"
POSE, TRANSL, UP = "hmdiff_pose", "hmdiff_transl", "hmdiff_up"
GAP = 0.25  # metres between two bodies
MOST = 12


def lay_out(root: Any, take: Take, place: Place) -> list[Any]:
    """The hypotheses of one person in one frame, in a row to the right of the person. An earlier row goes away.

    Errors: ``hypothesis.none``.
    """
    clip = root[naming.CLIP]
    body = next((item for item in naming.find("body", clip) if item.get(naming.PERSON) == place.track), None)
    order, score = ranked(take, place)
    if body is None or not order:
        raise HmdiffError(
            "hypothesis.none", "This frame has no hypotheses to lay out.",
            "Run the photo again with more than one hypothesis.",
        )  # fmt: skip
    clear(clip)
    world = world_from_camera(np.asarray(take.header.up))
    betas = take.betas[place.person]
    at = slice(place.position, place.position + 1)
    poses = take.read("hypotheses_pose", place.person, at)[0]
    places = take.read("hypotheses_transl", place.person, at)[0]
    template = _template(body)
    collection = naming.new_collection(f"{root.name} poses", body.users_collection[0])
    naming.mark(collection, clip, take.folder, "poses", place.track)
    made = []
    edge = _reach(_points(body, world, take, place, betas))[1]
    for rank, index in enumerate(order, 1):
        points = skin(take.body, betas, poses[index][None], places[index][None])[0][0] @ world.T.astype(np.float32)
        left, right = _reach(points)
        mesh = posed_copy(template, f"Pose {rank}", points, tint_material(index, solid=True))
        item = bpy.data.objects.new(f"Pose {rank}", mesh)
        collection.objects.link(item)
        item.parent = root
        item.location = (edge + GAP - left, 0.0, 0.0)
        edge += GAP + right - left
        naming.mark(item, clip, take.folder, ROLE, place.track)
        item[naming.HYPOTHESIS] = index
        item[POSE], item[TRANSL] = poses[index].tolist(), places[index].tolist()
        item[UP] = [float(value) for value in take.header.up]
        if math.isfinite(score[index]):
            item[naming.SCORE] = float(score[index])
        _label(item, rank, points, float(score[index]), collection)
        made.append(item)
    bpy.data.meshes.remove(template)
    return made


def clear(clip: str) -> int:
    """Take a clip's row away; how many bodies there were."""
    from .importer import remove_objects

    found = naming.find(ROLE, clip)
    count = len(found)
    remove_objects([*found, *naming.find(LABEL, clip)])
    return count


def is_pose(item: Any) -> bool:
    return item is not None and item.get(naming.ROLE) == ROLE


def ranked(take: Take, place: Place) -> tuple[list[int], Array]:
    """Hypotheses by their score in this frame, the likeliest first, and the scores (N,); those without a pose left
    out."""
    if not take.n_hypotheses:
        return [], np.zeros(0)
    at = slice(place.position, place.position + 1)
    score = take.read("hypotheses_score", place.person, at)[0].astype(np.float64)
    known = np.isfinite(take.read("hypotheses_pose", place.person, at)[0]).all(axis=1)
    order = np.argsort(-np.nan_to_num(score, nan=-np.inf), kind="stable")
    return [int(index) for index in order if known[index]][:MOST], score


def _template(body: Any) -> Any:
    """The body's mesh without its motion."""
    mesh = body.data.copy()
    carrier = bpy.data.objects.new("HMDiff template", mesh)
    if mesh.shape_keys is not None:
        carrier.shape_key_clear()
    bpy.data.objects.remove(carrier)
    return mesh


def _points(body: Any, world: Array, take: Take, place: Place, betas: Array) -> Array:
    at = slice(place.position, place.position + 1)
    pose, transl = take.read("pose", place.person, at), take.read("transl", place.person, at)
    return skin(take.body, betas, pose, transl)[0][0] @ world.T.astype(np.float32)


def _reach(points: Array) -> tuple[float, float]:
    return float(points[:, 0].min()), float(points[:, 0].max())


def _label(item: Any, rank: int, points: Array, score: float, collection: Any) -> None:
    """Rank and score under the feet, facing the camera."""
    curve = bpy.data.curves.new(f"{item.name} label", "FONT")
    curve.body = f"#{rank}" + (f"\n{score:+.1f} mm" if math.isfinite(score) else "")
    curve.size, curve.align_x = 0.13, "CENTER"
    label = bpy.data.objects.new(curve.name, curve)
    collection.objects.link(label)
    label.parent = item
    label.rotation_euler = (math.pi / 2, 0.0, 0.0)
    middle = points.mean(axis=0)
    label.location = (float(middle[0]), float(points[:, 1].min()), float(points[:, 2].min()) - 0.16)
    label.hide_select = True
    naming.mark(label, item[naming.CLIP], naming.folder_of(item), LABEL, item[naming.PERSON])
