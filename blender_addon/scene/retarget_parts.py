"""Only some parts of a character: which of its bones the clip moves, and which go on as they did."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace

from ..core.bone_maps import ROOT, BoneMap
from .retarget_rig import Rig

PARTS = ("TRUNK", "HEAD", "ARMS", "LEGS")
_OF = {
    "TRUNK": (ROOT, "pelvis", "spine1", "spine2", "spine3"),
    "HEAD": ("neck", "head"),
    "ARMS": ("collar", "shoulder", "elbow", "wrist", "hand"),
    "LEGS": ("hip", "knee", "ankle", "foot"),
}

_SWITCH_OF = {"ARMS": re.compile("arm|hand|shoulder", re.I), "LEGS": re.compile("leg|thigh|foot|shin", re.I),
              "HEAD": re.compile("head|neck", re.I)}  # fmt: skip


def with_switches_of(bone_map: BoneMap, parts: Collection[str]) -> BoneMap:
    """The map with the switches that these PARTS need, by their names: legs that go on by inverse kinematics stay so.

    A switch whose name tells nothing counts for every part.
    """

    def wanted(name: str) -> bool:
        of = [part for part, words in _SWITCH_OF.items() if words.search(name)]
        return not of or not set(of).isdisjoint(parts)

    return replace(bone_map, switches=tuple(one for one in bone_map.switches if wanted(f"{one.bone} {one.name}")))


def driven_bones(rig: Rig, parts: Collection[str]) -> frozenset[str] | None:
    """The bones of these PARTS; None for all of them, so that nothing of the character's own goes on.

    The travel and the character's place belong to the trunk, bones between two of the trunk to the lower one.
    """
    if set(parts) >= set(PARTS):
        return None
    joints = {joint for part in parts for joint in _OF[part]}
    joints |= {f"{side}_{joint}" for side in ("left", "right") for joint in joints}
    found = {index for joint, index in rig.joints.items() if joint in joints}
    found |= {index for index, (lower, _, _) in rig.between.items() if lower in found}
    return frozenset(rig.bones[index] for index in found)
