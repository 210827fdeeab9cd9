"""Pickles of results, joblib's too, read without running them (``bodies.unpickle``)."""

from __future__ import annotations

import gzip
import pickle
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from hmdiff_wire.errors import HmdiffError

from ...bodies.unpickle import ArrayReader, Refused, Shell, as_array

LARGEST = 1 << 30
WRAPPER = "joblib.numpy_pickle.NumpyArrayWrapper"


class _JoblibReader(ArrayReader):
    """joblib writes each array's bytes into the stream, after a note of its shape and type."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("joblib.numpy_pickle", "NumpyArrayWrapper"):
            return type(super().find_class("builtins", "object"))(lambda *_: Shell(WRAPPER))
        return super().find_class(module, name)

    def _load_array(self) -> None:
        ArrayReader.dispatch[pickle.BUILD[0]](self)
        made = self.stack[-1]
        if isinstance(made, Shell) and made.kind == WRAPPER:
            self.stack[-1] = self._array(dict(made.state))

    def _array(self, note: dict[str, Any]) -> Any:
        kind = note["dtype"]
        probe = Shell("array")
        probe.state = (1, (0,), kind, False, b"")
        dtype = as_array(probe).dtype  # refuses what is no number
        shape = tuple(int(one) for one in note["shape"])
        count = int(np.prod(shape, dtype=np.int64))
        if note.get("numpy_array_alignment_bytes") is not None:
            self.read(int.from_bytes(self.read(1), "little"))
        if not 0 <= count * dtype.itemsize <= LARGEST:
            raise ValueError(f"an array of shape {shape}")
        raw = self.read(count * dtype.itemsize)
        return np.frombuffer(raw, dtype).reshape(shape, order="F" if note.get("order") == "F" else "C").copy()

    dispatch = {**ArrayReader.dispatch, pickle.BUILD[0]: _load_array}


def read_result(path: Path) -> Any:
    """What a ``.pkl`` of results holds: containers, numbers and arrays (see ``plain``).

    Errors: ``outside.unreadable``, ``outside.refused``.
    """
    try:
        data = path.read_bytes()
        if data[:1] == b"\x78":
            data = zlib.decompressobj().decompress(data, LARGEST)
        elif data[:2] == b"\x1f\x8b":
            with gzip.open(path) as file:
                data = file.read(LARGEST)
        return plain(_JoblibReader(data).load())
    except Refused as error:
        raise HmdiffError(
            "outside.refused", f"{path.name} asks this program to run {error}, so it was not opened.",
            "Save the result as .npz, or as a pickle of arrays and nothing else.",
        ) from error  # fmt: skip
    except Exception as error:  # a damaged pickle fails in any way Python knows
        raise HmdiffError(
            "outside.unreadable", f"{path.name} cannot be read as a result.",
            "Name the .pkl or .npz that the other program wrote.", repr(error),
        ) from error  # fmt: skip


def plain(value: Any, depth: int = 0) -> Any:
    """Containers with arrays in place of shells."""
    if depth > 12:
        raise ValueError("nested too deeply")
    if isinstance(value, Shell):
        return as_array(value)
    if isinstance(value, dict):
        return {key: plain(one, depth + 1) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one, depth + 1) for one in value]
    return value
