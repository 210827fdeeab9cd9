"""Photos with labelled keypoints: is everybody found, and how far off are the reprojected bodies in the picture?"""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hmdiff_wire.take import Take, read_take
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ...bodies.joint_maps import read_landmark_regressor
from ...detect.observation import COCO17_TO_BLAZEPOSE
from ...video.animate import run
from ...video.options import RunOptions
from .. import metrics
from ..score import Tally
from ..settings import OnProgress, Result, must_have

Array = NDArray[np.float64]
ENOUGH = 6
"""A person with fewer labelled keypoints is neither matched nor missed."""
SAME_PERSON = 25.0
"""Detected keypoints further off than this on average, in % of the person's box, belong to somebody else."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """keypoints (17,2) px in COCO's order, known (17,) bool, side: longer side of the box, px."""

    keypoints: Array
    known: NDArray[np.bool_]
    side: float


def measure_photos(folder: Path, options: RunOptions, limit: int | None, on_progress: OnProgress) -> Result:
    """folder: the samples. Figures are over labelled people that were found, in % of the longer side of their box.

    Errors: ``eval.no_data``, those of the pipeline.
    """
    files = sorted(must_have(folder / "truth", "the keypoints of the sample photos").glob("*.json"))[:limit]
    tally, photos = Tally(), {}
    n_labelled = n_found = n_matched = 0
    for number, file in enumerate(files, start=1):
        people = read_people(file)
        with tempfile.TemporaryDirectory(prefix="hmdiff-eval-") as temporary:
            run(folder / "images" / f"{file.stem}.jpg", options, Path(temporary) / "take")
            take = read_take(Path(temporary) / "take")
            pairs = match(people, detected_keypoints(take))
            for truth, person in pairs:
                add_person(tally, people[truth], take, person)
        counts = {"people_labelled": len(people), "people_found": take.n_people, "people_matched": len(pairs)}
        photos[file.stem] = counts
        n_labelled, n_found, n_matched = n_labelled + len(people), n_found + take.n_people, n_matched + len(pairs)
        on_progress("photos", number, len(files))
    blocks = tally.blocks(np.arange(n_matched)) if n_matched else {}
    return {
        **blocks, "n_photos": len(files), "people_labelled": n_labelled, "people_found": n_found,
        "people_matched": n_matched, "each": photos,
        "joints": "labelled ones of COCO's 17; the body's are read where the detector means them",
        "note": f"people with fewer than {ENOUGH} labelled keypoints are left out of people_labelled",
    }  # fmt: skip


def read_people(path: Path) -> list[Labelled]:
    """Those with enough labelled keypoints."""
    people = []
    for person in json.loads(path.read_text(encoding="utf-8"))["persons"]:
        rows = np.array(person["keypoints_2d"], np.float64)
        known = rows[:, 2] > 0
        if known.sum() >= ENOUGH:
            people.append(Labelled(rows[:, :2], known, float(max(person["bbox_xywh"][2:]))))
    return people


def detected_keypoints(take: Take) -> Array:
    """(P,17,2) px as the detector saw them in a photo's only frame."""
    return take.landmarks_2d[:, 0, list(COCO17_TO_BLAZEPOSE), :2].astype(np.float64)


def error_percent(points: Array, truth: Labelled) -> Array:
    """points (...,17,2) px -> mean distance over the labelled keypoints (...), % of the box's longer side."""
    in_crop = metrics.keypoint_error_2d(points, truth.keypoints, truth.known, truth.side)
    return in_crop * (100.0 / metrics.image.CROP_PX)


def match(people: list[Labelled], found: Array) -> list[tuple[int, int]]:
    """Pairs (labelled, found) with the least error in sum; those too far apart to be one person are dropped."""
    if not people or not len(found):
        return []
    cost = np.array([error_percent(found, person) for person in people])
    pairs = zip(*linear_sum_assignment(np.minimum(cost, 10 * SAME_PERSON)), strict=True)
    return [(int(row), int(column)) for row, column in pairs if cost[row, column] < SAME_PERSON]


def add_person(tally: Tally, truth: Labelled, take: Take, person: int) -> None:
    def reproject(hypothesis: int | None) -> Array:
        return reprojected(take, take.decode(person, [0], hypothesis)[0])

    def add(method: str, error: Any) -> None:
        tally.add(method, {"error_2d_percent": np.atleast_1d(error)})

    add("estimate", error_percent(reproject(None), truth))
    add("best_of_n", min(error_percent(reproject(k), truth) for k in range(take.n_hypotheses)))
    add("detector_2d", error_percent(detected_keypoints(take)[person], truth))


def reprojected(take: Take, vertices: NDArray[Any]) -> Array:
    """vertices (V,3) metres in camera axes -> COCO's 17 (17,2) px."""
    points = (read_landmark_regressor(take.body) @ vertices)[list(COCO17_TO_BLAZEPOSE)].astype(np.float64)
    return points[:, :2] / points[:, 2:] * float(take.focal[0]) + np.array(take.center)
