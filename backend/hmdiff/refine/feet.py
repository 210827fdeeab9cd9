"""Feet that stand, stand still: each contact gets one place, and the legs reach for it, frame by frame.

For a camera that stands still. What a contact moves is carried out over the frames beside it, so that nothing jumps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .curvature import GaussNewton
from .figure import Figure
from .layer import falloff
from .losses.anchors import Anchors, anchor_loss
from .losses.ground import FEET, HEIGHT, detect_contacts
from .losses.temporal import neighbours
from .pose_code import PoseCode
from .problem import Problem, Term
from .wishes import Bodies, hold_term

LEGS = (1, 2, 4, 5, 7, 8, 10, 11)
SPEED, TALL = 0.6, 0.12
"""Faster than this, m/s, or higher above the floor, m, a foot does not stand."""
SHORTEST, GAP, FADE = 3, 2, 6
"""Frames: a shorter contact is none, a shorter break in one is none either, and how long a foot takes to its place."""
ANCHOR, FREE, HELD, TURNS = 50.0, 0.3, 300.0, 12


@dataclass(frozen=True, eq=False)
class Planted:
    """rotations (B,24,3,3) local; transl (B,3) metres; contact (B,4) bool of FEET."""

    rotations: Tensor
    transl: Tensor
    contact: NDArray[np.bool_]


def plant_feet(
    figure: Figure, bodies: Bodies, rotations: Tensor, up: Tensor, free: NDArray[np.bool_], floor: bool
) -> Planted:
    """bodies: one track in the order of time; rotations (B,24,3,3): their pose; free (B,): rows that may move. floor:
    contacts come down (or up) onto one level.
    """
    code = PoseCode()
    start = code.encode(rotations)
    with torch.no_grad():
        joints = figure.pose(figure.tables(bodies.betas), rotations)[1] + bodies.transl[:, None]
    assert bodies.times is not None
    near = neighbours(torch.zeros(len(bodies)), bodies.times)
    contact, level = detect_contacts(joints, near, bodies.times, up, SPEED, TALL)
    stands = np.stack([_runs(contact[:, k].numpy() > 0) for k in range(4)], 1)
    transl = bodies.transl
    if floor:
        rise = _rise(joints, stands, free, up, float(level))
        transl, joints = transl + rise, joints + rise[:, None]
    anchors = _anchors(joints, stands, free, up, float(level) if floor else None)
    hold = torch.full((len(bodies), 24), HELD)
    hold[:, list(LEGS)] = FREE
    terms = (Term("anchors", ANCHOR, lambda p: anchor_loss(p, anchors), joint_curvature=2e4), hold_term(start, hold))
    problem = Problem(figure, code, bodies.betas, transl, bodies.focal, terms, solve_transl=False)
    x = descend(problem, start, TURNS)
    moves = torch.from_numpy(free)[:, None, None, None] & (anchors.weight > 0).any(1)[:, None, None, None]
    return Planted(torch.where(moves, code.rotations(x), rotations), transl, stands & free[:, None])


def descend(problem: Problem, start: Tensor, steps: int) -> Tensor:
    """Plain Gauss-Newton on a problem without a denoiser; a row keeps the best it saw."""
    metric, along = GaussNewton(problem), tuple(one.value for one in problem.along())
    x, best = start, start
    with torch.no_grad():
        lowest = problem(start, along)
    for _ in range(steps):
        leaf = x.detach().requires_grad_(True)
        loss = problem(leaf, along)
        gradient = torch.autograd.grad(loss.sum(), leaf)[0]
        way, _ = metric(leaf.detach(), along, gradient, (), 1.0)
        x = problem.code.encode(problem.code.rotations(leaf.detach() - way))
        with torch.no_grad():
            loss = problem(x, along)
        better = loss < lowest
        best, lowest = torch.where(better[:, None], x, best), torch.where(better, loss, lowest)
    return best


def _runs(stands: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(n,) without breaks shorter than GAP and contacts shorter than SHORTEST."""
    filled = _without_short(~stands, GAP + 1)
    return _without_short(~filled, SHORTEST)


def _without_short(flags: NDArray[np.bool_], least: int) -> NDArray[np.bool_]:
    out = flags.copy()
    for first, end in _stretches(flags):
        inside = first > 0 and end < len(flags)
        if inside and end - first < least:
            out[first:end] = False
    return out


def _stretches(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(int)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _rise(joints: Tensor, stands: NDArray[np.bool_], free: NDArray[np.bool_], up: Tensor, level: float) -> Tensor:
    """(B,3): how the whole body is lifted so that who stands, stands on the floor; the legs do only the rest."""
    miss = level + np.array(HEIGHT) - (joints[:, list(FEET)] @ up).numpy()
    known = stands.any(1) | ~free
    if not known.any():
        return torch.zeros(len(joints), 3)
    mean = (miss * stands).sum(1) / np.maximum(stands.sum(1), 1)
    rows = np.arange(len(joints))
    lift = np.interp(rows, rows[known], np.where(free, mean, 0.0)[known])
    padded = np.pad(lift, FADE, mode="edge")
    smooth = np.convolve(padded, np.hanning(2 * FADE + 3)[1:-1] / np.hanning(2 * FADE + 3).sum(), "valid")
    return torch.from_numpy(np.where(free, smooth, 0.0)).float()[:, None] * up


def _anchors(
    joints: Tensor, stands: NDArray[np.bool_], free: NDArray[np.bool_], up: Tensor, level: float | None
) -> Anchors:
    feet = joints[:, list(FEET)].numpy()
    target, weight = feet.copy(), np.zeros(stands.shape, np.float32)
    axis = up.numpy()
    order = np.arange(len(feet))
    for k in range(4):
        shift = np.zeros((len(feet), 3), np.float32)
        for first, end in _stretches(stands[:, k]):
            place = np.median(feet[first:end, k], axis=0)
            fixed = np.flatnonzero(~free[first:end])
            if len(fixed):  # a frame that is locked says where the foot stands
                place = feet[first + fixed[0], k]
            if level is not None:
                place = place + (level + HEIGHT[k] - place @ axis) * axis
            shift[first:end] = place - feet[first:end, k]
            weight[first:end, k] = 1.0
        shares = falloff(order, stands[:, k], np.zeros(len(feet), bool), FADE)
        carried = np.zeros_like(shift)
        np.add.at(carried, shares.rows, shares.share[:, None].astype(np.float32) * shift[shares.keys])
        target[:, k] += carried
        np.maximum.at(weight[:, k], shares.rows, np.where(shares.share > 0, 1.0, 0.0).astype(np.float32))
        if level is not None:
            under = np.where(weight[:, k] > 0, 0.0, level + HEIGHT[k] - feet[:, k] @ axis).clip(min=0.0)
            target[:, k] += under[:, None] * axis
            weight[:, k] = np.maximum(weight[:, k], under > 0)
    weight[~free] = 0.0
    return Anchors(FEET, torch.from_numpy(target), torch.from_numpy(weight))
