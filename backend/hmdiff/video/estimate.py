"""Observations to posed bodies: HMDiff, the fit of estimate and hypotheses, and their place before the camera."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import PersonFrame
from torch import Tensor

from ..bodies.hierarchy import apply_sparse
from ..bodies.model import BodyModel
from ..detect.observation import Observation
from ..fitting import PlacedBodies, fit_body, place_bodies
from ..models.config import SPEEDS, SamplerConfig
from ..models.hmdiff import MeshSamples
from ..models.observe import inputs_from_observations
from ..models.weights import LoadedModel, load_model, pick_device
from .body_transfer import BodyTransfer
from .options import RunOptions

HYPOTHESIS_SCALE = 0.03
"""A hypothesis whose landmarks miss the detected ones by this share of the person's size scores exp(-1/2)."""


@dataclass(frozen=True)
class Estimator:
    """Model, sampler and bodies for one run. coarse: the free body's 431 vertices; landmarks (33,431): f onto the
    detector's landmarks; transfer: to the user's own body, None for the free one.
    """

    loaded: LoadedModel
    sampler: SamplerConfig
    seed: int
    coarse: BodyModel
    landmarks: Tensor
    raw_vertices: bool = False
    transfer: BodyTransfer | None = None

    @property
    def device(self) -> torch.device:
        return self.loaded.model.joint_map.device


def make_estimator(options: RunOptions, body: BodyTransfer | None = None) -> Estimator:
    """Load the weights and settle the sampler. Errors: those of ``load_model`` and ``pick_device``."""
    preset = "paper" if options.preset == "paper" else "default"
    loaded = load_model(preset, pick_device(options.device))
    sampler = loaded.model.config.sampler if preset == "paper" else speed(options.preset)
    if options.hypotheses is not None:
        sampler = replace(sampler, hypotheses=options.hypotheses)
    if options.steps is not None:
        sampler = replace(sampler, steps=options.steps)
    return Estimator(
        loaded=loaded,
        sampler=sampler,
        seed=options.seed,
        coarse=loaded.hierarchy.coarse(loaded.body),
        landmarks=torch.from_numpy(loaded.maps.coarse_landmarks),
        raw_vertices=options.raw_vertices,
        transfer=body,
    )


def speed(preset: str) -> SamplerConfig:
    """Sampler of a preset of the default model. Errors: ``usage.preset``."""
    if preset not in SPEEDS:
        raise HmdiffError(
            "usage.preset", f"There is no preset `{preset}`.", f"Choose one of {', '.join(SPEEDS)} or paper."
        )
    return SPEEDS[preset]


def estimate_people(
    estimator: Estimator, observations: Sequence[Observation], focal: float, principal: tuple[float, float]
) -> list[PersonFrame]:
    """Observations with landmarks, of any frames -> one row each. focal px, principal point (x, y) px."""
    if not observations:
        return []
    inputs = inputs_from_observations(observations, [focal] * len(observations), principal).to(estimator.device)
    keys = torch.tensor([seen.track_id for seen in observations])
    samples = estimator.loaded.model.sample(inputs, keys, estimator.seed, estimator.sampler)
    middle = torch.from_numpy(np.searchsorted(*_coarse_in_middle(estimator)))
    estimate = samples.middle[:, middle].cpu()
    hypotheses = samples.samples.flatten(0, 1).cpu()
    return _rows(estimator, observations, samples, estimate, hypotheses, focal, principal)


def _coarse_in_middle(estimator: Estimator) -> tuple[np.ndarray, np.ndarray]:
    return estimator.loaded.hierarchy.indices[0], estimator.loaded.hierarchy.indices[1]


def _rows(
    estimator: Estimator, observations: Sequence[Observation], samples: MeshSamples, estimate: Tensor,
    hypotheses: Tensor,
    focal: float, principal: tuple[float, float],
) -> list[PersonFrame]:  # fmt: skip
    count, n = len(observations), estimator.sampler.hypotheses
    fitted = fit_body(estimator.coarse, estimate)
    # A hypothesis differs in pose, not in who the person is: it keeps the estimate's shape.
    several = fit_body(estimator.coarse, hypotheses, betas=fitted.betas.repeat_interleave(n, 0), iterations=2)
    points = torch.from_numpy(np.stack([seen.landmarks_2d for seen in observations])).float()
    confidence = torch.from_numpy(np.stack([seen.confidence for seen in observations])).float()
    focals = torch.full((count,), focal)

    def place(betas: Tensor, rotations: Tensor, times: int) -> PlacedBodies:
        return place_bodies(
            estimator.coarse, betas, rotations, estimator.landmarks, points.repeat_interleave(times, 0),
            confidence.repeat_interleave(times, 0), focals.repeat_interleave(times), principal,
        )  # fmt: skip

    placed = place(fitted.betas, fitted.rotations, 1)
    placed_several = place(several.betas, several.rotations, n)
    spread = _vertex_std(estimator, samples.samples)
    size = np.array([max(seen.box[2] - seen.box[0], seen.box[3] - seen.box[1], 1.0) for seen in observations])
    miss = placed_several.error_px.reshape(count, n).numpy() / size[:, None]
    score = np.exp(-0.5 * (miss / HYPOTHESIS_SCALE) ** 2)
    rows = []
    for row, seen in enumerate(observations):
        these = slice(row * n, row * n + n)
        raw = None
        if estimator.raw_vertices:
            pelvis = placed.joints[row, 0].numpy()
            raw = samples.vertices[row].cpu().numpy() + pelvis
        person = PersonFrame(
            track_id=seen.track_id,
            status=seen.status,
            box=seen.box,
            betas=fitted.betas[row].numpy(),
            pose=fitted.pose[row].numpy(),
            transl=placed.transl[row].numpy(),
            joints=placed.joints[row].numpy(),
            joints_2d=placed.joints_2d[row].numpy(),
            landmarks_2d=np.concatenate([seen.landmarks_2d, seen.confidence[:, None]], 1),
            hypotheses_pose=several.pose[these].numpy(),
            hypotheses_transl=placed_several.transl[these].numpy(),
            hypotheses_joints=placed_several.joints[these].numpy(),
            hypotheses_score=score[row],
            vertex_std=spread[row],
            vertices=raw,
        )
        rows.append(person if estimator.transfer is None else estimator.transfer.row(person))
    return rows


def _vertex_std(estimator: Estimator, samples: Tensor) -> np.ndarray:
    """Spread of the hypotheses per vertex (B,V), metres; zero for a single one."""
    if samples.shape[1] < 2:
        return np.zeros((len(samples), estimator.loaded.body.data.n_vertices), np.float32)
    coarse = samples.std(1).norm(dim=-1, keepdim=True).cpu().expand(-1, -1, 3)
    hierarchy = estimator.loaded.hierarchy
    fine = apply_sparse(hierarchy.up[0], apply_sparse(hierarchy.up[1], coarse.contiguous()))
    return fine[..., 0].clamp_min(0).numpy()
