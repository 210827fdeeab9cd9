"""Cameras: eye level to high, near to far, 24 to 85 mm, any side of the person, framed well or badly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from .person import Person

Doubles = NDArray[np.float64]
SIZES = ((640, 480), (640, 512), (640, 640), (640, 360), (768, 512), (768, 576), (768, 432), (560, 560))
FILM = 36.0
"""Long side of the frame that a focal length of so many millimetres belongs to."""


@dataclass(frozen=True)
class Camera:
    """x_cam = rotation @ x_world + translation in OpenCV axes; focal in px, principal point in the middle."""

    rotation: Doubles
    translation: Doubles
    focal: float
    width: int
    height: int

    @property
    def eye(self) -> Doubles:
        """(3,) in the world."""
        return -self.rotation.T @ self.translation

    def to_camera(self, points: NDArray[np.floating]) -> Doubles:
        return points @ self.rotation.T + self.translation

    def project(self, points: NDArray[np.floating]) -> Doubles:
        """Camera points (...,3) -> px (...,2); what lies behind is clamped to 5 cm before the camera."""
        return project(points, self.focal, self.width, self.height)


def project(points: NDArray[np.floating], focal: float, width: int, height: int) -> Doubles:
    flat = points[..., :2] / np.maximum(points[..., 2:], 0.05) * focal
    return flat + np.array([width / 2, height / 2])


def look_at(eye: Doubles, target: Doubles, roll: float) -> tuple[Doubles, Doubles]:
    """World (y up) -> OpenCV camera rotation (3,3), translation (3,)."""
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(forward, right), forward])
    axes = Rotation.from_euler("z", roll).as_matrix() @ axes
    return axes, -axes @ eye


def draw_camera(rng: np.random.Generator, subject: Person, time: float, view: int, whole: bool = False) -> Camera:
    """A camera for the first person as they are at a time. whole: all of the person is in the picture."""
    joints = subject.pose(time).joints
    centre = (joints.min(0) + joints.max(0)) / 2
    extent = float(max(np.ptp(joints[:, 1]) + 0.25, np.linalg.norm(np.ptp(joints[:, [0, 2]], axis=0)) * 0.8, 0.8))
    long, short = SIZES[int(rng.integers(len(SIZES)))]
    width, height = (long, short) if rng.random() < 0.55 else (short, long)
    focal = float(np.exp(rng.uniform(np.log(24), np.log(85)))) / FILM * long
    kind = "full" if whole else rng.choice(["full", "small", "close"], p=[0.65, 0.17, 0.18])
    share = {"full": (0.42, 0.92), "small": (0.13, 0.4), "close": (1.0, 2.1)}[str(kind)]
    part = float(np.exp(rng.uniform(np.log(share[0]), np.log(share[1]))))
    aim = centre.copy()
    if kind == "close":  # mostly the upper body, as people frame one another
        aim[1] += extent * float(rng.choice([rng.uniform(0.05, 0.35), rng.uniform(-0.35, 0.3)], p=[0.75, 0.25]))
    distance = float(np.clip(focal * extent / (part * min(height, 1.3 * width)), 1.1, 30.0))
    level = rng.choice(["eye", "high", "low", "steep"], p=[0.52, 0.22, 0.14, 0.12])
    if level == "steep":
        tilt = np.radians(rng.uniform(28, 65))
    else:
        low, high = {"eye": (1.2, 1.8), "high": (1.9, 4.5), "low": (0.25, 1.0)}[str(level)]
        tilt = np.arcsin(np.clip((rng.uniform(low, high) - aim[1]) / distance, -0.5, 0.95))
    way = rng.uniform(0, 2 * np.pi)
    away = np.array([np.cos(tilt) * np.sin(way), np.sin(tilt), np.cos(tilt) * np.cos(way)])
    eye = aim + distance * away
    eye[1] = max(eye[1], 0.12)
    rotation, translation = look_at(eye, aim, np.radians(rng.normal(0, 3 if rng.random() < 0.92 else 18)))
    # off the middle: as far as it fits, or a little beyond
    room = np.maximum(1 - part * np.array([0.6 * height / width, 1.0]), 0.1) / 2
    shift = rng.uniform(-1, 1, 2) * room * (0.4 if whole else rng.choice([0.5, 0.9, 1.4], p=[0.5, 0.35, 0.15]))
    turn = Rotation.from_rotvec([-shift[1] * height / focal, shift[0] * width / focal, 0]).as_matrix()
    return Camera(turn @ rotation, turn @ translation, focal, width, height)
