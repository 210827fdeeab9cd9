"""Where anatomy puts BlazePose's 33 landmarks on the free body: the starting point of ``fit_landmarks``.

Needs ``anny``. COCO's keypoints come from the regressor that anny carries; eye corners, mouth and knuckles are found
on its mesh.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

Floats = NDArray[np.float64]

REACH = {
    "nose": 0.05, "eye": 0.045, "eye_inner": 0.045, "eye_outer": 0.045, "ear": 0.06, "mouth": 0.045, "shoulder": 0.15,
    "elbow": 0.10, "wrist": 0.08, "pinky": 0.06, "index": 0.06, "thumb": 0.06, "hip": 0.17, "knee": 0.12, "ankle": 0.10,
    "heel": 0.08, "foot_index": 0.09,
}  # fmt: skip
"""How far from its anatomical place a landmark may be explained by vertices, metres."""
LEFT_SLOTS = {
    "eye_inner": 1, "eye": 2, "eye_outer": 3, "ear": 7, "mouth": 9, "shoulder": 11, "elbow": 13, "wrist": 15,
    "pinky": 17, "index": 19, "thumb": 21, "hip": 23, "knee": 25, "ankle": 27, "heel": 29, "foot_index": 31,
}  # fmt: skip
"""BlazePose slot of the left landmark."""
RIGHT_SLOTS = {name: slot + (3 if slot < 4 else 1) for name, slot in LEFT_SLOTS.items()}
SKIN_VERTICES = 13348
"""The skin comes first in anny's mesh, then mouth and eyes."""


def anatomical_points(rest: Floats) -> dict[str, Floats]:
    """rest (V,3) of the free body -> name without side: point (3,) on the left side; ``nose`` in the middle."""
    import anny
    from anny.paths import get_anny_root_dir

    model: Any = anny.Anny(topology="anny-quads", rig="anny")
    base = model.base_mesh_vertex_indices.numpy()
    data = get_anny_root_dir() / "data"
    coco = torch.load(data / "keypoints" / "coco.pth", weights_only=True, map_location="cpu")
    points: dict[str, Floats] = {}
    for name in ("nose", "eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "heel"):
        weights = coco[name if name == "nose" else f"left_{name}"].numpy()[base].astype(float)
        points[name] = weights @ rest / weights.sum()
    toes = [coco[f"left_{name}"].numpy()[base].astype(float) @ rest for name in ("big_toe", "small_toe")]
    points["foot_index"] = 0.7 * toes[0] + 0.3 * toes[1]
    ball = rest[SKIN_VERTICES:]
    eye = ball[ball[:, 0] > 0.018].mean(0)
    skin = rest[:SKIN_VERTICES]
    for name, shift in (("eye_inner", -0.014), ("eye_outer", 0.016)):
        points[name] = skin[np.linalg.norm(skin - (eye + [shift, 0, 0.008]), axis=1).argmin()]
    moved = _target(data / "faceunits01" / "targets" / "faceunits" / "mouthDimpleLeft.target", len(coco["nose"]))[base]
    points["mouth"] = rest[moved.argmax()]
    bone_weight = np.zeros((len(rest), len(model.bone_labels)))
    np.add.at(
        bone_weight,
        (np.arange(len(rest))[:, None], model.vertex_bone_indices.numpy()),
        model.vertex_bone_weights.numpy(),
    )
    for name, pair in (("pinky", ("finger5-1", "metacarpal4")), ("index", ("finger2-1", "metacarpal1")),
                       ("thumb", ("finger1-2", "finger1-1"))):  # fmt: skip
        shared = np.prod([bone_weight[:, model.bone_labels.index(f"{bone}.L")] for bone in pair], axis=0)
        points[name] = shared @ rest / shared.sum()
    return points


def _target(path: Any, count: int) -> Floats:
    """A MakeHuman target file -> how far each base-mesh vertex moves (count,)."""
    rows = np.loadtxt(path, comments="#")
    moved = np.zeros(count)
    moved[rows[:, 0].astype(int)] = np.linalg.norm(rows[:, 1:4], axis=1)
    return moved
