"""Real footage with truth: two calibrated cameras of one motion (3D), and photos with labelled keypoints (2D)."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import Take
from numpy.typing import NDArray

from ...detect import Observation
from ...models.inputs import canonical_crop
from ...video.estimate import Estimator, make_estimator
from ...video.options import RunOptions
from .. import metrics
from ..footage import (
    LIMBS_OF_24,
    ClipRun,
    animate,
    draw_frames,
    limbs_of_detector,
    observe_person,
    seen_frames,
    time_blocks,
)
from ..mean_pose import mean_pose_body
from ..predict import LIMB_HIPS, LIMB_SLOTS, read_meshes, regressor_meshes
from ..report import run_facts
from ..score import Errors, Tally, acceleration, best_errors, pose_errors
from ..settings import EvalSettings, OnProgress, Result, footage_only, must_have
from .photos import measure_photos
from .pose2sim import CAMERAS, CameraTruth, read_camera_truth

SKELETON = "12 limb joints (shoulders, elbows, wrists, hips, knees, ankles): the skeleton's own"


@dataclass(frozen=True, eq=False)
class _Clip:
    """One camera's run beside its truth. rows: frames with truth and a body seen there, positions along the take;
    truth (R,12,3) metres in camera axes, truth_2d (R,12,2) px through the calibrated lens; side (R,) px: of the square
    crop at 1.25 times the detected landmarks; n_missed: frames with truth in which nobody was seen.
    """

    run: ClipRun
    rows: NDArray[np.int64]
    truth: NDArray[np.float64]
    truth_2d: NDArray[np.float64]
    side: NDArray[np.float64]
    n_missed: int

    @property
    def take(self) -> Take:
        return self.run.take


def run(settings: EvalSettings, on_progress: OnProgress) -> Result:
    """Errors: ``usage``, ``eval.no_data`` and those of the pipeline."""
    footage_only(settings, "samples")
    folder = must_have(settings.shared / "samples", "the sample footage")
    truth_file = must_have(folder / "videos" / "pose2sim_single" / "truth_3d.json", "the 3D truth of pose2sim_single")
    basic = RunOptions(settings.preset, settings.hypotheses, settings.steps, settings.seed, settings.device)
    estimator = make_estimator(basic)
    mean = mean_pose_body(estimator.loaded.body)[1][list(LIMBS_OF_24)].double().numpy()
    whole, videos, groups, seconds = Tally(), {}, [], []
    for number, camera in enumerate(CAMERAS):
        truth = read_camera_truth(truth_file, camera)
        clip = truth_file.with_name(f"{camera}.mp4")
        options = RunOptions(
            settings.preset, settings.hypotheses, settings.steps, settings.seed, settings.device,
            focal=truth.focal, frame_range=None if settings.limit is None else (0, settings.limit + 1),
        )  # fmt: skip
        with tempfile.TemporaryDirectory(prefix="hmdiff-eval-") as temporary:
            ran = animate(clip, options, Path(temporary) / "take", lambda stage, done, total: None)
            compared = compare(ran, truth)
            observed = observe_person(ran.take, ran.person, clip)
            one = measure_clip(estimator, compared, observed, mean)
            blocks = time_blocks(ran.take.times[compared.rows])
        for method in one.methods:
            whole.add(method, one.errors(method))
        groups.append(blocks + 1000 * number)
        seconds.append(ran.seconds)
        videos[camera] = {
            **one.blocks(blocks, settings.seed), "n_frames": len(compared.rows), "n_missed": compared.n_missed,
        }  # fmt: skip
        on_progress("video", number + 1, len(CAMERAS))
    return {
        "benchmark": "samples",
        **_complete(whole.blocks(np.concatenate(groups), settings.seed)),
        "videos": videos,
        "photos": measure_photos(folder, basic, settings.limit, on_progress),
        "n_frames": sum(len(part) for part in groups),
        "joints": SKELETON + "; detector_3d and estimate_landmarks: the detector's landmarks",
        "alignment": f"{LIMB_HIPS.name}; {metrics.PROCRUSTES_NAME}",
        "interval": f"95 %, bootstrap over half seconds of {len(CAMERAS)} views of one motion; says nothing of others",
        "notes": [
            "truth: HALPE joints triangulated from four views, good to 2 to 4 cm; neither side shares its definitions",
            "estimate: the finished motion of `hmdiff animate` with the calibrated focal length",
            "estimate_landmarks: the same bodies, read where the detector means its landmarks, as detector_3d is",
            "model_per_frame, no_dat, regressor: the bare model, nothing fitted or smoothed; skeleton joints",
            "2D px: mean over the 12 limb landmarks, px of a 256 px crop at 1.25 times the detected landmarks, against "
            "the truth seen through the calibrated lens; detector_2d: the detector's own landmarks there",
            "best_of_n: least error among the unsmoothed hypotheses, each figure choosing its own",
            "mean_pose: PA alone, since its orientation is unknown; acceleration is at 60 frames/s",
        ],
        **run_facts(estimator, float(np.mean(seconds))),
    }


def compare(ran: ClipRun, truth: CameraTruth) -> _Clip:
    """The frames that have both truth and a body seen in them. Errors: ``nothing.nobody``."""
    row_of = {int(index): row for row, index in enumerate(ran.take.frame_indices)}
    seen = seen_frames(ran.take, ran.person)
    inside = [(row_of[int(frame)], at) for at, frame in enumerate(truth.frames) if int(frame) in row_of]
    pairs = [(row, at) for row, at in inside if seen[row]]
    if not pairs:
        raise HmdiffError(
            "nothing.nobody", "Nobody was seen in any frame that has truth.", "Use a higher --limit, or none."
        )
    rows, at = (np.array(part, np.int64) for part in zip(*pairs, strict=True))
    joints, detected = truth.joints[at], torch.from_numpy(ran.take.landmarks_2d[ran.person, rows].astype(np.float64))
    _, side = canonical_crop(detected[..., :2], detected[..., 2])
    return _Clip(ran, rows, joints, truth.project(joints), side.numpy(), len(inside) - len(pairs))


def measure_clip(
    estimator: Estimator, clip: _Clip, observed: dict[int, Observation], mean: NDArray[np.float64]
) -> Tally:
    """Errors of every method over the clip's rows; nan where a method has nothing to say."""
    tally, take, person = Tally(), clip.take, clip.run.person

    def add(method: str, joints: NDArray[Any]) -> None:
        tally.add(method, errors_of(joints, clip))

    add("estimate", take.joints[person, clip.rows][:, list(LIMBS_OF_24)])
    landmarks = landmarks_of(estimator, take, person, clip.rows)
    tally.add("estimate_landmarks", errors_of(landmarks, clip) | pixel_errors(projected(take, landmarks), clip))
    detected = take.landmarks_2d[person, clip.rows][:, list(LIMB_SLOTS), :2].astype(np.float64)
    tally.add("detector_2d", pixel_errors(detected, clip))
    several = take.hypotheses_joints[person, clip.rows][:, :, list(LIMBS_OF_24)]
    each = [pose_errors(several[:, k], clip.truth, LIMB_HIPS) for k in range(several.shape[1])]
    tally.add("best_of_n", best_errors(each))
    both = [row for row in clip.rows.tolist() if row in observed]
    for method, joints in frame_joints(estimator, take, [observed[row] for row in both]).items():
        everywhere = np.full(clip.truth.shape, np.nan)
        everywhere[np.isin(clip.rows, both)] = joints
        add(method, everywhere)
    tally.add("mean_pose", {"pa_mpjpe_mm": metrics.pa_mpjpe(mean, clip.truth)})
    return tally


