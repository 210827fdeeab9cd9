"""Which bone of a character follows which of our joints: the map, its checks, and its file.

A map names bones for SMPL's 24 joints, and for ``root`` where another bone than the pelvis carries the body through
space. ``switches`` are custom properties that a rig needs at certain values while it is driven (Rigify: FK on).
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hmdiff_wire.body import JOINT_NAMES
from hmdiff_wire.errors import HmdiffError

ROOT = "root"
JOINTS = (ROOT, *JOINT_NAMES)
NEEDED = ("pelvis", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle")
FORMAT = "hmdiff-bone-map"
SUFFIX = ".json"
_LARGEST = 1_000_000


@dataclass(frozen=True)
class Switch:
    """The custom property of a bone and the value it needs."""

    bone: str
    name: str
    value: float


@dataclass(frozen=True)
class BoneMap:
    """bones: joint -> bone, joints without a bone left out."""

    name: str
    bones: Mapping[str, str]
    switches: tuple[Switch, ...] = field(default=())

    def check(self, existing: Iterable[str]) -> None:
        """Errors: ``map.missing``, ``map.unknown_bone``, ``map.twice``; existing: the character's bones."""
        missing = [spoken(joint) for joint in NEEDED if not self.bones.get(joint)]
        if missing:
            raise HmdiffError(
                "map.missing", f"The bone map has no bone for {_listed(missing)}.",
                "Choose the character's bones for them in the list, or press Fill by Names.",
            )  # fmt: skip
        if not any(self.bones.get(joint) for joint in ("head", "neck", "spine3")):
            raise HmdiffError(
                "map.missing", "The bone map has no bone for the head, the neck or the chest.",
                "Choose the character's bone for one of them, so that up and down are known.",
            )  # fmt: skip
        known = set(existing)
        strangers = [bone for bone in self.bones.values() if bone and bone not in known]
        if strangers:
            raise HmdiffError(
                "map.unknown_bone", f"The character has no bone called {_listed(strangers)}.",
                "Choose other bones in the list, or press Fill by Names.",
            )  # fmt: skip
        used: dict[str, str] = {}
        for joint, bone in self.bones.items():
            if joint != ROOT and bone:
                if bone in used:
                    raise HmdiffError(
                        "map.twice", f"{bone} stands for both {spoken(used[bone])} and {spoken(joint)}.",
                        "Choose another bone for one of them, or leave it empty.",
                    )  # fmt: skip
                used[bone] = joint


def spoken(joint: str) -> str:
    """left_hip -> 'left hip'."""
    return re.sub(r"(?<=[a-z])(?=\d)", " ", joint.replace("_", " "))


def to_json(bone_map: BoneMap) -> str:
    bones = {joint: bone_map.bones[joint] for joint in JOINTS if bone_map.bones.get(joint)}
    switches = [{"bone": item.bone, "property": item.name, "value": item.value} for item in bone_map.switches]
    data = {"format": FORMAT, "version": 1, "name": bone_map.name, "bones": bones, "switches": switches}
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def from_json(text: str, where: str = "This file") -> BoneMap:
    """Errors: ``map.unreadable``."""
    try:
        data = json.loads(text)
        if data["format"] != FORMAT or data["version"] != 1:
            raise ValueError(f"format {data['format']!r}, version {data['version']!r}")
        bones = {joint: data["bones"][joint] for joint in JOINTS if data["bones"].get(joint)}
        if not all(isinstance(bone, str) for bone in bones.values()) or set(data["bones"]) - set(JOINTS):
            raise ValueError("a joint that is none of ours, or a bone that is no name")
        switches = tuple(
            Switch(str(item["bone"]), str(item["property"]), float(item["value"])) for item in data.get("switches", [])
        )
        return BoneMap(str(data["name"]), bones, switches)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise HmdiffError(
            "map.unreadable", f"{where} is not a bone map of HMDiff.",
            "Choose a .json file that was saved or exported from the Character panel.", repr(error),
        ) from error  # fmt: skip


def read_map(path: Path) -> BoneMap:
    """Errors: ``map.unreadable``."""
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError("far too large for a bone map")
        return from_json(path.read_text(encoding="utf-8"), path.name)
    except (OSError, ValueError) as error:
        raise HmdiffError(
            "map.unreadable", f"{path.name} cannot be read.", "Choose another file.", repr(error)
        ) from error


def write_map(path: Path, bone_map: BoneMap) -> None:
    """Whole or not at all. Errors: ``map.not_writable``."""
    partial = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(to_json(bone_map), encoding="utf-8")
        os.replace(partial, path)
    except OSError as error:
        raise HmdiffError(
            "map.not_writable", f"{path.name} cannot be written.", "Choose a folder you may write to.", repr(error)
        ) from error


def stored_maps(folder: Path) -> dict[str, Path]:
    """The user's own maps: name -> file, by name."""
    return {path.stem: path for path in sorted(folder.glob(f"*{SUFFIX}"))} if folder.is_dir() else {}


def file_name(name: str) -> str:
    """A file name for a map's name, on every system. Errors: ``map.no_name``."""
    cleaned = re.sub(r'[<>:"/\\|?*\x00-\x1f]', "_", name).strip(" .")
    if not cleaned:
        raise HmdiffError("map.no_name", "The bone map needs a name.", "Type one.")
    return cleaned[:80] + SUFFIX


def _listed(words: list[str]) -> str:
    shown = words[:4]
    more = f" and {len(words) - 4} more" if len(words) > 4 else ""
    return ", ".join(shown) + more
