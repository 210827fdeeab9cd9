"""Rotations as unit quaternions, w first; numpy only. Arrays are (...,4), axis-angle (...,3) in radians."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]


def from_axis_angle(vectors: Array) -> Array:
    vectors = np.asarray(vectors, np.float64)
    angle = np.linalg.norm(vectors, axis=-1, keepdims=True)
    # sin(a/2)/a, which is 1/2 - a^2/48 near zero
    part = np.where(angle < 1e-6, 0.5 - angle**2 / 48, np.sin(angle / 2) / np.maximum(angle, 1e-12))
    return np.concatenate([np.cos(angle / 2), vectors * part], axis=-1)


def to_axis_angle(quaternions: Array) -> Array:
    """The shorter way round: angles from 0 to pi."""
    q = np.where(quaternions[..., :1] < 0, -quaternions, quaternions)
    sine = np.linalg.norm(q[..., 1:], axis=-1, keepdims=True)
    angle = 2 * np.arctan2(sine, q[..., :1])
    share: Array = np.where(sine < 1e-9, 2.0, angle / np.maximum(sine, 1e-12))
    return q[..., 1:] * share


def to_matrix(quaternions: Array) -> Array:
    """(...,3,3)."""
    w, x, y, z = np.moveaxis(np.asarray(quaternions, np.float64), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def multiply(first: Array, second: Array) -> Array:
    """``second`` first, then ``first``: as the product of their matrices."""
    a, b = np.asarray(first), np.asarray(second)
    w = a[..., :1] * b[..., :1] - np.sum(a[..., 1:] * b[..., 1:], axis=-1, keepdims=True)
    v = a[..., :1] * b[..., 1:] + b[..., :1] * a[..., 1:] + np.cross(a[..., 1:], b[..., 1:])
    return np.concatenate([w, v], axis=-1)


def inverse(quaternions: Array) -> Array:
    return quaternions * np.array([1.0, -1.0, -1.0, -1.0])


def between(first: Array, second: Array, share: Array) -> Array:
    """On the shorter arc from ``first`` (share 0) to ``second`` (share 1); share broadcasts against (...,1)."""
    turn = to_axis_angle(multiply(second, inverse(first)))
    return multiply(from_axis_angle(turn * share), first)


def shortest(start: Array, end: Array) -> Array:
    """The smallest turn that brings the directions ``start`` (...,3) to ``end`` (...,3), of any length."""
    a = start / np.maximum(np.linalg.norm(start, axis=-1, keepdims=True), 1e-12)
    b = end / np.maximum(np.linalg.norm(end, axis=-1, keepdims=True), 1e-12)
    half = np.concatenate([1 + np.sum(a * b, axis=-1, keepdims=True), np.cross(a, b)], axis=-1)
    length = np.linalg.norm(half, axis=-1, keepdims=True)
    return np.where(length < 1e-9, np.array([0.0, 1.0, 0.0, 0.0]), half / np.maximum(length, 1e-12))
