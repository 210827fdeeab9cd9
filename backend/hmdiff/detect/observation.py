"""What one detector saw of one person in one frame; the only thing later stages read (DESIGN 4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hmdiff_wire.landmarks import LANDMARK_NAMES
from numpy.typing import NDArray

Array = NDArray[np.float32]
Bools = NDArray[np.bool_]

STATUSES = ("ok", "held", "missed", "tiny", "truncated", "dark")

BLAZEPOSE_NAMES = LANDMARK_NAMES
COCO17_NAMES = (
    "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
    "right_ankle",
)  # fmt: skip
BODY25_NAMES = (
    "nose", "neck", "right_shoulder", "right_elbow", "right_wrist", "left_shoulder", "left_elbow", "left_wrist",
    "mid_hip", "right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle", "right_eye",
    "left_eye", "right_ear", "left_ear", "left_foot_index", "left_small_toe", "left_heel", "right_foot_index",
    "right_small_toe", "right_heel",
)  # fmt: skip
BLAZEPOSE_SLOT = {name: slot for slot, name in enumerate(BLAZEPOSE_NAMES)}
COCO17_TO_BLAZEPOSE = tuple(BLAZEPOSE_SLOT[name] for name in COCO17_NAMES)
"""For each of the 17 COCO keypoints its BlazePose slot."""
BODY25_TO_BLAZEPOSE = tuple(BLAZEPOSE_SLOT.get(name, -1) for name in BODY25_NAMES)
"""For each of the 25 OpenPose keypoints its BlazePose slot, -1 where BlazePose has none (neck, mid hip, small toes)."""
LIMB_SLOTS = (11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
"""Shoulders, elbows, wrists, hips, knees, ankles: the 12 joints a body's pose hangs on."""
N_LANDMARKS = 33
N_MODEL_LANDMARKS = 39


@dataclass(frozen=True)
class Crop:
    """A square of the image that may be turned.

    center (2,) image px; size: side in image px; angle: radians from the image's x axis to the crop's x axis,
    towards the image's y axis (clockwise as seen, since y points down). Crop coordinates run from 0 to 1 over
    the square, (0, 0) at its top left corner.
    """

    center: Array
    size: float
    angle: float = 0.0

    @property
    def axes(self) -> Array:
        """(2,2): columns are the crop's x and y directions in the image."""
        cosine, sine = np.cos(self.angle), np.sin(self.angle)
        return np.array([[cosine, -sine], [sine, cosine]], np.float32)

    def to_crop(self, points: Array) -> Array:
        """Image points (...,2) px -> crop coordinates (...,2), 0..1 inside."""
        offset = (np.asarray(points, np.float32) - self.center) @ self.axes
        return (offset / np.float32(self.size) + 0.5).astype(np.float32)

    def from_crop(self, points: Array) -> Array:
        """Crop coordinates (...,2) -> image points (...,2) px."""
        offset = (np.asarray(points, np.float32) - 0.5) * np.float32(self.size)
        return (offset @ self.axes.T + self.center).astype(np.float32)

    def affine(self, side: int) -> NDArray[np.float64]:
        """(2,3) matrix from image px to px of a side x side raster of the crop, both with the origin at a corner."""
        linear = self.axes.T.astype(np.float64) * (side / self.size)
        return np.column_stack([linear, side / 2.0 - linear @ np.asarray(self.center, np.float64)])

    def corners(self) -> Array:
        """(4,2) image px, clockwise from the crop's top left."""
        return self.from_crop(np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32))

    def scaled(self, factor: float) -> Crop:
        return Crop(self.center, self.size * factor, self.angle)

    def turned(self, angle: float) -> Crop:
        return Crop(self.center, self.size, self.angle + angle)


@dataclass(frozen=True, eq=False)
class Observation:
    """One person in one frame.

    track_id: stable over a clip (index in a photo); status: one of STATUSES; box (4,) x0, y0, x1, y1 image px;
    landmarks_2d (33,2) image px; confidence (33,) in [0,1], visibility times presence, 0 where unknown or outside the
    image; landmarks_z (33,) same px scale as landmarks_2d, relative to the hip centre, away from the camera is
    positive, NaN where unknown; landmarks_world (33,3) metres around the hip centre in camera axes (x right, y down,
    z forward), NaN where unknown; heatmaps (39,64,64) in [0,1] over ``crop`` or None, cell (r, c) stands for crop
    coordinates (c/64, r/64); mask (256,256) in [0,1] over ``crop`` or None, cell (r, c) covers crop coordinates from
    (c/256, r/256) on; quality: mean heatmap peak of the visible landmarks (an honest alarm, method notes 4.3: above
    0.7 good, below 0.5 wrong), mean confidence where the source has no heatmaps; source: ``blazepose``, ``coco17`` or
    ``body25``.
    """

    track_id: int
    status: str
    box: Array
    crop: Crop
    landmarks_2d: Array
    confidence: Array
    landmarks_z: Array
    landmarks_world: Array
    heatmaps: Array | None
    mask: Array | None
    quality: float
    source: str

    @property
    def seen(self) -> bool:
        """Whether this frame holds landmarks to fit; otherwise the caller holds the pose."""
        return self.status in ("ok", "tiny", "truncated")
