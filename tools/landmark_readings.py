"""The landmark network's readings of pictures whose truth is known (``render_people``)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from hmdiff.detect.landmarks import LandmarkModel, Reading
from hmdiff.detect.observation import N_LANDMARKS, Crop
from hmdiff_wire.body import BodyData, skin
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Sample:
    """One reading of one picture. vertices (V,3) and focal px: truth in the camera; middle (2,) px: principal point."""

    picture: int
    vertices: NDArray[np.float32]
    focal: float
    middle: Floats
    reading: Reading

    @property
    def points(self) -> Floats:
        return self.reading.image_points[:N_LANDMARKS].astype(float)

    @property
    def confidence(self) -> Floats:
        return self.reading.confidence[:N_LANDMARKS].astype(float)

    @property
    def scale(self) -> float:
        """256-px crop pixels per image pixel."""
        return 256.0 / self.reading.crop.size

    def project(self, points: Floats) -> Floats:
        """(...,3) camera metres -> (...,2) image px."""
        return points[..., :2] / points[..., 2:] * self.focal + self.middle


def read_pictures(folder: Path, body: BodyData, seed: int = 0) -> list[Sample]:
    """Each picture is read twice: on an upright square 1.25 to 1.35 times the body's box, and on the square that
    reading asks for next, as the tracker would cut it. Readings without a person (flag < 0.5) are left out."""
    rng = np.random.default_rng(seed)
    network = LandmarkModel(num_threads=1)
    with np.load(folder / "truth.npz", allow_pickle=False) as stored:
        truth = {name: stored[name] for name in stored.files}
    middle = truth["size"].astype(float) / 2
    samples: list[Sample] = []
    for index in range(len(truth["pose"])):
        image = cv2.cvtColor(cv2.imread(str(folder / f"{index:03d}.png")), cv2.COLOR_BGR2RGB)
        vertices = skin(
            body, truth["betas"][index], truth["pose"][index : index + 1], truth["transl"][index : index + 1]
        )[0][0]
        focal = float(truth["focal"][index])
        flat = vertices[:, :2] / vertices[:, 2:] * focal + middle
        low, high = flat.min(0), flat.max(0)
        side = float((high - low).max() * rng.uniform(1.25, 1.35))
        centre = (low + high) / 2 + rng.normal(size=2) * 0.02 * side
        first = network.read(image, Crop(centre.astype(np.float32), side))
        for reading in (first, network.read(image, first.next_crop)):
            if reading.flag > 0.5:
                samples.append(Sample(index, vertices, focal, middle, reading))
    return samples
