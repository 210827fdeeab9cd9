"""The calibrated cameras of the Pose2Sim clip: its triangulated joints as each camera sees them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ...detect.observation import BLAZEPOSE_NAMES, LIMB_SLOTS

Array = NDArray[np.float64]
MM = 1000.0
CAMERAS = ("cam01", "cam03")


@dataclass(frozen=True, eq=False)
class CameraTruth:
    """One camera. frames (F,) 0-based indices in the video; joints (F,12,3) metres in camera axes, in the order of
    LIMB_SLOTS (HALPE's joints, good to 2 to 4 cm); matrix (3,3) px and distortion (5,) in OpenCV's convention.
    """

    frames: NDArray[np.int64]
    joints: Array
    matrix: Array
    distortion: Array

    @property
    def focal(self) -> float:
        """Mean of both axes, px."""
        return float((self.matrix[0, 0] + self.matrix[1, 1]) / 2)

    def project(self, points: Array) -> Array:
        """(...,3) metres in camera axes -> (...,2) px with the calibrated principal point and distortion."""
        flat = cv2.projectPoints(points.reshape(-1, 1, 3), np.zeros(3), np.zeros(3), self.matrix, self.distortion)[0]
        return np.asarray(flat, np.float64).reshape(*points.shape[:-1], 2)


def read_camera_truth(path: Path, camera: str) -> CameraTruth:
    """truth_3d.json (world axes, z up, mm) -> what ``camera`` sees. Errors: KeyError, ValueError on foreign files."""
    data = json.loads(path.read_text(encoding="utf-8"))
    names = data["joint_names"]
    chosen = [names.index(BLAZEPOSE_NAMES[slot]) for slot in LIMB_SLOTS]
    frames = sorted(int(key) for key in data["frames"])
    world = np.array([data["frames"][str(frame)] for frame in frames], np.float64)[:, chosen]
    calibration = data["cameras"][camera]
    rotation, shift = np.array(calibration["R"], np.float64), np.array(calibration["t_mm"], np.float64)
    return CameraTruth(
        np.array(frames, np.int64), (world @ rotation.T + shift) / MM, np.array(calibration["K"], np.float64),
        np.array(calibration["dist_opencv"], np.float64),
    )  # fmt: skip
