"""Observations to posed bodies: HMDiff, the fit of estimate and hypotheses, and their place before the camera."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import PersonFrame
from numpy.typing import NDArray
from torch import Tensor

from ..bodies.hierarchy import apply_sparse
from ..bodies.model import BodyModel
from ..detect.observation import Observation
from ..fitting import PlacedBodies, fit_body, place_bodies
from ..models.config import SPEEDS, SamplerConfig
from ..models.hmdiff import MeshSamples
from ..models.inputs import ModelInputs
from ..models.observe import inputs_from_observations
from ..models.ranking import rank_scores
from ..models.weights import LoadedModel, pick_device
from .body_transfer import BodyTransfer
from .options import RunOptions
from .warm import ready_model

SMALL_WORK = 2
"""Up to so many meshes at once, threads wait for each other longer than they work: measured on two busy cores, one mesh
takes 83 ms of CPU time with one thread and 283 ms with two."""


@dataclass(frozen=True)
class Estimator:
    """Model, sampler and bodies for one run. coarse: the free body's 431 vertices; landmarks (33,431): f onto the
    detector's landmarks; middle (431,): where the coarse vertices are among the 1723; transfer: to the user's own body,
    None for the free one.
    """

    loaded: LoadedModel
    sampler: SamplerConfig
    seed: int
    coarse: BodyModel
    landmarks: Tensor
    middle: Tensor
    raw_vertices: bool = False
    transfer: BodyTransfer | None = None

    @property
    def device(self) -> torch.device:
        return self.loaded.model.joint_map.device


def make_estimator(options: RunOptions, body: BodyTransfer | None = None) -> Estimator:
    """The weights, loaded once per process, and the sampler. Errors: those of ``load_model`` and ``pick_device``."""
    preset = "paper" if options.preset == "paper" else "default"
    ready = ready_model(preset, pick_device(options.device))
    loaded = ready.loaded
    sampler = loaded.model.config.sampler if preset == "paper" else speed(options.preset)
    if options.hypotheses is not None:
        sampler = replace(sampler, hypotheses=options.hypotheses)
    if options.steps is not None:
        sampler = replace(sampler, steps=options.steps)
    return Estimator(
        loaded=loaded,
        sampler=sampler,
        seed=options.seed,
        coarse=ready.coarse,
        landmarks=ready.landmarks,
        middle=ready.middle,
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


@dataclass(frozen=True)
class Looked:
    """What the model makes of N observations, each by itself. inputs: of the networks; hidden (N,H): the regressor's
    state.
    """

    inputs: ModelInputs
    hidden: Tensor

    def __getitem__(self, rows: Sequence[int]) -> Looked:
        chosen = torch.tensor(list(rows), dtype=torch.long, device=self.hidden.device)
        return Looked(self.inputs[chosen], self.hidden[chosen])


def join_looks(parts: Sequence[Looked]) -> Looked | None:
    """One after the other; None of none."""
    if not parts:
        return None
    inputs = ModelInputs(*(torch.cat([getattr(part.inputs, f.name) for part in parts]) for f in fields(ModelInputs)))
    return Looked(inputs, torch.cat([part.hidden for part in parts]))


@torch.no_grad()
def look_at_people(
    estimator: Estimator, observations: Sequence[Observation], focal: float, principal: tuple[float, float]
) -> Looked:
    """Observations with landmarks, of any frames, at least one. focal px, principal point (x, y) px."""
    inputs = inputs_from_observations(observations, [focal] * len(observations), principal).to(estimator.device)
    return Looked(inputs, estimator.loaded.model.regressor.look(inputs))


@torch.no_grad()
def look_around_people(estimator: Estimator, looked: Looked, around: tuple[Tensor, Tensor] | None) -> Tensor:
    """(N,H): the states, knowing their neighbours. around: states (N,T,H) and seen (N,T) of ``Neighbours``, or None for
    pictures without any.
    """
    temporal = estimator.loaded.model.temporal
    if temporal is None:
        return looked.hidden
    if around is None:
        return temporal(looked.hidden[:, None], looked.hidden.new_ones(len(looked.hidden), 1).bool())[:, 0]
    return temporal.middle(*(part.to(looked.hidden.device) for part in around))


def estimate_people(
    estimator: Estimator, observations: Sequence[Observation], focal: float, principal: tuple[float, float],
    looked: Looked | None = None, around: tuple[Tensor, Tensor] | None = None,
) -> list[PersonFrame]:  # fmt: skip
    """Observations with landmarks, of any frames -> one row each. focal px, principal point (x, y) px. looked: what
    ``look_at_people`` made of them; around: their neighbours in time, as in ``look_around_people``.
    """
    if not observations:
        return []
    small = len(observations) * estimator.sampler.hypotheses <= SMALL_WORK
    with _threads(1 if small else torch.get_num_threads()):
        looked = looked or look_at_people(estimator, observations, focal, principal)
        hidden = look_around_people(estimator, looked, around)
        return _estimate(estimator, observations, looked.inputs, hidden, focal, principal)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _estimate(
    estimator: Estimator, observations: Sequence[Observation], inputs: ModelInputs, hidden: Tensor, focal: float,
    principal: tuple[float, float],
) -> list[PersonFrame]:  # fmt: skip
    keys = torch.tensor([seen.track_id for seen in observations])
    samples = estimator.loaded.model.sample(inputs, keys, estimator.seed, estimator.sampler, hidden=hidden)
    estimate = samples.middle[:, estimator.middle].cpu()
    hypotheses = samples.samples.flatten(0, 1).cpu()
    score = rank_scores(estimator.loaded, inputs, samples).cpu().numpy()
    return _rows(estimator, observations, samples, estimate, hypotheses, score, focal, principal)


def _rows(
    estimator: Estimator, observations: Sequence[Observation], samples: MeshSamples, estimate: Tensor,
    hypotheses: Tensor, score: NDArray[np.float32], focal: float, principal: tuple[float, float],
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
