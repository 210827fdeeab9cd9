"""Reading one kind of file over all chunks of a take, memory-mapped, a few chunks open at a time."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .take_format import CHUNKS, Shape, chunk_name, damaged, load_array

OPEN_FILES = 16
IntArray = NDArray[np.int64]


class ChunkFiles:
    """The chunk files of a folder. ``n_rows[c]`` is what every row file of chunk c must hold."""

    def __init__(self, folder: Path, n_rows: NDArray[np.int64]) -> None:
        self._folder = folder
        self._n_rows = n_rows
        self._open: OrderedDict[tuple[int, str], NDArray[Any]] = OrderedDict()

    def gather(
        self, name: str, chunks: IntArray, rows: IntArray, columns: tuple[int, int] | None, tail: Shape
    ) -> NDArray[np.float32]:
        """Rows (chunks[i], rows[i]) of the file ``name`` -> (n, *tail) float32, NaN where a chunk is -1 or lacks it.

        columns: the part of the last axis to take, None for all. Errors: ``take.damaged``.
        """
        out = np.full((len(chunks), *tail), np.nan, np.float32)
        order = np.argsort(chunks, kind="stable")
        starts = np.flatnonzero(np.diff(chunks[order], prepend=-2))
        for where in np.split(order, starts[1:]) if len(order) else []:
            number = int(chunks[where[0]])
            if number < 0:
                continue
            stored = self._chunk(number, name)
            if stored is None:
                continue
            part = stored[rows[where]]
            if columns is not None:
                part = part[..., columns[0] : columns[1]]
            try:
                out[where] = part.reshape(len(where), *tail)
            except ValueError as error:
                raise damaged(self._folder, f"chunk {number}, {name}: {error}") from error
        return out

    def has(self, name: str, number: int) -> bool:
        return self._path(number, name).is_file()

    def _path(self, number: int, name: str) -> Path:
        return self._folder / CHUNKS / chunk_name(number) / f"{name}.npy"

    def _chunk(self, number: int, name: str) -> NDArray[Any] | None:
        key = (number, name)
        if key in self._open:
            self._open.move_to_end(key)
            return self._open[key]
        path = self._path(number, name)
        if not path.is_file():
            if name == "rows":
                raise damaged(self._folder, f"{path} is missing")
            return None
        try:
            array = load_array(path, mapped=True)
        except (OSError, ValueError, EOFError) as error:
            raise damaged(self._folder, f"{path}: {error}") from error
        if array.ndim < 2 or len(array) != self._n_rows[number] or array.dtype.kind != "f":
            raise damaged(
                self._folder, f"{path} holds {array.dtype} {array.shape}, expected {self._n_rows[number]} rows"
            )
        self._open[key] = array
        if len(self._open) > OPEN_FILES:
            self._open.popitem(last=False)
        return array


class LazyRows:
    """A (P, F, ...) float32 array that stays on disk; NaN where a person is not there.

    ``rows[person, frames]`` reads one person's frames (an int, a slice or a sequence of positions) and gives
    (n, ...), or (...) for an int; ``numpy.asarray(rows)`` reads all of it.
    """

    def __init__(self, read: Any, n_people: int, n_frames: int, tail: Shape) -> None:
        self._read = read
        self.shape: Shape = (n_people, n_frames, *tail)
        self.dtype = np.dtype(np.float32)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: tuple[int, Any]) -> NDArray[np.float32]:
        person, frames = key
        values = self._read(int(person), frames)
        return values[0] if isinstance(frames, int | np.integer) else values

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        whole = np.empty(self.shape, np.float32)
        for person in range(len(self)):
            whole[person] = self._read(person, slice(None))
        return whole if dtype is None else whole.astype(dtype)
