"""From rendered folders that the detector has read to the one small file that ships as the benchmark ``rendered``."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hmdiff_wire.errors import HmdiffError
from numpy.typing import NDArray

from ...detect.observation import LIMB_SLOTS, STATUSES
from ...models.inputs import HEATMAP_SLOTS, canonical_crop
from .detections import read_seen, seen_path
from .packed import FOUND_SHAPES, MASK, OTHER_SLOTS, PEOPLE_SHAPES, PackedPeople, write_packed
from .shards import Arrays, Shard, read_shards
from .truth import HIDDEN_OBJECT, HIDDEN_PERSON, OUTSIDE

RULE = "at least half of the 12 limb landmarks lie inside the picture and not behind things or other people"
LEAST = 3
"""Heatmap and mask values up to this (of 255) are dropped: nearly all are, and they would be half of the file."""
_METRE = 2.0**-14
_PIXEL = 2.0**-8
_DTYPES = {
    "clip": np.int32, "single": np.bool_, "frame": np.int16, "time": np.float32, "person": np.int16,
    "focal": np.float32, "size": np.uint16, "hidden": np.uint8, "hard": np.bool_, "status": np.uint8, "row": np.int32,
    "track": np.int32, "heatmaps": np.uint8, "peak": np.uint8, "peak_cell": np.uint16, "mask": np.uint8,
    "own": np.uint8, "people": np.uint8,
}  # fmt: skip


@dataclass(frozen=True)
class PackOptions:
    """pictures, clips: how many single pictures and clips to take at most, evenly spread over what is there."""

    folders: tuple[Path, ...]
    out: Path
    pictures: int | None = None
    clips: int | None = None


@dataclass
class _Gathered:
    """Rows so far, single pictures and clips apart, and what was counted in them."""

    people: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in PEOPLE_SHAPES})
    found: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in FOUND_SHAPES})
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, name: str, by: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + by


def pack(options: PackOptions) -> dict[str, Any]:
    """Write the file and return its card.

    Errors: ``render.not_found``, ``render.not_detected``, ``render.damaged``.
    """
    singles, clips = _Gathered(), _Gathered()
    read = [(folder, _read(folder)) for folder in options.folders]
    for _, shards in read:
        moving = any((shard.truth["frame"] > 0).any() for shard, _ in shards)
        limit = options.clips if moving else options.pictures
        scenes = np.unique(np.concatenate([shard.truth["scene"] for shard, _ in shards]))
        chosen = {int(scene) for scene in spread_out(scenes, limit)}
        into = clips if moving else singles
        label = 0 if not into.people["clip"] else into.people["clip"][-1] + 1
        for shard, seen in shards:
            label = _gather(into, shard, seen, chosen, moving, label)
    packed = PackedPeople(*_join(singles, clips), _card(_commands(options, read), singles, clips))
    write_packed(options.out, packed)
    return packed.card


def spread_out(items: NDArray[np.int64], limit: int | None) -> NDArray[np.int64]:
    """``limit`` of the items, evenly spaced and always the same ones; all of them without a limit."""
    if limit is None or limit >= len(items):
        return items
    return items[(np.arange(limit) * len(items)) // limit]


def round_to(values: NDArray[Any], step: float) -> NDArray[np.float32]:
    """To multiples of a power of two: numbers that end in zeros pack well and stay what they are in any unit."""
    return (np.round(np.asarray(values, np.float64) / step) * step).astype(np.float32)


def _read(folder: Path) -> list[tuple[Shard, Arrays]]:
    pairs: list[tuple[Shard, Arrays]] = []
    for shard in read_shards(folder):
        if not seen_path(folder, shard.index).is_file():
            raise HmdiffError(
                "render.not_detected", f"Some pictures in {folder} were not read by the detector yet.",
                f"Run `hmdiff synth detect {folder}`.",
            )  # fmt: skip
        pairs.append((shard, read_seen(folder, shard.index)))
    return pairs


def _gather(into: _Gathered, shard: Shard, seen: Arrays, chosen: set[int], moving: bool, label: int) -> int:
    """Add a shard's chosen scenes; returns the next free label."""
    truth = shard.truth
    scene_of = truth["scene"][truth["row"]]
    for scene in np.unique(truth["scene"]):
        if int(scene) not in chosen:
            continue
        rows = np.flatnonzero(scene_of == scene)
        in_scene = truth["scene"] == scene
        into.count("pictures", int(in_scene.sum()))
        into.count("false_detections", int(in_scene[seen["false_row"]].sum()))
        views = truth["view"][truth["row"][rows]]
        # one camera and person after the other, in the order of time
        order = rows[np.lexsort((truth["frame"][truth["row"][rows]], truth["person"][rows], views))]
        for view in np.unique(truth["view"][in_scene]):
            for person in order:
                if truth["view"][truth["row"][person]] == view:
                    _add(into, shard, seen, int(person), moving, label)
            label += 1
    return label


