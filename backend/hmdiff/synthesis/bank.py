"""Rendered people as the real detector saw them, to train on: the truth and the networks' inputs, nothing simulated.

Made by ``hmdiff synth render``, ``detect`` and ``pack`` from training subjects. The few thousand people of a bank are
seen again and again, so they are mirrored and shaken, and a stream mixes a few of them into endless simulated ones:
at 30 % of each batch a network knew 3,600 people by heart and got worse on all others (measured).
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from hmdiff_wire.errors import HmdiffError
from torch import Tensor

from ..bodies.rotations import axis_angle_to_matrix
from ..models.inputs import CHANNELS, GRID, HEATMAP_SLOTS, ModelInputs, canonical_crop, landmark_features
from ..models.observe import inputs_from_observations
from .batch import Batch, SyntheticStream
from .noise import SWAP, Detections
from .people import People, SynthesisSetup, place_people
from .poses import MIRROR
from .render.packed import read_packed
from .render.readings import Readings, are_readings, read_readings

_MIRRORED_MAPS = tuple(HEATMAP_SLOTS.index(SWAP[slot]) for slot in HEATMAP_SLOTS)
_READ_AT_ONCE = 64
_SHAKE = (0.012, 0.012, 0.04, 0.04, 0.015, 0.015, 0.015)
"""Standard deviation of what is added to the landmarks' features: 1.5 px of 256, confidence, peak, 15 mm."""
_DROPPED = 0.12
"""How often world landmarks, heatmaps or mask are taken away."""
_TURNS = (0.06, 0.06, 0.26)
"""Standard deviations (radians) of how a camera is turned: nodding, panning, rolling."""


@dataclass(frozen=True)
class Bank:
    """M people, on one device, focal length 1. betas (M,10), rotations (M,24,3,3) with the root in camera axes, pelvis
    (M,3) metres; inputs: what the networks see, told the true focal length, with the grid in bytes; landmarks_2d
    (M,33,2), box (M,4): the detector's, at z = 1.
    """

    betas: Tensor
    rotations: Tensor
    pelvis: Tensor
    inputs: ModelInputs
    landmarks_2d: Tensor
    box: Tensor

    def __len__(self) -> int:
        return len(self.betas)

    def to(self, device: torch.device | str) -> Bank:
        return Bank(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})


def load_bank(path: Path, setup: SynthesisSetup, heatmaps: bool = True) -> Bank:
    """A file of ``hmdiff synth pack``, or one of ``synth reread``, which has no heatmaps. heatmaps=False keeps the mask
    alone, as streams for the regressor do.

    Errors: ``eval.no_data``, ``eval.damaged``, ``render.damaged``; ``train.held_out`` for people on whom models are
    measured.
    """
    light = read_readings(path) if are_readings(path) else None
    packed = read_packed(path) if light is None else None
    held_out = False if packed is None else any("--split test" in line for line in packed.card["commands"])
    if held_out or (light is not None and light.splits != ("train",)):
        raise HmdiffError(
            "train.held_out", f"{path.name} holds people that are kept for measuring.",
            "Pack folders that were rendered with `--split train`.",
        )  # fmt: skip
    parts: list[dict[str, Tensor]] = []
    total = len(light.read["person"]) if light is not None else 0 if packed is None else len(packed.found["row"])
    for first in range(0, total, _READ_AT_ONCE):
        numbers = np.arange(first, min(first + _READ_AT_ONCE, total))
        if light is not None:
            parts.append(_read_light(light, numbers, setup, heatmaps))
        else:
            parts.append(_read(packed, numbers, setup, heatmaps))
    whole = {name: torch.cat([part[name] for part in parts]) for name in parts[0]}
    inputs = ModelInputs(*(whole.pop(name) for name in ("landmarks", "flags", "crop", "grid")))
    return Bank(inputs=inputs, **whole)


def _read_light(light: Readings, numbers: np.ndarray, setup: SynthesisSetup, heatmaps: bool) -> dict[str, Tensor]:
    person, read = light.read["person"][numbers], light.read

    def of_people(name: str) -> Tensor:
        return torch.from_numpy(light.people[name][person].astype(np.float32))

    def said(name: str) -> Tensor:
        return torch.from_numpy(read[name][numbers].astype(np.float32))

    focal, principal = of_people("focal"), of_people("size") / 2
    points = (said("landmarks_2d") - principal[:, None]) / focal[:, None, None]
    box = (said("box") - principal.repeat(1, 2)) / focal[:, None]
    world = said("world")
    has_world = torch.isfinite(world).all(-1).all(-1)
    centre, side = canonical_crop(points, said("confidence"), box)
    mask = torch.from_numpy(read["mask"][numbers])[:, None].repeat_interleave(2, 2).repeat_interleave(2, 3)
    grid = torch.zeros(len(numbers), CHANNELS if heatmaps else 1, GRID, GRID, dtype=torch.uint8)
    grid[:, -1:] = mask
    rotations = axis_angle_to_matrix(of_people("pose").view(-1, 24, 3))
    _, joints = setup.body.to("cpu")(of_people("betas"), rotations)
    ones = torch.ones(len(numbers))
    return {
        "betas": of_people("betas"), "rotations": rotations, "pelvis": joints[:, 0] + of_people("transl"),
        "landmarks": landmark_features(points, said("confidence"), said("peak"), world, has_world, centre, side),
        "flags": torch.stack([has_world.float(), 0 * ones if heatmaps else ones, ones], 1),
        "crop": torch.cat([centre, side[:, None]], 1), "grid": grid, "landmarks_2d": points, "box": box,
    }  # fmt: skip


