"""Several cameras: four around synthetic people, calibrated or not, and the two calibrated ones of real footage."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hmdiff.bodies.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from hmdiff.evaluation.benchmarks.pose2sim import CAMERAS, read_camera_truth
from hmdiff.evaluation.benchmarks.samples import compare, errors_of
from hmdiff.evaluation.footage import LIMBS_OF_24, ClipRun
from hmdiff.evaluation.refined import Starts, make_starts
from hmdiff.evaluation.settings import mocap_bundle, shared_folder
from hmdiff.evaluation.sources.synthetic import examples_of
from hmdiff.refine.losses.views import CalibratedViews
from hmdiff.refine.refiner import Bodies
from hmdiff.synthesis.people import place_people
from hmdiff.training.assemble import Assembly, make_stream
from hmdiff.video.options import RunOptions
from hmdiff.views.run import cameras_folder, run_views
from hmdiff.views.solve import agreed_rotations, solve_calibrated, solve_consistent
from hmdiff_wire.take import Take, read_take
from torch import Tensor

from .common import Setting, change, table

HEADINGS = (0.0, 1.4, 2.9, 4.4)
"""Radians around the person."""
PEOPLE = 48


def views(setting: Setting) -> dict[str, Any]:
    return {"synthetic": _synthetic(setting), "real": _real()}


def _seen_from(setting: Setting) -> tuple[list[Starts], Tensor]:
    """The same people from every side, each picture read by the noise model anew -> starts, turns (C,3,3)."""
    base = setting.studio.base
    stream = make_stream(
        Assembly(base.body, base.hierarchy, base.maps), mocap_bundle(shared_folder()), "test", "cpu", heatmaps=True
    )
    generator = torch.Generator().manual_seed(77)
    count = min(PEOPLE, setting.people)
    with torch.no_grad():
        first = stream.draw(count, generator).people
        turns = axis_angle_to_matrix(torch.tensor([[0.0, heading, 0.0] for heading in HEADINGS]))
        starts = []
        for turn in turns:
            rotations = first.rotations.clone()
            rotations[:, 0] = turn @ rotations[:, 0]
            people = place_people(stream.setup, first.betas, rotations, first.pelvis)
            examples = examples_of(base, stream.observe(people, generator), 0)
            starts.append(make_starts(setting.studio, examples, np.arange(count)))
    return starts, turns


def _synthetic(setting: Setting) -> dict[str, Any]:
    starts, turns = _seen_from(setting)
    truth = starts[0].truth
    single = [setting.pa(one.bodies.pose, one.bodies.betas, one.truth) for one in starts]
    best = min(single, key=lambda one: float(one.mean()))
    rows: list[list[object]] = [["best single view", float(best.mean()), "-"]]
    result: dict[str, Any] = {"best_single_mm": float(best.mean()), "people": len(best)}

    def note(name: str, after: np.ndarray) -> None:
        result[name] = {"pa_mm": float(after.mean()), "change_percent": change(after, best)}
        rows.append([name, float(after.mean()), f"{change(after, best):+.1f} %"])

    for count in (2, 3, 4):
        some, around = starts[:count], turns[:count]
        bodies, rig = _calibrated(some, around)
        note(f"{count} views, mean of the estimates", setting.pa(bodies.pose, bodies.betas, truth))
        found = solve_calibrated(setting.score, bodies, rig)
        note(f"{count} calibrated views", setting.pa(found.pose, found.betas, truth))
        joined, group = _joined(some)
        _, agreed = solve_consistent(setting.score, joined, group)
        note(f"{count} views without calibration", setting.pa(agreed[: len(best)], joined.betas[: len(best)], truth))
    table(["synthetic", "PA mm", "against the best view"], rows)
    return result


def _mean_betas(starts: list[Starts]) -> Tensor:
    return torch.stack([one.bodies.betas for one in starts]).mean(0)


def _calibrated(starts: list[Starts], turns: Tensor) -> tuple[Bodies, CalibratedViews]:
    """The first camera's axes; every other camera has the person's pelvis where the first has it."""
    count, cameras = len(starts[0]), len(starts)
    pelvis = torch.from_numpy(starts[0].people.pelvis)
    back = turns[0] @ turns.transpose(1, 2)
    rotations = []
    for one, turn in zip(starts, back, strict=True):
        rotation = axis_angle_to_matrix(one.bodies.pose.reshape(-1, 24, 3)).clone()
        rotation[:, 0] = turn @ rotation[:, 0]
        rotations.append(rotation)
    trust = torch.cat([one.bodies.confidence.mean(1) for one in starts])
    mean = agreed_rotations(torch.cat(rotations), trust, torch.arange(count).repeat(cameras))
    forward = back.transpose(1, 2)
    shift = pelvis[:, None] - torch.einsum("cij,nj->nci", forward, pelvis)
    parts = {
        name: torch.stack([getattr(one.bodies, name) for one in starts], 1)
        for name in ("focal", "principal", "points", "confidence", "side")
    }
    rig = CalibratedViews(forward.expand(count, cameras, 3, 3), shift, **parts)
    bodies = replace(starts[0].bodies, pose=matrix_to_axis_angle(mean).flatten(1), betas=_mean_betas(starts))
    return bodies, rig


def _joined(starts: list[Starts]) -> tuple[Bodies, Tensor]:
    names = [name for name, value in vars(starts[0].bodies).items() if isinstance(value, Tensor)]
    joined = replace(
        starts[0].bodies, **{name: torch.cat([getattr(one.bodies, name) for one in starts]) for name in names}
    )
    return (
        replace(joined, betas=_mean_betas(starts).repeat(len(starts), 1)),
        torch.arange(len(starts[0])).repeat(len(starts)),
    )


def _real() -> dict[str, Any]:
    """pose2sim_single: limb joints against triangulated truth that is good to 2 to 4 cm."""
    folder = shared_folder() / "samples" / "videos" / "pose2sim_single"
    truth = [read_camera_truth(folder / "truth_3d.json", camera) for camera in CAMERAS]
    videos = [folder / f"{camera}.mp4" for camera in CAMERAS]
    result: dict[str, Any] = {}
    rows: list[list[object]] = []

    def note(name: str, take: Take, true: Any) -> None:
        clip = compare(ClipRun(take, 0, 0.0), true)
        joints = take.joints[0, clip.rows][:, list(LIMBS_OF_24)]
        found = {key: float(np.nanmean(value)) for key, value in errors_of(joints, clip).items()}
        found["absolute_mm"] = float(1000 * np.linalg.norm(joints - clip.truth, axis=-1).mean())
        result[name] = found
        rows.append([name, *(found[key] for key in ("pa_mpjpe_mm", "mpjpe_mm", "absolute_mm"))])

    with tempfile.TemporaryDirectory(prefix="hmdiff-bench-") as temporary:
        both = run_views(videos, RunOptions(), Path(temporary) / "calibrated.take", folder / "truth_3d.json")
        kept = sorted(cameras_folder(both.take).iterdir())
        for name, take, true in zip(CAMERAS, kept, truth, strict=True):
            note(f"{name} alone", read_take(take), true)
        note("both, calibrated", read_take(both.take), truth[0])
        free = run_views(videos, RunOptions(focal=truth[0].focal), Path(temporary) / "free.take")
        note("both, without calibration", read_take(free.take), truth[0])
        result["offset_found_s"] = both.offsets[1]
    table(["real", "PA mm", "MPJPE mm", "in its place mm"], rows)
    print(f"offset found: {both.offsets[1]:+.4f} s (true: 0)")
    return result
