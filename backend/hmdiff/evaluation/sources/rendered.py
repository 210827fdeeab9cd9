"""The rendered people that ship with HMDiff, as the real detector saw them: first single pictures, then clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ...detect.observation import Observation
from ...fitting.camera import focal_pixels
from ...models.inputs import ModelInputs, canonical_crop
from ...models.observe import inputs_from_observations
from ...synthesis.render.packed import BENCH_FILE, PackedPeople, read_packed
from ...synthesis.render.truth import OUTSIDE
from ..examples import Examples, join_examples
from .parts import BodyParts, true_meshes

BATCH = 32
PARTS = ("all", "people", "clips")
Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class RenderedSet:
    """B rendered people who were found. numbers (B,): which of ``packed``'s found people each example is; person (B,):
    one label per person of one recording, the same in all frames of a clip; told_focal (B,) px: what the networks were
    told.
    """

    examples: Examples
    packed: PackedPeople
    numbers: Numbers
    person: Numbers
    told_focal: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.numbers)

    def observations(self, rows: Sequence[int] | Numbers | None = None) -> list[Observation]:
        """What the detector said of these (all) examples, 0.9 MB each: made anew at each call."""
        chosen = self.numbers if rows is None else self.numbers[np.asarray(rows, np.int64)]
        return [self.packed.observation(int(number)) for number in chosen]

    def sequences(self) -> list[Numbers]:
        """Rows of each person of each clip in the order of time; ``examples.frame`` tells which frames are missing."""
        moving = self.examples.frame >= 0
        return [np.flatnonzero(self.person == label) for label in np.unique(self.person[moving])]

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Of the whole file: pictures, people drawn, found and missed (those who count, and harder ones), false
        detections, for ``single_pictures`` and ``clips``.
        """
        return {name: dict(self.packed.card[name]) for name in ("single_pictures", "clips")}


def rendered_examples(parts: BodyParts, limit: int | None = None, path: Path = BENCH_FILE) -> Examples:
    """``rendered_set``'s examples."""
    return rendered_set(parts, limit, path=path).examples


def rendered_set(
    parts: BodyParts,
    limit: int | None = None,
    *,
    which: str = "all",
    hard: bool = False,
    true_focal: bool = False,
    path: Path = BENCH_FILE,
) -> RenderedSet:
    """People who count by the rule in the file's card, and with ``hard`` those who do not.

    which: ``all``, ``people`` (single pictures) or ``clips``. limit: at most so many examples, spread evenly over
    independent people, of whom those in clips give the frame in the middle; for ``clips`` whole sequences, at least
    one. The networks are told the focal length that HMDiff assumes without a user's or the file's (the picture's
    diagonal), or the true one. Pictures are in px. Errors: ``eval.no_data``, ``eval.damaged``.
    """
    if which not in PARTS:
        raise ValueError(f"which must be one of {PARTS}, not {which!r}")
    packed = read_packed(path)
    person = _person_labels(packed)
    kept = np.flatnonzero((~packed.of_found("hard") | hard) & _of_part(packed, which))
    numbers = _limited(kept, person[kept], limit, whole=which == "clips")
    told = _focals(packed, numbers, true_focal)
    made = [
        _examples(parts, packed, numbers[first : first + BATCH], told[first : first + BATCH])
        for first in range(0, len(numbers), BATCH)
    ]
    return RenderedSet(join_examples(made), packed, numbers, person[numbers], told)


def _person_labels(packed: PackedPeople) -> Numbers:
    pairs = np.stack([packed.of_found("clip"), packed.of_found("person")], 1)
    return np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _of_part(packed: PackedPeople, which: str) -> NDArray[np.bool_]:
    single = packed.of_found("single")
    return np.ones_like(single) if which == "all" else single == (which == "people")


def _limited(kept: Numbers, person: Numbers, limit: int | None, whole: bool) -> Numbers:
    """kept (K,) in file order, person (K,) their labels -> those chosen, in file order."""
    if limit is None or limit >= len(kept):
        return kept
    labels = np.unique(person)
    if whole:
        lengths = np.array([np.count_nonzero(person == label) for label in labels])
        # as many whole sequences as surely fit, evenly spread
        count = max(1, int(limit // lengths.max()))
        chosen = labels[_evenly(len(labels), min(count, len(labels)))]
        return kept[np.isin(person, chosen)]
    middle = np.array([members[len(members) // 2] for members in (np.flatnonzero(person == label) for label in labels)])
    if limit <= len(middle):
        return kept[np.sort(middle[_evenly(len(middle), limit)])]
    rest = np.setdiff1d(np.arange(len(kept)), middle)
    return kept[np.sort(np.concatenate([middle, rest[_evenly(len(rest), limit - len(middle))]]))]


def _evenly(count: int, wanted: int) -> Numbers:
    return (np.arange(wanted) * count) // wanted


def _focals(packed: PackedPeople, numbers: Numbers, true_focal: bool) -> NDArray[np.float32]:
    if true_focal:
        return packed.of_found("focal")[numbers]
    sizes = packed.of_found("size")[numbers]
    return np.array([focal_pixels((int(width), int(height)))[0] for width, height in sizes], np.float32)


@torch.no_grad()
def _examples(parts: BodyParts, packed: PackedPeople, numbers: Numbers, told: NDArray[np.float32]) -> Examples:
    def of_people(name: str) -> NDArray[Any]:
        return packed.of_found(name)[numbers]

    observations = [packed.observation(int(number)) for number in numbers]
    focal, principal = of_people("focal"), (of_people("size") / 2).astype(np.float32)
    vertices, joints = parts.body.from_axis_angle(
        *(torch.from_numpy(of_people(n)) for n in ("betas", "pose", "transl"))
    )
    landmarks = torch.from_numpy(parts.maps.landmarks) @ vertices
    pelvis = joints[:, :1]
    flat = (landmarks[..., :2] / landmarks[..., 2:].clamp_min(0.05)).numpy() * focal[:, None, None] + principal[:, None]
    about = (landmarks - pelvis).numpy()
    seen = {name: packed.found[name][numbers] for name in ("landmarks_2d", "confidence", "world", "box")}
    centre, side = canonical_crop(*(torch.from_numpy(seen[name]) for name in ("landmarks_2d", "confidence", "box")))
    hidden = of_people("hidden")
    return Examples(
        inputs=_inputs(observations, told, principal),
        truth=true_meshes(vertices - pelvis, joints - pelvis, about),
        pelvis=pelvis[:, 0].numpy(),
        landmarks=about,
        landmarks_2d=flat.astype(np.float32),
        visible=hidden == 0,
        seen_2d=seen["landmarks_2d"],
        confidence=seen["confidence"],
        world=seen["world"],
        focal=focal,
        principal=principal,
        crop=torch.cat([centre, side[:, None]], 1).numpy(),
        mask=packed.silhouettes("own", numbers),
        people_mask=packed.silhouettes("people", numbers),
        clip=of_people("clip").astype(np.int64),
        frame=of_people("frame").astype(np.int64),
        hidden=(hidden > 0) & ((hidden & OUTSIDE) == 0),
    )


def _inputs(observations: list[Observation], told: NDArray[np.float32], principal: NDArray[np.float32]) -> ModelInputs:
    """As ``inputs_from_observations``, for pictures of different sizes."""
    about_corner = inputs_from_observations(observations, told.tolist(), (0.0, 0.0))
    middle = torch.from_numpy(np.concatenate([principal / told[:, None], np.zeros((len(told), 1), np.float32)], 1))
    return ModelInputs(about_corner.landmarks, about_corner.flags, about_corner.crop - middle, about_corner.grid)