def _read(packed: Any, numbers: np.ndarray, setup: SynthesisSetup, heatmaps: bool) -> dict[str, Tensor]:
    def of_people(name: str) -> Tensor:
        return torch.from_numpy(packed.of_found(name)[numbers].astype(np.float32))

    observations = [packed.observation(int(number)) for number in numbers]
    focal, principal = of_people("focal"), of_people("size") / 2
    # The principal point differs from picture to picture, so everything is told about the picture's corner first.
    inputs = inputs_from_observations(observations, focal.tolist(), (0.0, 0.0))
    inputs.crop[:, :2] -= principal / focal[:, None]
    grid = inputs.grid if heatmaps else inputs.grid[:, -1:]
    rotations = axis_angle_to_matrix(of_people("pose").view(-1, 24, 3))
    body = setup.body.to("cpu")
    _, joints = body(of_people("betas"), rotations)
    seen = torch.from_numpy(packed.found["landmarks_2d"][numbers])
    box = torch.from_numpy(packed.found["box"][numbers])
    return {
        "betas": of_people("betas"), "rotations": rotations, "pelvis": joints[:, 0] + of_people("transl"),
        "landmarks": inputs.landmarks, "flags": inputs.flags, "crop": inputs.crop,
        "grid": (grid * 255).round().to(torch.uint8),
        "landmarks_2d": (seen - principal[:, None]) / focal[:, None, None],
        "box": (box - principal.repeat(1, 2)) / focal[:, None],
    }  # fmt: skip


@torch.no_grad()
def draw_from_bank(
    bank: Bank, setup: SynthesisSetup, count: int, focal_error: float, generator: torch.Generator
) -> Batch:
    """count people, half of them mirrored, all as the camera sees them that is turned a little about itself (the
    detector follows its owner's turns); focal_error as in ``NoiseModel``."""
    device = bank.betas.device
    rows = torch.randint(len(bank), (count,), generator=generator, device=device)
    flip = torch.rand(count, generator=generator, device=device) < 0.5
    roll, turn = _camera_turns(count, generator, device)
    people = _people(bank, setup, rows, flip, turn)
    said, stored = _said(bank, rows, flip, turn, roll), bank.inputs
    side = torch.tensor([-1.0, 1.0, 1.0], device=device)
    before = torch.where(flip[:, None], stored.crop[rows] * side, stored.crop[rows])
    grid = stored.grid[rows].float() / 255
    channels = [*_MIRRORED_MAPS, len(_MIRRORED_MAPS)] if grid.shape[1] > 1 else [0]
    grid = torch.where(flip[:, None, None, None], grid[:, channels].flip(-1), grid)
    centre, extent = canonical_crop(said.points, said.confidence, said.box)
    grid = _turned_grid(grid, before, centre, extent, turn)
    flags = stored.flags[rows] * (torch.rand(count, 3, generator=generator, device=device) > _DROPPED)
    features = landmark_features(said.points, said.confidence, said.peak, said.world, flags[:, 0] > 0, centre, extent)
    features = _shaken(features, generator)
    grid = torch.cat([grid[:, :-1] * flags[:, 1, None, None, None], grid[:, -1:] * flags[:, 2, None, None, None]], 1)
    size = (said.points.amax(1) - said.points.amin(1)).amax(1)
    seen = Detections(
        said.points, features[..., 2], features[..., 3], features[..., 4:7], flags[:, 0] > 0, flags[:, 2] > 0,
        said.box, size,
    )  # fmt: skip
    focal = torch.exp(focal_error * torch.randn(count, 1, generator=generator, device=device))
    crop = torch.cat([centre, extent[:, None]], 1) * focal
    return Batch(ModelInputs(features, flags, crop, grid), people, seen, centre, extent)


@dataclass(frozen=True)
class _Said:
    """points (N,33,2), box (N,4) at z = 1; confidence, peak (N,33); world (N,33,3): after mirror and turn."""

    points: Tensor
    confidence: Tensor
    peak: Tensor
    world: Tensor
    box: Tensor


def _said(bank: Bank, rows: Tensor, flip: Tensor, turn: Tensor, roll: Tensor) -> _Said:
    def sides(values: Tensor, across: int | None = None) -> Tensor:
        mirrored = values[:, list(SWAP)].clone()
        if across is not None:
            mirrored[..., across] = -mirrored[..., across]
        return torch.where(flip.view(-1, *[1] * (values.dim() - 1)), mirrored, values)

    features, box = bank.inputs.landmarks[rows], bank.box[rows]
    ends = torch.tensor([-1.0, 1.0, -1.0, 1.0], device=box.device)
    box = torch.where(flip[:, None], box[:, [2, 1, 0, 3]] * ends, box)
    corners = _seen_turned(torch.stack([box[:, [0, 1]], box[:, [2, 1]], box[:, [2, 3]], box[:, [0, 3]]], 1), turn)
    # what the detector says in 3D turns with the picture, but not with where in it the person stands
    return _Said(
        _seen_turned(sides(bank.landmarks_2d[rows], 0), turn), sides(features[..., 2]), sides(features[..., 3]),
        sides(features[..., 4:7], 0) @ roll.transpose(1, 2), torch.cat([corners.amin(1), corners.amax(1)], 1),
    )  # fmt: skip


