"""What a detector makes of a synthetic person: structured landmark errors, confidences, bad depth.

Steps 1 and 2 of method_notes 4.2: good / jitter / miss / inversion / swap per joint, then truncation, limb removal and
box errors; plus a model of the detector's own 3D (leaning, flattened, limbs at the wrong depth).
Lengths of 2D errors are fractions of the person's image size (the longer side of the landmarks' bounding box).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..bodies.rotations import axis_angle_to_matrix
from .people import People

SWAP = (
    0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15, 18, 17, 20, 19, 22, 21, 24, 23, 26, 25, 28, 27, 30, 29,
    32, 31,
)  # fmt: skip
"""Left-right partner of each of the 33 landmarks."""

FACE = tuple(range(11))
LIMBS = ((13, 15, 17, 19, 21), (14, 16, 18, 20, 22), (25, 27, 29, 31), (26, 28, 30, 32))
LEGS = (25, 26, 27, 28, 29, 30, 31, 32)

_HARDNESS = (
    0.6, *(0.6,) * 6, 0.7, 0.7, 0.6, 0.6, 1.0, 1.0, 1.0, 1.0, 1.1, 1.1, *(1.4,) * 6, 1.3, 1.3, 1.0, 1.0, 1.1, 1.1,
    1.3, 1.3, 1.4, 1.4,
)  # fmt: skip

_HIDES = (
    *((0.12, 0.09),) * 11, *((0.10, 0.14),) * 2, *((0.07, 0.17),) * 10, *((0.10, 0.14),) * 2, *((0.05, 0.17),) * 2,
    *((0.04, 0.14),) * 6,
)  # fmt: skip
"""How near on the picture, and how far before a landmark (m, at the person's depth), a vertex must be to hide it: of
117 pairs the one that agrees best with what is hidden in rendered pictures (kappa 0.5 for the trunk to 0.7 for the
hands)."""


@dataclass(frozen=True)
class NoiseModel:
    """Probabilities are per person unless they say joint."""

    good_std: float = 0.010
    """2D standard deviation of a well seen joint, fraction of the person's size."""
    hidden_factor: float = 3.0
    """How much worse a joint gets that the body itself hides."""
    bad_person: float = 0.12
    jitter_joint: float = 0.06
    miss_joint: float = 0.03
    inversion_legs: float = 0.04
    inversion_arms: float = 0.02
    swap_joint: float = 0.01
    limb_removed: float = 0.06
    truncated: float = 0.10
    world_missing: float = 0.20
    mask_missing: float = 0.25
    world_std: float = 0.045
    """Independent error of the detector's 3D joints, metres per axis."""
    world_limb_std: float = 0.085
    """Depth error shared by a limb, metres, growing towards its end."""
    world_lean: float = 0.17
    """Standard deviation of the wrong lean about the image's x axis, radians."""
    focal_error: float = 0.18
    """Standard deviation of the log of the assumed focal length over the true one."""


@dataclass(frozen=True)
class Detections:
    """landmarks_2d (N,33,2) at z = 1; confidence, peak (N,33) in [0,1]; world (N,33,3) metres, hip-centred, camera
    axes; has_world, has_mask (N,) bool; visible_width (N,): the mask's cut, see rasterise; size (N,): person's size.
    """

    landmarks_2d: Tensor
    confidence: Tensor
    peak: Tensor
    world: Tensor
    has_world: Tensor
    has_mask: Tensor
    cut: Tensor
    size: Tensor


@dataclass(frozen=True)
class Circumstances:
    """What stands in the way of N people: hidden (N,33) by the body itself, removed (N,33) limbs behind something, cut
    (N,4) the picture's edges at z = 1, outside (N,33) of them; bad (N,): hard to read; size (N,) at z = 1."""

    bad: Tensor
    hidden: Tensor
    removed: Tensor
    cut: Tensor
    outside: Tensor
    size: Tensor


def circumstances(people: People, generator: torch.Generator, model: NoiseModel) -> Circumstances:
    """Drawn with the model's probabilities; ``hidden`` follows from the body."""
    truth = people.landmarks_2d
    count = len(truth)

    def chance(probability: float, *shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=generator, device=truth.device) < probability

    low, high = truth.amin(1), truth.amax(1)
    hidden, bad = self_occluded(people), chance(model.bad_person)
    removed = _removed_limbs(model, chance)
    cut = _truncation(model, low, high, chance, generator)
    return Circumstances(bad, hidden, removed, cut, _outside(truth, cut), (high - low).amax(1))


def detect_synthetic(
    people: People, generator: torch.Generator, model: NoiseModel | None = None, around: Circumstances | None = None
) -> Detections:
    """Corrupt exact projections into what a detector would say; around: drawn if not given."""
    model = model or NoiseModel()
    around = around or circumstances(people, generator, model)
    truth = people.landmarks_2d
    device, count = truth.device, len(truth)

    def chance(probability: float, *shape: int) -> Tensor:
        return torch.rand(count, *shape, generator=generator, device=device) < probability

    def normal(*shape: int) -> Tensor:
        return torch.randn(count, *shape, generator=generator, device=device)

    size, hidden, bad = around.size, around.hidden, around.bad
    lost = around.removed | around.outside | chance(model.miss_joint, 33)

    hardness = torch.tensor(_HARDNESS, device=device)
    spread = model.good_std * hardness * torch.exp(0.35 * normal(33))
    spread = spread * torch.where(hidden, model.hidden_factor, 1.0) * torch.where(bad, 2.5, 1.0)[:, None]
    spread = torch.where(chance(model.jitter_joint, 33), spread * 4, spread)
    spread = torch.where(lost, 0.10 + spread, spread)

    points = _swapped(truth, model, chance)
    # Neighbouring joints err together: a shared shift per person and per limb beside the independent part.
    shared = normal(1, 2) * 0.4
    for limb in LIMBS:
        push = torch.zeros(count, 33, 1, device=device)
        push[:, list(limb)] = 1.0
        shared = shared + push * normal(1, 2) * 0.5
    points = points + size[:, None, None] * spread[..., None] * (0.8 * normal(33, 2) + shared)

    quality = torch.exp(-((spread / 0.035) ** 2) * 0.5)
    confidence = (0.97 * quality + 0.08 * normal(33) - torch.where(hidden, 0.10, 0.0)).clamp(0.01, 1.0)
    confidence = torch.where(lost, confidence * 0.35, confidence)
    peak = (0.85 * quality + 0.07 * normal(33)).clamp(0.02, 0.97)
    return Detections(
        points, confidence, peak, _world(people, model, normal, chance, lost | hidden),
        ~chance(model.world_missing), ~chance(model.mask_missing), around.cut, size,
    )  # fmt: skip


def self_occluded(people: People, stride: int = 4) -> Tensor:
    """(N,33) True where a vertex hides the landmark: near it on the picture, and nearer to the camera by more than
    flesh.

    Every stride-th vertex is looked at, which is dense enough for a limb or a trunk.
    """
    depth = people.pelvis[:, 2].clamp_min(0.5)
    reach, flesh = torch.tensor(_HIDES, device=depth.device).T
    vertices_2d, vertices = people.vertices_2d[:, ::stride], people.vertices[:, ::stride]
    near = torch.cdist(people.landmarks_2d, vertices_2d) < (reach / depth[:, None])[..., None]
    in_front = vertices[:, None, :, 2] < (people.landmarks[..., 2] - flesh)[..., None]
    return (near & in_front).any(-1)


def _removed_limbs(model: NoiseModel, chance) -> Tensor:
    removed = chance(0.0, 33)
    for limb in LIMBS:
        gone = chance(model.limb_removed)
        select = torch.zeros_like(removed)
        select[:, list(limb)] = True
        removed = removed | (gone[:, None] & select)
    return removed


def _truncation(model: NoiseModel, low: Tensor, high: Tensor, chance, generator: torch.Generator) -> Tensor:
    """(N,4) visible window x0, y0, x1, y1 at z = 1; mostly the lower body is cut, as in real framing."""
    count, device = len(low), low.device
    extent = high - low
    window = torch.cat([low - extent, high + extent], 1)
    cut = chance(model.truncated)
    amount = 0.1 + 0.45 * torch.rand(count, generator=generator, device=device)
    side = torch.multinomial(torch.tensor([0.12, 0.06, 0.12, 0.70], device=device), count, True, generator=generator)
    for k in range(4):
        hit = cut & (side == k)
        axis = k % 2
        edge = low[:, axis] + amount * extent[:, axis] if k < 2 else high[:, axis] - amount * extent[:, axis]
        window[:, k] = torch.where(hit, edge, window[:, k])
    return window


def _outside(points: Tensor, window: Tensor) -> Tensor:
    x, y = points[..., 0], points[..., 1]
    inside = (x > window[:, None, 0]) & (y > window[:, None, 1]) & (x < window[:, None, 2]) & (y < window[:, None, 3])
    return ~inside


def _swapped(points: Tensor, model: NoiseModel, chance) -> Tensor:
    partner = points[:, list(SWAP)]
    legs = torch.zeros(33, dtype=torch.bool, device=points.device)
    legs[list(LEGS)] = True
    arms = torch.zeros_like(legs)
    arms[[13, 14, 15, 16, 17, 18, 19, 20, 21, 22]] = True
    swap = (chance(model.inversion_legs)[:, None] & legs) | (chance(model.inversion_arms)[:, None] & arms)
    return torch.where((swap | chance(model.swap_joint, 33))[..., None], partner, points)


def _world(people: People, model: NoiseModel, normal, chance, unsure: Tensor) -> Tensor:
    """The detector's own 3D: right shape, wrong size, lean and depth."""
    truth = people.landmarks - people.landmarks[:, 23:25].mean(1, keepdim=True)
    zero = torch.zeros_like(normal())
    lean = axis_angle_to_matrix(torch.stack([model.world_lean * normal(), 0.10 * normal(), 0.04 * normal()], -1))
    world = truth @ lean.transpose(1, 2)
    world = world * (1 + 0.08 * normal(1, 1))
    flat = (0.85 + 0.12 * normal()).clamp(0.45, 1.15)
    world = world * torch.stack([zero + 1, zero + 1, flat], -1)[:, None]
    for limb in LIMBS:
        reach = torch.zeros(1, 33, device=truth.device)
        reach[:, list(limb)] = torch.tensor([0.5, *[1.0] * (len(limb) - 1)], device=truth.device)
        push = model.world_limb_std * normal(1)
        world = world + torch.stack([torch.zeros_like(reach * push), torch.zeros_like(reach * push), reach * push], -1)
        # A limb that points towards the camera is sometimes taken to point away from it.
        root = world[:, limb[0] : limb[0] + 1, 2:]
        mirrored = world.clone()
        mirrored[:, list(limb), 2:] = 2 * root - world[:, list(limb), 2:]
        world = torch.where((chance(0.05)[:, None] & (reach > 0))[..., None], mirrored, world)
    std = model.world_std * torch.where(unsure, 2.2, 1.0)
    return world + std[..., None] * normal(33, 3)
