"""The shipped form of rendered people: what the detector said and the truth, without the pictures, in one .npz.

N people: ``clip`` (N) which recording, ``single`` (N) whether that is one picture, ``frame, time`` (s) within it,
``person``; ``focal`` px, ``size`` (N,2) px; ``betas`` (N,10), ``pose`` (N,72), ``transl`` (N,3) of the free body in
camera axes; ``hidden`` (N,33) bits of ``truth``; ``seen_share`` (N) of the body's outline; ``hard`` (N): by the rule of
the card the person does not count; ``status`` (N) index into STATUSES. The M <= N who were found, ``row`` (M) into N,
with what Observation has: ``track, landmarks_2d, confidence, world, box, crop`` (centre, side, angle) ``, quality``;
``heatmaps`` (M,15,64,64) of HEATMAP_SLOTS, ``peak, peak_cell`` (M,18) of the other landmarks' heatmaps; ``mask``
(M,128,128); heatmaps and masks are bytes, 255 is one. ``own, people`` (M,2048): bits of the true silhouettes, the
person's and everybody's, 128 x 128 over the canonical crop.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hmdiff_wire.damaged import DAMAGED_NPZ
from hmdiff_wire.errors import HmdiffError
from numpy.typing import NDArray

from ...bodies.model import FREE_BODY
from ...detect.observation import STATUSES, Crop, Observation
from ...models.inputs import HEATMAP_SLOTS
from .shards import Arrays, write_whole

BENCH_FILE = FREE_BODY.with_name("bench_rendered.npz")
FORMAT = 1
MASK = 128
OTHER_SLOTS = tuple(slot for slot in range(33) if slot not in HEATMAP_SLOTS)
"""Landmarks of whose heatmaps only the peak is kept: the networks look at no more."""
PEOPLE_SHAPES: dict[str, tuple[int, ...]] = {
    "clip": (), "single": (), "frame": (), "time": (), "person": (), "focal": (), "size": (2,), "betas": (10,),
    "pose": (72,), "transl": (3,), "hidden": (33,), "seen_share": (), "hard": (), "status": (),
}  # fmt: skip
FOUND_SHAPES: dict[str, tuple[int, ...]] = {
    "row": (), "track": (), "landmarks_2d": (33, 2), "confidence": (33,), "world": (33, 3), "box": (4,), "crop": (4,),
    "quality": (), "heatmaps": (len(HEATMAP_SLOTS), 64, 64), "peak": (len(OTHER_SLOTS),),
    "peak_cell": (len(OTHER_SLOTS),), "mask": (MASK, MASK), "own": (MASK * MASK // 8,), "people": (MASK * MASK // 8,),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class PackedPeople:
    """people: the arrays of N rows, found: those of M rows (see the module); card: how they were made and counts."""

    people: Arrays
    found: Arrays
    card: dict[str, Any]

    def of_found(self, name: str) -> NDArray[Any]:
        """A column of ``people`` for the M who were found."""
        return self.people[name][self.found["row"]]

    def observation(self, number: int) -> Observation:
        """What the detector said of found person ``number``; its z, which nothing reads, is not kept."""
        found = self.found
        heatmaps = np.zeros((39, 64 * 64), np.float32)
        heatmaps[list(HEATMAP_SLOTS)] = found["heatmaps"][number].reshape(len(HEATMAP_SLOTS), -1) / np.float32(255)
        heatmaps[list(OTHER_SLOTS), found["peak_cell"][number]] = found["peak"][number] / np.float32(255)
        crop = found["crop"][number]
        return Observation(
            track_id=int(found["track"][number]),
            status=STATUSES[self.people["status"][found["row"][number]]],
            box=found["box"][number],
            crop=Crop(crop[:2], float(crop[2]), float(crop[3])),
            landmarks_2d=found["landmarks_2d"][number],
            confidence=found["confidence"][number],
            landmarks_z=np.full(33, np.nan, np.float32),
            landmarks_world=found["world"][number],
            heatmaps=heatmaps.reshape(39, 64, 64),
            mask=found["mask"][number].repeat(2, 0).repeat(2, 1) / np.float32(255),
            quality=float(found["quality"][number]),
            source="blazepose",
        )

    def silhouettes(self, name: str, numbers: NDArray[np.int64]) -> NDArray[np.bool_]:
        """name ``own`` or ``people``, found people ``numbers`` (B,) -> (B,128,128)."""
        bits = np.unpackbits(self.found[name][numbers], axis=1)
        return bits.reshape(-1, MASK, MASK).astype(bool)


def write_packed(path: Path, packed: PackedPeople) -> None:
    """The same people give the same file. bzip2 takes a quarter less for these rasters than .npz's usual deflate."""
    arrays = {**packed.people, **packed.found, "format": np.array(FORMAT), "card": np.array(json.dumps(packed.card))}
    blob = io.BytesIO()
    with zipfile.ZipFile(blob, "w") as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, array, allow_pickle=False)
            # ZipInfo has a fixed date
            archive.writestr(zipfile.ZipInfo(f"{name}.npy"), member.getvalue(), zipfile.ZIP_BZIP2, 9)
    write_whole(path, blob.getvalue())


def read_packed(path: Path = BENCH_FILE) -> PackedPeople:
    """Errors: ``eval.no_data``, ``eval.damaged``."""
    if not path.is_file():
        raise HmdiffError(
            "eval.no_data", f"The rendered people to measure on are not at {path}.",
            "Install HMDiff again, or make them with `hmdiff synth pack`.",
        )  # fmt: skip
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
            arrays = {name: data[name] for name in data.files}
        if int(arrays["format"]) != FORMAT:
            raise ValueError(f"format {arrays['format']}")
        card = json.loads(str(arrays["card"]))
        people = {name: arrays[name] for name in PEOPLE_SHAPES}
        found = {name: arrays[name] for name in FOUND_SHAPES}
        _check(people, PEOPLE_SHAPES, len(people["clip"]))
        _check(found, FOUND_SHAPES, len(found["row"]))
        _check_places(people, found)
        if not isinstance(card, dict):
            raise ValueError("no card")
    except DAMAGED_NPZ as error:
        raise HmdiffError(
            "eval.damaged", f"The rendered people in {path.name} are not readable.",
            "Install HMDiff again, or make them anew with `hmdiff synth pack`.", f"{path}: {error!r}",
        ) from error  # fmt: skip
    return PackedPeople(people, found, card)


def _check(arrays: Arrays, shapes: dict[str, tuple[int, ...]], count: int) -> None:
    for name, shape in shapes.items():
        if arrays[name].shape != (count, *shape):
            raise ValueError(f"{name} has the shape {arrays[name].shape}, not {(count, *shape)}")
        if arrays[name].dtype.kind == "f" and name != "world" and not np.isfinite(arrays[name]).all():
            raise ValueError(f"{name} is not finite")


def _check_places(people: Arrays, found: Arrays) -> None:
    row, cell, status = found["row"], found["peak_cell"], people["status"]
    if len(np.unique(row)) < len(row) or (row < 0).any() or (row >= len(status)).any():
        raise ValueError("row names no person, or one twice")
    if (cell >= 64 * 64).any() or (status >= len(STATUSES)).any() or (found["crop"][:, 2] <= 0).any():
        raise ValueError("peak_cell, status or crop is out of range")
