"""Real pictures: the whole pipeline on a clip, the detector on the same frames, and the bare model frame by frame."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from hmdiff_wire.body import JOINT_NAMES
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import Take, read_take
from numpy.typing import NDArray

from ..detect import Detector, Observation
from ..detect.observation import BLAZEPOSE_NAMES, LIMB_SLOTS
from ..models.hmdiff import MeshSamples
from ..models.observe import inputs_from_observations
from ..video.animate import run
from ..video.estimate import Estimator
from ..video.options import RunOptions
from ..video.source import open_source
from .predict import draw

LIMBS_OF_24 = tuple(JOINT_NAMES.index(BLAZEPOSE_NAMES[slot]) for slot in LIMB_SLOTS)
"""The skeleton's joints in the order of LIMB_SLOTS."""
BLOCK_SECONDS = 0.5
BATCH = 16


@dataclass(frozen=True, eq=False)
class ClipRun:
    """take: of the clip; person: the one seen longest; seconds: what the run took for each frame."""

    take: Take
    person: int
    seconds: float


def animate(clip: Path, options: RunOptions, folder: Path, on_progress: Callable[[str, int, int], None]) -> ClipRun:
    """`hmdiff animate` (or `pose`) into folder. Errors: those of ``run``, ``nothing.nobody``."""
    started = time.perf_counter()
    result = run(clip, options, folder, on_progress)
    seconds = (time.perf_counter() - started) / max(1, result.frames)
    take = read_take(folder)
    return ClipRun(take, main_person(take), seconds)


def main_person(take: Take) -> int:
    """Who is there in most frames. Errors: ``nothing.nobody``."""
    if not take.n_people or not take.valid.any():
        raise HmdiffError("nothing.nobody", "The take has nobody in it.", "Look at the clip: is a person to be seen?")
    return int(take.valid.sum(1).argmax())


def seen_frames(take: Take, person: int) -> NDArray[np.bool_]:
    """(F,) frames in which the person was seen rather than held."""
    held = take.status_names.index("held")
    return take.valid[person] & (take.status[person] != held)


def observe_person(take: Take, person: int, clip: Path) -> dict[int, Observation]:
    """The detector once more over the take's frames: position along F -> what it saw of this person."""
    position = {int(index): place for place, index in enumerate(take.frame_indices)}
    source = open_source(clip, (int(take.frame_indices[0]), int(take.frame_indices[-1]) + 1))
    detector, track = Detector(), int(take.track_ids[person])
    found: dict[int, Observation] = {}
    for frame in source:
        for one in detector.video_step(frame.image_rgb, frame.time):
            if one.track_id == track and one.seen and frame.index in position:
                found[position[frame.index]] = one
    return found


def limbs_of_detector(observations: Sequence[Observation]) -> NDArray[np.float32]:
    """(B,12,3) metres about the hips, in the order of LIMB_SLOTS; nan where the detector has no 3D."""
    return np.stack([one.landmarks_world[list(LIMB_SLOTS)] for one in observations])


def draw_frames(
    estimator: Estimator, observations: Sequence[Observation], focal: float, principal: tuple[float, float],
    *, with_dat: bool = True,
) -> Iterator[MeshSamples]:  # fmt: skip
    """The bare model on each frame by itself, in batches: no body fitted, nothing smoothed."""
    for first in range(0, len(observations), BATCH):
        some = observations[first : first + BATCH]
        inputs = inputs_from_observations(some, [focal] * len(some), principal)
        yield draw(estimator, inputs, torch.tensor([one.track_id for one in some]), with_dat=with_dat)


def time_blocks(times: NDArray[np.float64]) -> NDArray[np.int64]:
    """(F,) seconds -> which half second each frame is in: neighbouring frames are nearly one measurement."""
    return np.floor((times - times[0]) / BLOCK_SECONDS + 1e-6).astype(np.int64)
