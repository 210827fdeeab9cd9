"""Fit where BlazePose sees its 33 landmarks on the free body: a sparse convex vertex regressor for each.

    python tools/fit_landmarks.py --pictures FOLDER --out FOLDER

FOLDER is what ``render_people`` wrote. Writes landmarks.npz (row, col, value: sparse triplets; names; statistics) and
noise.json. A landmark is a convex combination of at most 16 vertices near its anatomical place; left and right share
one fit by mirroring. The weights solve a robust non-negative least squares problem on the reprojection error.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.spatial import KDTree

sys.path[:0] = [str(Path(__file__).parents[1] / folder) for folder in ("backend", "shared", "tools")]

from hmdiff.detect.observation import BLAZEPOSE_NAMES  # noqa: E402
from hmdiff_wire.body import BodyData, load_body  # noqa: E402
from landmark_anchors import LEFT_SLOTS, REACH, RIGHT_SLOTS, SKIN_VERTICES, anatomical_points  # noqa: E402
from landmark_noise import hidden, noise_statistics, residuals  # noqa: E402
from landmark_readings import Sample, read_pictures  # noqa: E402

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
N_FACE = 11
BODY = Path(__file__).parents[1] / "backend" / "hmdiff" / "data" / "body.npz"
MOST_VERTICES = 16
_CANDIDATES = 90
_TRUST_MISS = 30.0
"""Readings whose median error at the start is above this (256-px crop) see something else than the person."""
_PULL = 4.0
"""Strength, in px of all readings together, of the pull towards the anatomical place at the edge of its reach."""
_SUM_WEIGHT = 1e4
_HIDDEN_FACE = 0.1
"""Weight of face landmarks the head itself covers: the network is sure of them even from behind, and only guesses."""


@dataclass(frozen=True, eq=False)
class Views:
    """Rows of one landmark over all readings: target (M,2) px from the principal point, focal (M,), the candidates'
    positions (M,K,3), scale (M,) 256-crop px per px, weight (M,) the network's confidence."""

    target: Floats
    focal: Floats
    positions: Floats
    scale: Floats
    weight: Floats

    def errors(self, weights: Floats) -> Floats:
        """(M,2) px in the 256-px crop."""
        points = np.einsum("k,mkc->mc", weights, self.positions)
        return (self.target - points[:, :2] / points[:, 2:] * self.focal[:, None]) * self.scale[:, None]


def spread(points: Floats, count: int) -> Ints:
    """Indices of up to ``count`` points far from one another."""
    chosen = [0]
    distance = np.linalg.norm(points - points[0], axis=1)
    while len(chosen) < min(count, len(points)):
        chosen.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1))
    return np.array(chosen)


def gather(samples: list[Sample], sides: list[tuple[int, Ints]], covered: NDArray[np.bool_]) -> Views:
    """sides: (landmark slot, candidate vertices) for left and right, rows of one problem; covered (S,33)."""
    guess = np.concatenate([covered[:, slot] & (slot < N_FACE) for slot, _ in sides])
    rows = [(s, slot, vertices) for slot, vertices in sides for s in samples]
    return Views(
        target=np.array([s.points[slot] - s.middle for s, slot, _ in rows]),
        focal=np.array([s.focal for s, _, _ in rows]),
        positions=np.stack([s.vertices[v] for s, _, v in rows]).astype(float),
        scale=np.array([s.scale for s, _, _ in rows]),
        weight=np.array([s.confidence[slot] for s, slot, _ in rows]) * np.where(guess, _HIDDEN_FACE, 1.0),
    )


def solve(views: Views, start: Floats, pull: Floats) -> Floats:
    """Convex weights (K,) that explain the detections; start (K,) weights to begin with, pull (K,) cost of each."""
    weights = start
    for _ in range(12):
        errors = views.errors(weights)
        miss = np.linalg.norm(errors, axis=1)
        width = 1.5 * np.median(miss[views.weight > np.median(views.weight) / 2]) + 1e-6
        trust = np.sqrt(views.weight) / (1 + (miss / (2 * width)) ** 2)
        depth = views.positions[..., 2] @ weights
        # u Z - f X = 0 is linear in the weights; dividing by the current depth turns it into pixels
        gain = (views.scale * trust / depth)[:, None, None]
        system = gain * (
            views.target[:, None] * views.positions[..., 2:] - views.focal[:, None, None] * views.positions[..., :2]
        )
        matrix = system.transpose(0, 2, 1).reshape(-1, len(weights))
        matrix = np.vstack([matrix, _PULL * pull, _SUM_WEIGHT * np.ones(len(weights))])
        goal = np.zeros(len(matrix))
        goal[-1] = _SUM_WEIGHT
        weights = nnls(matrix, goal, maxiter=5000)[0]
        weights /= weights.sum()
    return weights


def fit_one(
    body: BodyData, samples: list[Sample], covered: NDArray[np.bool_], name: str, anchor: Floats, mirror: Ints
) -> tuple[Ints, Floats]:
    """Vertices and convex weights of the left (or middle) landmark."""
    rest = body.v_template[:SKIN_VERTICES].astype(float)
    distance = np.linalg.norm(rest - anchor, axis=1)
    near = np.flatnonzero(distance < max(REACH[name], np.sort(distance)[20]))
    vertices = near[spread(rest[near], _CANDIDATES)]
    if name == "nose":
        vertices = np.unique(np.concatenate([vertices, mirror[vertices]]))
        sides = [(0, vertices)]
    else:
        sides = [(LEFT_SLOTS[name], vertices), (RIGHT_SLOTS[name], mirror[vertices])]
    pull = (np.linalg.norm(rest[vertices] - anchor, axis=1) / REACH[name]) ** 2
    start = np.exp(-8 * pull)
    views = gather(samples, sides, covered)
    weights = solve(views, start / start.sum(), pull)
    keep = np.argsort(-weights)[:MOST_VERTICES]
    keep = keep[weights[keep] > 1e-3]
    if name == "nose":
        return _symmetric(vertices[keep], weights[keep], mirror)
    small = Views(views.target, views.focal, views.positions[:, keep], views.scale, views.weight)
    return vertices[keep], solve(small, weights[keep] / weights[keep].sum(), pull[keep])


