"""Shards on disk: a zip of JPEG pictures and an .npz of truth each, written whole or not at all.

``shard_00007.zip`` holds ``<picture>.jpg``; ``shard_00007.npz`` holds, per picture (R rows), ``picture, scene, view,
frame, clip_time, focal, size (R,2), split``, and per person (N rows) ``row`` (which of the R pictures), ``person`` and
the truth of ``truth.person_truth``. Masks are packed bits of the person's own pixels within ``box_seen``: ``mask_bits``
with ``mask_start`` (N,). All geometry is in camera axes, metres and px.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hmdiff_wire.damaged import DAMAGED_NPZ
from hmdiff_wire.errors import HmdiffError
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Shard:
    """One finished shard. truth: see the module."""

    index: int
    folder: Path
    truth: Arrays

    def people_of(self, row: int) -> NDArray[np.int64]:
        """Rows of the people in picture number ``row`` of this shard."""
        return np.flatnonzero(self.truth["row"] == row)

    def mask(self, person: int) -> NDArray[np.bool_]:
        """(h,w) own pixels of a person, in the picture's size."""
        width, height = self.truth["size"][self.truth["row"][person]]
        whole = np.zeros((height, width), bool)
        box = self.truth["box_seen"][person]
        if np.isfinite(box).all():
            x0, y0, x1, y1 = box.astype(int)
            count = (y1 - y0) * (x1 - x0)
            start = self.truth["mask_start"][person]
            bits = np.unpackbits(self.truth["mask_bits"][start : start + (count + 7) // 8], count=count)
            whole[y0:y1, x0:x1] = bits.reshape(y1 - y0, x1 - x0)
        return whole

    def pictures(self) -> Iterator[bytes]:
        """The JPEG files in the order of the truth's rows."""
        with zipfile.ZipFile(pictures_path(self.folder, self.index)) as archive:
            for number in self.truth["picture"]:
                yield archive.read(f"{number:07d}.jpg")


def truth_path(folder: Path, index: int) -> Path:
    return folder / f"shard_{index:05d}.npz"


def pictures_path(folder: Path, index: int) -> Path:
    return folder / f"shard_{index:05d}.zip"


def finished(folder: Path) -> list[int]:
    """Indices of the shards that are whole: the truth is written last."""
    return sorted(int(path.stem.split("_")[1]) for path in folder.glob("shard_*.npz"))


def write_shard(folder: Path, index: int, pictures: list[tuple[int, bytes]], truth: Arrays) -> None:
    """pictures: numbers and JPEG bytes."""
    blob = io.BytesIO()
    with zipfile.ZipFile(blob, "w") as archive:
        for number, data in pictures:
            # a fixed date, so that the same seed gives the same file
            archive.writestr(zipfile.ZipInfo(f"{number:07d}.jpg"), data)
    write_whole(pictures_path(folder, index), blob.getvalue())
    write_arrays(truth_path(folder, index), truth)


def write_arrays(path: Path, arrays: Arrays) -> None:
    blob = io.BytesIO()
    np.savez_compressed(blob, **arrays)  # pyright: ignore[reportArgumentType]
    write_whole(path, blob.getvalue())


def write_whole(path: Path, data: bytes) -> None:
    """A file that is there completely or not at all."""
    partial = path.with_name(path.name + ".part")
    partial.write_bytes(data)
    partial.replace(path)


def read_arrays(path: Path) -> Arrays:
    """Errors: ``render.damaged``."""
    try:
        with np.load(path, allow_pickle=False) as data:
            return {name: data[name] for name in data.files}
    except DAMAGED_NPZ as error:
        raise HmdiffError(
            "render.damaged", f"{path.name} is not readable.", f"Remove {path} and run the same command again.",
            repr(error),
        ) from error  # fmt: skip


def read_shard(folder: Path, index: int) -> Shard:
    """Errors: ``render.damaged``."""
    return Shard(index, folder, read_arrays(truth_path(folder, index)))


def read_shards(folder: Path) -> Iterator[Shard]:
    """Errors: ``render.not_found``, ``render.damaged``."""
    indices = finished(folder)
    if not indices:
        raise HmdiffError(
            "render.not_found", f"There are no rendered pictures in {folder}.", "Make some with `hmdiff synth render`."
        )
    for index in indices:
        yield read_shard(folder, index)


def pack_mask(mask: NDArray[np.bool_], box: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Bits of mask (h,w) within box (4,) as stored; empty for an empty box."""
    if not np.isfinite(box).all():
        return np.zeros(0, np.uint8)
    x0, y0, x1, y1 = box.astype(int)
    return np.packbits(mask[y0:y1, x0:x1])
