"""Held-out mocap subjects as synthetic people: exact meshes, and a simulated detector in front of them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ...bodies.joint_maps import J14_OF_24
from ...detect.observation import LIMB_SLOTS
from ...models.weights import LoadedModel
from ...synthesis.batch import Batch
from ...synthesis.people import People
from ...training.assemble import Assembly, make_stream
from ...video.estimate import Estimator, make_estimator
from ...video.options import RunOptions
from .. import metrics
from ..mean_pose import mean_pose, mean_pose_bodies
from ..predict import (
    J14_SLOTS,
    LIMB_HIPS,
    LIMB_JOINTS,
    Meshes,
    draw,
    hypothesis_joints,
    hypothesis_meshes,
    read_meshes,
    regressor_meshes,
)
from ..report import run_facts
from ..score import Errors, Tally, best_errors, distribution, pose_errors
from ..settings import EvalSettings, OnProgress, Result, mocap_bundle

N_PEOPLE = 2000
BATCH = 32
SEED_OF_PEOPLE = 20_230
"""The people are the same whatever ``--seed`` says, which chooses the sampler's noise only."""
ALIGNMENT = metrics.LSP_HIPS


@dataclass
class Collected:
    """What is kept of all batches: errors per method and, of the hypotheses, the joints alone."""

    tally: Tally = field(default_factory=Tally)
    limbs: Tally = field(default_factory=Tally)
    samples: list[NDArray[np.float32]] = field(default_factory=list)
    truth: list[NDArray[np.float32]] = field(default_factory=list)
    confidence: list[NDArray[np.float32]] = field(default_factory=list)
    seconds: float = 0.0


def run(settings: EvalSettings, on_progress: OnProgress) -> Result:
    """Errors: ``eval.no_data``, those of the weights, the mocap file and the device."""
    bundle = mocap_bundle(settings.shared)
    estimator = make_estimator(
        RunOptions(settings.preset, settings.hypotheses, settings.steps, settings.seed, settings.device)
    )
    loaded = estimator.loaded
    parts = Assembly(loaded.body, loaded.hierarchy, loaded.maps)
    # People are drawn on the CPU, so that every machine measures the same ones.
    stream = make_stream(parts, bundle, "test", "cpu", heatmaps=True)
    mean = mean_pose(loaded.body, bundle)
    generator = torch.Generator().manual_seed(SEED_OF_PEOPLE)
    count = settings.limit or N_PEOPLE
    kept = Collected()
    for first in range(0, count, BATCH):
        with torch.no_grad():
            batch = stream.draw(BATCH, generator)
        measure(estimator, batch, mean, first, min(BATCH, count - first), kept)
        on_progress("people", min(first + BATCH, count), count)
    limbs = kept.limbs.blocks(np.arange(len(kept.limbs.errors("estimate")["mpjpe_mm"])), settings.seed)
    return {
        "benchmark": "synthetic",
        **kept.tally.blocks(np.arange(count), settings.seed),
        "detector_3d": {**limbs["detector_3d"], "joints": "12 limb landmarks, simulated"},
        "limbs12": {
            **limbs,
            "joints": LIMB_JOINTS,
            "alignment": f"{LIMB_HIPS.name}; {metrics.PROCRUSTES_NAME}",
            "note": "people whose simulated detector gave 3D landmarks; detector_3d is what the noise model gave",
        },
        "distribution": distribution(
            np.concatenate(kept.samples), np.concatenate(kept.truth), np.concatenate(kept.confidence)
        ),
        "n_frames": count,
        "joints": "14 (LSP order; the skeleton's own joints)",
        "alignment": f"{ALIGNMENT.name}; {metrics.PROCRUSTES_NAME}",
        "interval": "95 %, bootstrap over people",
        "notes": [
            "best_of_n: the least error among the hypotheses, each figure choosing its own; the estimate is not one",
            "mean_pose: mean joint rotations of the training poses, mean shape, turned as the truth is (an oracle)",
            "detector_3d: there is no picture, so it is the noise model's; compare it with the estimate in limbs12",
        ],
        **run_facts(estimator, kept.seconds / count),
    }


def measure(estimator: Estimator, batch: Batch, mean: Tensor, first: int, count: int, kept: Collected) -> None:
    """Score the first ``count`` people of a batch; ``first`` is the number of its first person, which is its key."""
    loaded, people = estimator.loaded, take_people(batch.people, count)
    truth = truth_meshes(loaded, people)
    keys, inputs = torch.arange(first, first + count), batch.inputs[:count]
    started = time.perf_counter()
    samples = draw(estimator, inputs, keys)
    estimate = read_meshes(loaded, samples.vertices)
    kept.seconds += time.perf_counter() - started
    kept.tally.add("estimate", errors_of(estimate, truth))
    kept.tally.add("best_of_n", best_errors([errors_of(one, truth) for one in hypothesis_meshes(loaded, samples)]))
    without = draw(estimator, inputs, keys, with_dat=False)
    kept.tally.add("no_dat", errors_of(read_meshes(loaded, without.vertices), truth))
    kept.tally.add("regressor", errors_of(regressor_meshes(loaded, samples), truth))
    average, _ = mean_pose_bodies(loaded.body, mean, people.rotations[:, 0])
    kept.tally.add("mean_pose", errors_of(read_meshes(loaded, average), truth))

    given = batch.detections.has_world[:count].numpy()
    world = batch.detections.world[:count, list(LIMB_SLOTS)].numpy()
    kept.limbs.add("estimate", pose_errors(estimate.landmarks[given], truth.landmarks[given], LIMB_HIPS))
    kept.limbs.add("detector_3d", pose_errors(world[given], truth.landmarks[given], LIMB_HIPS))
    kept.samples.append(hypothesis_joints(loaded, samples))
    kept.truth.append(truth.joints)
    confidence = batch.detections.confidence[:count, list(J14_SLOTS)].numpy()
    kept.confidence.append(np.where(np.array(J14_SLOTS) < 0, np.nan, confidence).astype(np.float32))


def errors_of(meshes: Meshes, truth: Meshes) -> Errors:
    return pose_errors(meshes.joints, truth.joints, ALIGNMENT, meshes.vertices, truth.vertices)


def take_people(people: People, count: int) -> People:
    return People(**{name: value[:count] for name, value in vars(people).items()})


@torch.no_grad()
def truth_meshes(loaded: LoadedModel, people: People) -> Meshes:
    """The whole body in the true pose; its joints are the skeleton's own, so that f's own error counts as ours."""
    vertices, joints = loaded.body(people.betas, people.rotations)
    landmarks = people.landmarks[:, list(LIMB_SLOTS)]
    root = joints[:, :1]
    j14 = (joints - root)[:, list(J14_OF_24)]
    return Meshes((vertices - root).numpy(), j14.numpy(), landmarks.numpy())
