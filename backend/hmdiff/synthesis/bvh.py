"""BVH files: skeleton, channels, frames (the format of Biovision; degrees, any channel order)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hmdiff_wire.errors import HmdiffError
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

Float = NDArray[np.float64]
MOST_JOINTS = 500


@dataclass(frozen=True)
class Bvh:
    """names, parents (J) with -1 for the root; offsets (J,3) in the file's unit; end_offsets: joint -> its end site;
    rotations (F,J,3,3) local; fps.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: Float
    end_offsets: dict[int, Float]
    rotations: Float
    fps: float

    def world_rotations(self) -> Float:
        """(F,J,3,3); the identity is the rest pose, in which every bone lies as its offset says."""
        world = np.empty_like(self.rotations)
        for joint, parent in enumerate(self.parents):
            local = self.rotations[:, joint]
            world[:, joint] = local if parent < 0 else world[:, parent] @ local
        return world


@dataclass
class _Skeleton:
    names: list[str]
    parents: list[int]
    offsets: list[list[float]]
    end_offsets: dict[int, Float]
    channels: list[list[str]]


def read_bvh(path: Path, fps_limit: float | None = None) -> Bvh:
    """Read a BVH file, keeping every n-th frame so that no more than fps_limit remain per second.

    A first frame that is a mere T-pose, as many conversions put in front of the motion, is left out.
    Errors: ``mocap.unreadable``.
    """
    path = Path(path)
    try:
        head, _, motion = path.read_text(encoding="utf-8-sig").partition("MOTION")
        skeleton = _read_skeleton(head.split())
        numbers, frame_time = _read_motion(motion, sum(map(len, skeleton.channels)))
    except (OSError, ValueError, IndexError, RecursionError) as error:
        raise HmdiffError(
            "mocap.unreadable", f"{path.name} is not a complete BVH file.",
            "Take it out of the motion capture folder, or download it again.", f"{path}: {error!r}",
        ) from error  # fmt: skip
    fps = 1.0 / frame_time
    stride = 1 if fps_limit is None else max(1, int(np.ceil(fps / fps_limit - 0.01)))
    return Bvh(
        names=tuple(skeleton.names),
        parents=tuple(skeleton.parents),
        offsets=np.array(skeleton.offsets),
        end_offsets=skeleton.end_offsets,
        rotations=_rotations(numbers[_first_frame(numbers, skeleton.channels) :: stride], skeleton.channels),
        fps=fps / stride,
    )


def _read_skeleton(words: list[str]) -> _Skeleton:
    found = _Skeleton([], [], [], {}, [])
    if not words or words[0].upper() != "HIERARCHY":
        raise ValueError("no HIERARCHY")
    above: list[int | None] = []  # the open braces: a joint, or None for an end site
    place, opened = 1, -1
    while place < len(words):
        word = words[place].upper()
        if word in ("ROOT", "JOINT"):
            # A name may hold spaces: it goes on to the brace.
            brace = words.index("{", place)
            found.names.append(" ".join(words[place + 1 : brace]))
            found.parents.append(above[-1] if above and above[-1] is not None else -1)
            found.offsets.append([0.0, 0.0, 0.0])
            found.channels.append([])
            opened = len(found.names) - 1
            above.append(opened)
            place = brace + 1
        elif word == "END":
            place = words.index("{", place) + 1
            above.append(None)
        elif word == "OFFSET":
            offset = [float(x) for x in words[place + 1 : place + 4]]
            if above[-1] is None:
                parent = above[-2]
                if parent is None:
                    raise ValueError("an end site inside an end site")
                found.end_offsets[parent] = np.array(offset)
            else:
                found.offsets[above[-1]] = offset
            place += 4
        elif word == "CHANNELS":
            count = int(words[place + 1])
            joint = above[-1]
            if joint is None or not 0 <= count <= 6:
                raise ValueError("channels outside a joint")
            found.channels[joint] = [name.lower() for name in words[place + 2 : place + 2 + count]]
            place += 2 + count
        elif word == "}":
            above.pop()
            place += 1
        else:
            raise ValueError(f"unknown word {words[place]!r}")
    if above or not 0 < len(found.names) <= MOST_JOINTS or found.parents.count(-1) != 1:
        raise ValueError("the skeleton is not complete")
    known = {axis + kind for axis in "xyz" for kind in ("position", "rotation")}
    if not all(name in known for names in found.channels for name in names):
        raise ValueError("unknown channels")
    return found


def _read_motion(text: str, width: int) -> tuple[Float, float]:
    lines = text.strip().splitlines()
    if len(lines) < 3 or not lines[0].lower().startswith("frames:") or not lines[1].lower().startswith("frame time:"):
        raise ValueError("no MOTION")
    frames, frame_time = int(lines[0].split(":")[1]), float(lines[1].split(":")[1])
    numbers = np.array(" ".join(lines[2:]).split(), dtype=np.float64)
    if frames < 1 or width < 1 or len(numbers) != frames * width or not np.isfinite(numbers).all():
        raise ValueError(f"{len(numbers)} numbers where {frames} x {width} belong")
    if not 1e-4 < frame_time < 10:
        raise ValueError(f"a frame time of {frame_time} s")
    return numbers.reshape(frames, width), frame_time


def _first_frame(numbers: Float, channels: list[list[str]]) -> int:
    """1 when the joints turn by more than ten degrees on average from the first frame to the second, else 0."""
    if len(numbers) < 2:
        return 0
    first, second = _rotations(numbers[:2], channels)
    trace = np.trace(first.transpose(0, 2, 1) @ second, axis1=1, axis2=2)
    return int(np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1))).mean() > 10)


def _rotations(numbers: Float, channels: list[list[str]]) -> Float:
    rotations = np.tile(np.eye(3), (len(numbers), len(channels), 1, 1))
    first = 0
    for joint, names in enumerate(channels):
        turns = [k for k, name in enumerate(names) if name.endswith("rotation")]
        if turns:
            # Capital letters: each turn is about the axis the turns before it have moved.
            axes = "".join(names[k][0].upper() for k in turns)
            degrees = numbers[:, [first + k for k in turns]]
            rotations[:, joint] = _turn(axes, degrees)
        first += len(names)
    return rotations


def _turn(axes: str, degrees: Float) -> Float:
    turned = np.tile(np.eye(3), (len(degrees), 1, 1))
    for k, axis in enumerate(axes):
        turned = turned @ Rotation.from_euler(axis, degrees[:, k : k + 1], degrees=True).as_matrix()
    return turned
