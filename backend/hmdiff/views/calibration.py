"""Calibrated cameras from the files people have: Pose2Sim and Anipose TOML, OpenCV-style JSON.

Every camera: world to camera axes by OpenCV's convention (x right, y down, z forward), metres, pixels.
"""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from hmdiff_wire.errors import HmdiffError
from numpy.typing import NDArray

Array = NDArray[np.float64]
FAR = 50.0
"""A camera farther from the world's origin than this many metres was measured in millimetres."""
NAMES = {
    "matrix": ("matrix", "K", "camera_matrix", "intrinsics", "intrinsic", "mtx", "cameraMatrix"),
    "distortion": ("distortions", "dist", "dist_coeffs", "distortion", "distortion_coefficients", "dist_opencv",
                   "distCoeffs", "distCoef"),
    "rotation": ("rotation", "R", "rvec", "rotation_vector", "rotation_matrix"),
    "translation": ("translation", "t", "tvec", "T", "translation_vector", "t_mm"),
    "size": ("size", "image_size", "resolution", "image_size_calibrated"),
}  # fmt: skip
"""What the files call it."""


@dataclass(frozen=True, eq=False)
class Camera:
    """matrix (3,3) px; distortion (k,) OpenCV's; rotation (3,3), translation (3,) metres: world to camera axes; size
    (width, height) px of the pictures it was calibrated for, (0, 0) where the file does not say.
    """

    name: str
    matrix: Array
    distortion: Array
    rotation: Array
    translation: Array
    size: tuple[int, int] = (0, 0)

    @property
    def focal(self) -> float:
        """Mean of both axes, px."""
        return float((self.matrix[0, 0] + self.matrix[1, 1]) / 2)

    @property
    def position(self) -> Array:
        """(3,) metres in the world."""
        return -self.rotation.T @ self.translation

    def scaled_to(self, size: tuple[int, int]) -> Camera:
        """For pictures of another size, px. Errors: ``views.size`` where only the shape could explain it."""
        if self.size == (0, 0) or self.size == size:
            return self
        across, down = size[0] / self.size[0], size[1] / self.size[1]
        if abs(across / down - 1) > 0.02:
            raise HmdiffError(
                "views.size",
                f"Camera {self.name} was calibrated for pictures of {self.size[0]} x {self.size[1]}, its video has "
                f"{size[0]} x {size[1]}.",
                "Give the calibration of this video, or the videos in another order.",
            )
        matrix = np.diag([across, down, 1.0]) @ self.matrix
        return replace(self, matrix=matrix, size=size)

    def undistorted(self, points: Array, focal: float, middle: tuple[float, float]) -> Array:
        """(...,2) px of the video -> px of an ideal camera with this focal length and principal point."""
        flat = np.ascontiguousarray(points.reshape(-1, 1, 2), np.float64)
        rays = cv2.undistortPoints(flat, self.matrix, self.distortion).reshape(points.shape)
        return np.asarray(rays) * focal + np.array(middle)

    def project(self, points: Array) -> Array:
        """(...,3) metres in the world -> (...,2) px, distortion included."""
        turn = cv2.Rodrigues(self.rotation)[0]
        flat = np.ascontiguousarray(points.reshape(-1, 1, 3), np.float64)
        seen = cv2.projectPoints(flat, turn, self.translation, self.matrix, self.distortion)[0]
        return np.asarray(seen, np.float64).reshape(*points.shape[:-1], 2)


