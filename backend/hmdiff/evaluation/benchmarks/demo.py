"""The clip that ships with the repository, rendered from the free body: every figure against exact truth."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import Take

from ...bodies.joint_maps import read_landmark_regressor
from ...detect import Observation
from ...detect.observation import LIMB_SLOTS
from ...video.estimate import Estimator, make_estimator
from ...video.options import RunOptions
from .. import metrics
from ..footage import animate, draw_frames, limbs_of_detector, observe_person, seen_frames
from ..predict import LIMB_HIPS, LIMB_JOINTS, Meshes, read_meshes, regressor_meshes
from ..report import run_facts
from ..score import Tally, best_errors, finite, pose_errors
from ..settings import REPO, EvalSettings, OnProgress, Result, footage_only
from .clip_truth import ALIGNMENT, ClipTruth, Compared, compare, read_clip_truth

CLIP = REPO / "assets" / "demo" / "demo.mp4"
TRUTH = CLIP.with_name("demo_truth.npz")
BLOCKS = ("estimate", "best_of_n", "no_dat", "regressor", "detector_3d", "mean_pose")


def run(settings: EvalSettings, on_progress: OnProgress) -> Result:
    """The pipeline as `hmdiff animate` runs it, focal length unknown, then ``score_take``.

    Errors: ``usage``, ``eval.no_demo``, ``eval.no_truth``, those of the pipeline.
    """
    footage_only(settings, "demo")
    for file in (CLIP, TRUTH):
        if not file.is_file():
            raise HmdiffError(
                "eval.no_demo", f"The demo clip is not whole: {file} is missing.",
                "Run this in a checkout of the repository, or make the clip with tools/render_demo_clip.py.",
            )  # fmt: skip
    truth = read_clip_truth(TRUTH)
    options = RunOptions(
        settings.preset, settings.hypotheses, settings.steps, settings.seed, settings.device,
        frame_range=None if settings.limit is None else (0, settings.limit),
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="hmdiff-eval-") as temporary:
        ran = animate(
            CLIP, options, Path(temporary) / "take", lambda stage, done, total: on_progress("demo", done, total)
        )
        estimator = make_estimator(options)
        observed = observe_person(ran.take, ran.person, CLIP)
        result = score_take(ran.take, ran.person, truth, observed, estimator)
    return result | run_facts(estimator, ran.seconds)


def score_take(
    take: Take, person: int, truth: ClipTruth, observed: dict[int, Observation], estimator: Estimator | None = None
) -> Result:
    """observed: what the detector saw, by position along the take (empty: its 3D is left out); estimator: also score
    the bare model on those. Errors: ``eval.other_clip``.
    """
    both = compare(take, person, truth)
    whole, single, limbs = Tally(), Tally(), Tally()
    whole.add("estimate", both.estimate_errors())
    if several := both.hypothesis_errors():
        whole.add("best_of_n", best_errors(several))
    known = np.isin(both.rows, list(observed))
    people = [observed[int(row)] for row in both.rows[known]]
    if people:
        _add_limbs(limbs, both, known, people)
        if estimator is not None:
            _add_model(single, estimator, both, known, people)
    blocks = whole.blocks(both.blocks) | single.blocks(both.blocks[known])
    compared = limbs.blocks(both.blocks[known])
    result: Result = {"benchmark": "demo", **dict.fromkeys(BLOCKS), **blocks}
    if people:
        result["detector_3d"] = {**compared["detector_3d"], "joints": "12 limb landmarks"}
        result["limbs12"] = {
            **compared, "joints": LIMB_JOINTS, "alignment": f"{LIMB_HIPS.name}; {metrics.PROCRUSTES_NAME}",
        }  # fmt: skip
    return result | {
        "focal_px": {"assumed": finite(take.header.focal), "true": finite(both.truth.focal.mean())},
        "n_frames": len(both.rows),
        "n_missed": int((~seen_frames(take, person)).sum()),
        "n_hypotheses": take.n_hypotheses,
        "seed": take.header.seed,
        "joints": "14 (LSP order; the skeleton's own joints)",
        "alignment": f"{ALIGNMENT.name}; {metrics.PROCRUSTES_NAME}",
        "interval": "95 %, bootstrap over half seconds of this one clip; says nothing of others",
        "notes": [
            "estimate: the finished motion of the take; best_of_n: the least error among its unsmoothed hypotheses",
            "model_per_frame, no_dat, regressor: the bare model, nothing fitted or smoothed",
            "error_2d_px: all 24 joints; iou: the silhouettes of both bodies without clothes",
        ],
    }


def _add_limbs(limbs: Tally, both: Compared, known: np.ndarray, people: list[Observation]) -> None:
    """The estimate and the detector's own 3D on the landmarks they share."""
    matrix = read_landmark_regressor(both.truth.body)[list(LIMB_SLOTS)]
    used = np.flatnonzero(matrix.any(0))
    goal = matrix[:, used] @ both.truth.vertices[known][:, used]
    if both.same_body:
        bodies = both.take.decode(both.person, both.rows[known])
        limbs.add("estimate", pose_errors(matrix[:, used] @ bodies[:, used], goal, LIMB_HIPS))
    limbs.add("detector_3d", pose_errors(limbs_of_detector(people), goal, LIMB_HIPS))


def _add_model(
    single: Tally, estimator: Estimator, both: Compared, known: np.ndarray, people: list[Observation]
) -> None:
    loaded, focal = estimator.loaded, float(both.take.focal[0])
    places, done = np.flatnonzero(known), 0

    def add(method: str, meshes: Meshes, first: int) -> None:
        among = np.zeros(len(known), bool)
        among[places[first : first + len(meshes.joints)]] = True
        single.add(method, both.errors(meshes.joints, meshes.vertices, among))

    for samples in draw_frames(estimator, people, focal, both.take.center):
        add("model_per_frame", read_meshes(loaded, samples.vertices), done)
        add("regressor", regressor_meshes(loaded, samples), done)
        done += len(samples.mean)
    done = 0
    for samples in draw_frames(estimator, people, focal, both.take.center, with_dat=False):
        add("no_dat", read_meshes(loaded, samples.vertices), done)
        done += len(samples.mean)