def frame_joints(estimator: Estimator, take: Take, people: list[Observation]) -> dict[str, NDArray[Any]]:
    """What is said of single frames, (B,12,3) metres: the bare model with and without DAT, m, the detector."""
    loaded, coarse = estimator.loaded, estimator.loaded.hierarchy.indices[1]
    limbs = loaded.maps.coarse_joints[list(LIMBS_OF_24)]
    none = np.zeros((0, len(limbs), 3), np.float32)
    kept: dict[str, list[NDArray[Any]]] = {name: [none] for name in ("model_per_frame", "no_dat", "regressor")}
    focal = float(take.focal[0])
    for samples in draw_frames(estimator, people, focal, take.center):
        kept["model_per_frame"].append(limbs @ read_meshes(loaded, samples.vertices).vertices[:, coarse])
        kept["regressor"].append(limbs @ regressor_meshes(loaded, samples).vertices[:, coarse])
    for samples in draw_frames(estimator, people, focal, take.center, with_dat=False):
        kept["no_dat"].append(limbs @ read_meshes(loaded, samples.vertices).vertices[:, coarse])
    said = {name: np.concatenate(parts) for name, parts in kept.items()}
    return said | {"detector_3d": limbs_of_detector(people) if people else none}


def errors_of(joints: NDArray[Any], clip: _Clip) -> Errors:
    """joints (R,12,3), rows of nan where unknown."""
    known = np.isfinite(joints).all((1, 2))
    filled = np.where(known[:, None, None], joints, 0.0)
    errors = {
        name: np.where(known, values, np.nan) for name, values in pose_errors(filled, clip.truth, LIMB_HIPS).items()
    }
    # Rows are consecutive frames but where one was missed: there no second difference is taken.
    jump = np.diff(clip.rows, prepend=clip.rows[0] - 1) != 1
    beside = jump | np.roll(jump, -1)
    motion = acceleration(filled, clip.truth, LIMB_HIPS, known)
    return errors | {"acceleration_mm": np.where(beside, np.nan, motion)}


def pixel_errors(points: NDArray[np.float64], clip: _Clip) -> Errors:
    """points (R,12,2) px of the picture beside the projected truth."""
    everything = np.ones(points.shape[:2], bool)
    return {"error_2d_px": metrics.keypoint_error_2d(points, clip.truth_2d, everything, clip.side)}


def projected(take: Take, points: NDArray[np.float32]) -> NDArray[np.float64]:
    """points (...,3) metres in camera axes -> (...,2) px by the take's own camera, which knows of no distortion."""
    placed = points.astype(np.float64)
    return placed[..., :2] / placed[..., 2:] * float(take.focal[0]) + np.array(take.center)


def landmarks_of(estimator: Estimator, take: Take, person: int, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    """(R,12,3) metres in camera axes: where the detector means LIMB_SLOTS on the finished bodies."""
    matrix = estimator.loaded.maps.landmarks[list(LIMB_SLOTS)]
    used = np.flatnonzero(matrix.any(0))
    return matrix[:, used] @ take.decode(person, rows)[:, used]


def _complete(blocks: Result) -> Result:
    """All the blocks a result has, null where this benchmark has none, the common ones first."""
    names = ("estimate", "best_of_n", "no_dat", "regressor", "detector_3d", "mean_pose")
    return {name: blocks.get(name) for name in names} | {k: v for k, v in blocks.items() if k not in names}