def read_cameras(path: Path) -> tuple[Camera, ...]:
    """All cameras of a ``.toml`` or ``.json``, in the file's order. Errors: ``views.calibration``."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        data: Any = tomllib.loads(text) if path.suffix.lower() == ".toml" else json.loads(text)
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise _bad(path, "cannot be read", repr(error)) from error
    entries = _entries(data)
    if not entries:
        raise _bad(path, "names no camera with a matrix")
    millimetres = isinstance(data, Mapping) and str(data.get("units", data.get("unit", ""))).lower() in (
        "mm",
        "millimetres",
    )
    cameras = []
    for name, entry in entries:
        try:
            cameras.append(_camera(name, entry, millimetres))
        except (KeyError, ValueError, TypeError, cv2.error) as error:
            raise _bad(path, f"says of camera {name} what cannot be used", repr(error)) from error
    return _in_metres(tuple(cameras))


def match_cameras(cameras: Sequence[Camera], videos: Sequence[Path]) -> tuple[Camera, ...]:
    """The camera of each video: by its name in the file's name where all are found so, else by order.

    Errors: ``views.cameras``.
    """
    found = []
    for video in videos:
        where = str(video).lower()
        inside = [one for one in cameras if one.name and one.name.lower() in video.stem.lower()]
        inside = inside or [one for one in cameras if one.name and one.name.lower() in where]
        found.append(max(inside, key=lambda one: len(one.name)) if inside else None)
    if all(found) and len({id(one) for one in found}) == len(videos):
        return tuple(one for one in found if one is not None)
    if len(cameras) != len(videos):
        names = ", ".join(one.name for one in cameras)
        raise HmdiffError(
            "views.cameras", f"The calibration has {len(cameras)} cameras ({names}) for {len(videos)} videos.",
            "Name the videos after their cameras, or give as many videos as cameras, in the same order.",
        )  # fmt: skip
    return tuple(cameras)


def _entries(data: Any) -> list[tuple[str, Mapping[str, Any]]]:
    if isinstance(data, Mapping) and isinstance(data.get("cameras"), Mapping | list):
        data = data["cameras"]
    if isinstance(data, Mapping) and _has(data, "matrix"):
        data = [data]
    pairs = data.items() if isinstance(data, Mapping) else enumerate(data) if isinstance(data, list) else ()
    found = []
    for key, entry in pairs:
        if isinstance(entry, Mapping) and _has(entry, "matrix"):
            name = entry.get("name", entry.get("camera_name", key if isinstance(key, str) else f"camera {key + 1}"))
            found.append((str(name), entry))
    return found


def _has(entry: Mapping[str, Any], what: str) -> bool:
    return any(name in entry for name in NAMES[what])


def _value(entry: Mapping[str, Any], what: str) -> Any:
    name = next((one for one in NAMES[what] if one in entry), None)
    if name is None:
        raise KeyError(f"there is no {NAMES[what][0]}")
    value = entry[name]
    if isinstance(value, Mapping) and "data" in value:  # OpenCV's own JSON
        shape = (int(value["rows"]), int(value["cols"])) if "rows" in value else (-1,)
        return np.array(value["data"], np.float64).reshape(shape)
    return np.array(value, np.float64)


def _camera(name: str, entry: Mapping[str, Any], millimetres: bool) -> Camera:
    if entry.get("fisheye"):
        raise ValueError("a fisheye lens; undistort the video beforehand")
    matrix = _value(entry, "matrix").reshape(3, 3)
    distortion = _value(entry, "distortion").ravel() if _has(entry, "distortion") else np.zeros(5)
    rotation = _value(entry, "rotation")
    rotation = np.asarray(cv2.Rodrigues(rotation.reshape(3, 1))[0]) if rotation.size == 3 else rotation.reshape(3, 3)
    translation = _value(entry, "translation").reshape(3)
    if millimetres or "t_mm" in entry:
        translation = translation / 1000.0
    size = (int(one) for one in _value(entry, "size").ravel()[:2]) if _has(entry, "size") else (0, 0)
    width, height = size
    numbers = np.concatenate([matrix.ravel(), distortion, rotation.ravel(), translation])
    if not np.isfinite(numbers).all() or matrix[0, 0] <= 0 or matrix[1, 1] <= 0:
        raise ValueError("numbers that are not finite, or a focal length that is none")
    if abs(np.linalg.det(rotation) - 1) > 0.01 or np.abs(rotation @ rotation.T - np.eye(3)).max() > 0.01:
        raise ValueError("a rotation that is none")
    return Camera(name, matrix, distortion, rotation, translation, (width, height))


def _in_metres(cameras: tuple[Camera, ...]) -> tuple[Camera, ...]:
    away = np.median([np.linalg.norm(one.translation) for one in cameras])
    if not math.isfinite(away) or away < FAR:
        return cameras
    return tuple(replace(one, translation=one.translation / 1000.0) for one in cameras)


def _bad(path: Path, what: str, detail: str = "") -> HmdiffError:
    return HmdiffError(
        "views.calibration", f"The calibration {path.name} {what}.",
        "Give a Pose2Sim or Anipose .toml, or a .json with matrix, distortions, rotation and translation per camera.",
        detail,
    )  # fmt: skip
