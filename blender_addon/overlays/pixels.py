"""Pixels of the footage <-> pixels of a 3D view that looks through the clip's camera; numpy only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class Look:
    """How a region looks at the footage. camera (4,4): to the world; perspective (4,4): world to the region's clip
    space; region: its width and height in pixels; size: of the upright picture; focal: pixels."""

    camera: Array
    perspective: Array
    region: tuple[int, int]
    size: tuple[int, int]
    focal: float

    def to_region(self, points: Array) -> Array:
        """points (n,2) px of the picture -> (n,2) px of the region, from its lower left corner."""
        x, y = (np.asarray(points, np.float64) - np.array(self.size) / 2).T / self.focal
        rays = np.stack([x, -y, -np.ones_like(x), np.ones_like(x)])
        clip = self.perspective @ self.camera @ rays
        return ((clip[:2] / clip[3] + 1) / 2 * np.array(self.region)[:, None]).T

    def to_picture(self, point: tuple[float, float]) -> tuple[float, float]:
        """The other way, for one point."""
        x, y = (2 * np.asarray(point, np.float64) / np.array(self.region) - 1).tolist()
        world = np.linalg.inv(self.perspective) @ np.array([x, y, 0.5, 1.0])
        local = np.linalg.inv(self.camera) @ (world / world[3])
        across, down = local[0] / -local[2], -local[1] / -local[2]
        return self.size[0] / 2 + self.focal * across, self.size[1] / 2 + self.focal * down


def look_of(camera: Any, region: Any, region_3d: Any, size: tuple[int, int], focal: float) -> Look:
    return Look(
        np.array(camera.matrix_world), np.array(region_3d.perspective_matrix), (region.width, region.height), size,
        focal,
    )  # fmt: skip
