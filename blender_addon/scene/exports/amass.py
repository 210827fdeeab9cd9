"""AMASS-style .npz: SMPL poses of the bones as they are seen, z up; see hmdiff_wire.amass for the fields."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from hmdiff_wire import amass
from hmdiff_wire.body import JOINT_NAMES
from hmdiff_wire.errors import HmdiffError
from numpy.typing import NDArray

from ..axes import BODY_TO_BLENDER
from ..body_shape import BODY, betas_of
from .staged import Person, staged
from .wish import Wish

Array = NDArray[np.floating[Any]]


def write(path: Path, wish: Wish) -> list[Path]:
    """NAME.amass.npz for one person, NAME_1.amass.npz and so on by track id for several.

    Errors: ``export.other_bones`` where the artist has taken bones of the body away.
    """
    written = []
    with staged(wish, bones=True) as stage:
        for person in stage.people:
            target = amass.name_of(path, person.track, len(stage.people))
            fields = _fields(person, stage.frames.fps, stage.scale)
            with target.open("wb") as stream:
                np.savez_compressed(stream, **fields)
            written.append(target)
    return written


def _fields(person: Person, fps: float, scale: float) -> dict[str, Any]:
    bones = {bone.name: number for number, bone in enumerate(person.armature.data.bones)}
    missing = [name for name in JOINT_NAMES if name not in bones]
    if missing:
        raise HmdiffError(
            "export.other_bones", f"The armature has no bone {missing[0]} any more.",
            "Name the bones as HMDiff made them, or export another format.",
        )  # fmt: skip
    poses = person.poses[:, [bones[name] for name in JOINT_NAMES]].astype(np.float64)
    rest = np.array([np.array(person.armature.data.bones[name].matrix_local) for name in JOINT_NAMES])
    # Of a joint in the world: what the bone does, without the bone's own rest axes (see scene/armature).
    turned = (poses[..., :3, :3] / scale) @ rest[:, :3, :3].transpose(0, 2, 1) @ BODY_TO_BLENDER
    parents = [_parent(person.armature, name) for name in JOINT_NAMES]
    local = turned.copy()
    for joint, parent in enumerate(parents):
        if parent is not None:
            local[:, joint] = turned[:, JOINT_NAMES.index(parent)].transpose(0, 2, 1) @ turned[:, joint]
    pelvis = rest[0, :3, 3] @ BODY_TO_BLENDER
    betas = np.array(betas_of(person.root, person.track))
    # A SMPL body has the size of its betas, so that of a clip made smaller or larger has to travel by its own metres.
    return amass.amass_fields(local, poses[:, 0, :3, 3] / scale, pelvis, betas, fps, str(person.root.get(BODY, "")))


def _parent(armature: Any, name: str) -> str | None:
    """The nearest joint of the body above a bone."""
    bone = armature.data.bones[name].parent
    while bone is not None and bone.name not in JOINT_NAMES:
        bone = bone.parent
    return bone.name if bone else None