def _camera_turns(count: int, generator: torch.Generator, device: torch.device) -> tuple[Tensor, Tensor]:
    """Roll about the optical axis (N,3,3), and the whole turn."""
    angle = torch.randn(count, 3, generator=generator, device=device) * torch.tensor(_TURNS, device=device)
    zero = torch.zeros_like(angle[:, 0])
    roll = axis_angle_to_matrix(torch.stack([zero, zero, angle[:, 2]], 1))
    return roll, axis_angle_to_matrix(torch.stack([angle[:, 0], angle[:, 1], zero], 1)) @ roll


def _seen_turned(points: Tensor, turn: Tensor) -> Tensor:
    """points (N,K,2) at z = 1, as seen by a camera turned by turn (N,3,3)."""
    rays = torch.cat([points, torch.ones_like(points[..., :1])], -1) @ turn.transpose(1, 2)
    return rays[..., :2] / rays[..., 2:].clamp_min(0.1)


def _turned_grid(grid: Tensor, before: Tensor, centre: Tensor, side: Tensor, turn: Tensor) -> Tensor:
    """grid (N,C,G,G) over the square before (N,3) -> over the square of the turned camera's picture."""
    cells = (torch.arange(GRID, device=grid.device) + 0.5) * (2 / GRID) - 1
    at = torch.stack(torch.meshgrid(cells, cells, indexing="xy"), -1).view(1, -1, 2)
    place = _seen_turned(centre[:, None] + at * (side / 2)[:, None, None], turn.transpose(1, 2))
    place = (place - before[:, None, :2]) / (before[:, 2] / 2)[:, None, None]
    return torch.nn.functional.grid_sample(
        grid, place.view(-1, GRID, GRID, 2), mode="bilinear", padding_mode="zeros", align_corners=False
    )


def _shaken(features: Tensor, generator: torch.Generator) -> Tensor:
    """(N,33,7) as no detector says it twice: a network that sees the same people often must not know them by heart."""
    noise = torch.randn(features.shape, generator=generator, device=features.device)
    shaken = features + noise * features.new_tensor(_SHAKE)
    shaken[..., 2:4] = shaken[..., 2:4].clamp(0.0, 1.0)
    return torch.where(features == 0, features, shaken)


def _people(bank: Bank, setup: SynthesisSetup, rows: Tensor, flip: Tensor, turn: Tensor) -> People:
    across = torch.tensor([-1.0, 1.0, 1.0], device=rows.device)
    rotations, pelvis = bank.rotations[rows], bank.pelvis[rows]
    # A mirrored body: each rotation seen in the mirror, left and right exchanged.
    mirrored = across[:, None] * rotations[:, list(MIRROR)] * across[None]
    rotations = torch.where(flip[:, None, None, None], mirrored, rotations)
    pelvis = torch.where(flip[:, None], pelvis * across, pelvis)
    rotations = torch.cat([turn[:, None] @ rotations[:, :1], rotations[:, 1:]], 1)
    return place_people(setup, bank.betas[rows], rotations, (turn @ pelvis[..., None])[..., 0])


@dataclass(frozen=True)
class MixedStream:
    """A SyntheticStream of which ``share`` of each batch comes from a bank."""

    simulated: SyntheticStream
    bank: Bank
    share: float = 0.05

    @property
    def setup(self) -> SynthesisSetup:
        return self.simulated.setup

    @property
    def faces(self) -> Tensor:
        return self.simulated.faces

    def draw(self, count: int, generator: torch.Generator) -> Batch:
        """count people, those of the bank last."""
        real = round(self.share * count)
        first = self.simulated.draw(count - real, generator)
        second = draw_from_bank(self.bank, self.setup, real, self.simulated.noise.focal_error, generator)
        both = join_batches(first, second)
        if self.simulated.heatmaps:
            return both
        # whoever reads no heatmaps must not tell the bank's people by their having some
        flags = both.inputs.flags.clone()
        flags[:, 1] = (torch.rand(count, generator=generator, device=flags.device) < 0.5).to(flags)
        return replace(both, inputs=replace(both.inputs, flags=flags))


def join_batches(first: Batch, second: Batch) -> Batch:
    """One after the other."""
    return Batch(*(_join(getattr(first, f.name), getattr(second, f.name)) for f in fields(Batch)))


def _join(first: Any, second: Any) -> Any:
    if isinstance(first, Tensor):
        return torch.cat([first, second])
    return type(first)(*(_join(getattr(first, f.name), getattr(second, f.name)) for f in fields(first)))