def _symmetric(vertices: Ints, weights: Floats, mirror: Ints) -> tuple[Ints, Floats]:
    half = np.argsort(-weights)[: MOST_VERTICES // 2]
    both = np.zeros(len(mirror))
    np.add.at(both, vertices[half], weights[half] / 2)
    np.add.at(both, mirror[vertices[half]], weights[half] / 2)
    found = np.flatnonzero(both)
    return found, both[found] / both.sum()


def fit_all(body: BodyData, samples: list[Sample], anchors: dict[str, Floats], mirror: Ints) -> Floats:
    """(33,V) regressor."""
    start = nearest_regressor(body, anchors, mirror)
    covered = np.stack([hidden(sample, start) for sample in samples])
    matrix = np.zeros((len(BLAZEPOSE_NAMES), body.n_vertices))
    for name, anchor in anchors.items():
        vertices, weights = fit_one(body, samples, covered, name, anchor, mirror)
        if name == "nose":
            matrix[0, vertices] = weights
        else:
            matrix[LEFT_SLOTS[name], vertices] = weights
            matrix[RIGHT_SLOTS[name], mirror[vertices]] = weights
    return matrix


def nearest_regressor(body: BodyData, anchors: dict[str, Floats], mirror: Ints) -> Floats:
    """(33,V): the anatomical points by convex weights over vertices within reach, nearest first."""
    rest = body.v_template[:SKIN_VERTICES].astype(float)
    matrix = np.zeros((len(BLAZEPOSE_NAMES), body.n_vertices))
    for name, anchor in anchors.items():
        distance = np.linalg.norm(rest - anchor, axis=1)
        near = np.flatnonzero(distance < max(REACH[name], np.sort(distance)[20]))
        pull = (distance[near] / REACH[name]) ** 2
        system = np.vstack([1e3 * rest[near].T, 1e-2 * pull, _SUM_WEIGHT * np.ones(len(near))])
        weights = nnls(system, np.concatenate([1e3 * anchor, [0.0, _SUM_WEIGHT]]), maxiter=5000)[0]
        slots = [(0, near)] if name == "nose" else [(LEFT_SLOTS[name], near), (RIGHT_SLOTS[name], mirror[near])]
        for slot, vertices in slots:
            matrix[slot, vertices] = weights / weights.sum()
    return matrix


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    body = load_body(BODY)
    rest = body.v_template.astype(float)
    mirror = np.asarray(KDTree(rest).query(rest * [-1, 1, 1])[1], np.int64)
    anchors = anatomical_points(rest)
    before = nearest_regressor(body, anchors, mirror)
    everything = read_pictures(options.pictures, body)
    samples = [s for s in everything if np.median(np.linalg.norm(residuals([s], before)[0], axis=1)) < _TRUST_MISS]
    print(f"{len(everything)} readings with a person, {len(samples)} of them on the body")
    fitted = fit_all(body, samples, anchors, mirror)
    # two halves of the pictures judge each other, so that the reported error is not that of the fit's own data
    halves = [[s for s in samples if s.picture % 2 == parity] for parity in (0, 1)]
    held_out = np.concatenate([residuals(halves[1 - k], fit_all(body, halves[k], anchors, mirror)) for k in (0, 1)])
    order = halves[1] + halves[0]
    noise = noise_statistics(samples, fitted, residuals(samples, before), held_out, order)
    noise["moved_mm"] = (np.linalg.norm((fitted - before) @ rest, axis=1) * 1000).round(1).tolist()
    noise["readings"], noise["readings_with_person"] = len(samples), len(everything)
    row, col = np.nonzero(fitted)
    np.savez_compressed(
        options.out / "landmarks.npz", row=row.astype(np.int32), col=col.astype(np.int32),
        value=fitted[row, col].astype(np.float32), names=np.array(BLAZEPOSE_NAMES),
        residual_std_px=np.array(noise["std_px"], np.float32),
        residual_std_box=np.array(noise["std_of_box"], np.float32),
        residual_before_px=np.array(noise["median_before_px"], np.float32),
        residual_after_px=np.array(noise["median_after_px"], np.float32),
        bias_before_px=np.array(noise["bias_before_px"], np.float32),
        bias_after_px=np.array(noise["bias_after_px"], np.float32),
    )  # fmt: skip
    (options.out / "noise.json").write_text(json.dumps(noise, indent=1))
    for slot, name in enumerate(BLAZEPOSE_NAMES):
        figure = {key: noise[key][slot] for key in noise if isinstance(noise[key], list) and len(noise[key]) == 33}
        print(
            f"{slot:2d} {name:18s} before {figure['median_before_px']:5.2f} after {figure['median_after_px']:5.2f} "
            f"held out {figure['median_held_out_px']:5.2f} std {figure['std_px']:5.2f} px, "
            f"{figure['std_of_box']:.4f} box, moved {figure['moved_mm']:5.1f} mm, "
            f"bias {figure['bias_before_px']} -> {figure['bias_after_px']}"
        )


if __name__ == "__main__":
    main()