def _add(into: _Gathered, shard: Shard, seen: Arrays, person: int, moving: bool, label: int) -> None:
    truth = shard.truth
    hidden = truth["hidden_landmarks"][person]
    behind = (hidden[list(LIMB_SLOTS)] & (HIDDEN_OBJECT | HIDDEN_PERSON | OUTSIDE)) > 0
    hard, status = bool(behind.mean() > 0.5), str(seen["status"][person])
    missed = status == "missed"
    into.count("people_drawn")
    into.count(f"{'hard' if hard else 'count'}_{'missed' if missed else 'found'}")
    if hard and missed:
        return
    picture = truth["row"][person]
    row = {
        "clip": label, "single": not moving, "frame": truth["frame"][picture] if moving else -1,
        "time": truth["clip_time"][picture], "person": truth["person"][person], "focal": truth["focal"][picture],
        "size": truth["size"][picture], "betas": round_to(truth["betas"][person], _METRE),
        "pose": round_to(truth["pose"][person].reshape(72), _METRE),
        "transl": round_to(truth["transl"][person], _METRE), "hidden": hidden,
        "seen_share": truth["seen_share"][person], "hard": hard, "status": STATUSES.index(status),
    }  # fmt: skip
    for name, value in row.items():
        into.people[name].append(value)
    if missed:
        return
    at = int(seen["map_row"][person])
    heatmaps = seen["heatmaps"][at]
    others = heatmaps[list(OTHER_SLOTS)].reshape(len(OTHER_SLOTS), -1)
    points = round_to(seen["landmarks_2d"][person], _PIXEL)
    box = round_to(seen["box"][person], _PIXEL)
    crop = _canonical(points, seen["confidence"][person], box)
    found = {
        "row": len(into.people["clip"]) - 1, "track": seen["track"][person], "landmarks_2d": points,
        "confidence": seen["confidence"][person], "world": round_to(seen["world"][person], _METRE), "box": box,
        "crop": seen["crop"][person], "quality": seen["quality"][person],
        "heatmaps": _above(heatmaps[list(HEATMAP_SLOTS)]), "peak": others.max(1), "peak_cell": others.argmax(1),
        "mask": _above(halve(seen["mask"][at])), "own": _bits(shard.mask(person), crop),
        "people": _bits(_everybody(shard, int(picture)), crop),
    }  # fmt: skip
    for name, value in found.items():
        into.found[name].append(value)


def _canonical(points: NDArray[np.float32], confidence: NDArray[np.float32], box: NDArray[np.float32]) -> Any:
    parts = (torch.from_numpy(np.array(part[None])) for part in (points, confidence, box))
    centre, side = canonical_crop(*parts)
    return np.concatenate([centre[0].numpy(), side.numpy()])


def _everybody(shard: Shard, picture: int) -> NDArray[np.bool_]:
    return np.logical_or.reduce([shard.mask(int(person)) for person in shard.people_of(picture)])


def _bits(mask: NDArray[np.bool_], crop: NDArray[np.float32]) -> NDArray[np.uint8]:
    return np.packbits(look_up(mask, crop))


def look_up(mask: NDArray[np.bool_], crop: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(h,w) of the picture -> (128,128) of the square crop (3,) centre and side, False outside the picture."""
    cells = (np.arange(MASK) + 0.5) / MASK - 0.5
    column, row = (np.floor(crop[axis] + cells * crop[2]).astype(int) for axis in range(2))
    height, width = mask.shape
    inside = ((row >= 0) & (row < height))[:, None] & ((column >= 0) & (column < width))[None]
    return mask[row.clip(0, height - 1)[:, None], column.clip(0, width - 1)[None]] & inside


def halve(raster: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(2S,2S) -> (S,S) means."""
    side = raster.shape[0] // 2
    return np.round(raster.reshape(side, 2, side, 2).mean((1, 3))).astype(np.uint8)


def _above(raster: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.where(raster > LEAST, raster, 0).astype(np.uint8)


def _join(singles: _Gathered, clips: _Gathered) -> tuple[Arrays, Arrays]:
    before, labels = len(singles.people["clip"]), max(singles.people["clip"], default=-1) + 1
    clips.people["clip"] = [label + labels for label in clips.people["clip"]]
    clips.found["row"] = [row + before for row in clips.found["row"]]

    def column(name: str, part: str, shape: tuple[int, ...]) -> NDArray[Any]:
        values = getattr(singles, part)[name] + getattr(clips, part)[name]
        return np.array(values, _DTYPES.get(name, np.float32)).reshape(-1, *shape)

    return (
        {name: column(name, "people", shape) for name, shape in PEOPLE_SHAPES.items()},
        {name: column(name, "found", shape) for name, shape in FOUND_SHAPES.items()},
    )


def _commands(options: PackOptions, read: list[tuple[Path, list[tuple[Shard, Arrays]]]]) -> list[str]:
    """What was typed to make the file, from the mocap on."""
    lines: list[str] = []
    for folder, shards in read:
        path = folder / "render.json"
        made: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        count = sum(len(shard.truth["picture"]) for shard, _ in shards)
        given = f"--split {made.get('split')} --seed {made.get('seed')} --count {count}"
        given += f" --views {made['views']}" * (made.get("views", 1) > 1)
        given += f" --clip-frames {made['frames']}" * (made.get("frames", 1) > 1)
        lines += [f"hmdiff synth render {given} --out {folder}", f"hmdiff synth detect {folder}"]
    limits = [f"--{n} {value}" for n in ("pictures", "clips") if (value := getattr(options, n)) is not None]
    return [*lines, " ".join(["hmdiff synth pack", *map(str, options.folders), *limits, f"-o {options.out}"])]


def _card(commands: list[str], singles: _Gathered, clips: _Gathered) -> dict[str, Any]:
    return {
        "what": "rendered people of held-out subjects, shapes, textures and backgrounds, and what the detector said",
        "commands": commands,
        "detector": "BlazePose full (pose_detection.tflite, pose_landmark_full.tflite)",
        "counts_if": RULE,
        "dropped": f"heatmap and mask values up to {LEAST} of 255",
        "single_pictures": dict(sorted(singles.counts.items())),
        "clips": dict(sorted(clips.counts.items())),
    }
