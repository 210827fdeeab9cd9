"""Whatever bits of an .npz are flipped: what comes is one of the errors that readers turn into a sentence."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hmdiff_wire.damaged import DAMAGED_NPZ


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
@pytest.mark.filterwarnings("ignore")  # zipfile on sizes and dates that make no sense
def test_flipped_bits_and_cut_files(write: Callable[..., None], tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    write(file, a=np.arange(300.0), b=np.zeros((4, 5), np.float32), name=np.array("free"))
    whole, draw, raised = file.read_bytes(), random.Random(7), set()
    for _ in range(800):
        damaged = bytearray(whole)
        for _ in range(draw.choice((1, 2, 5, 40))):
            damaged[draw.randrange(len(damaged))] ^= draw.randrange(1, 256)
        file.write_bytes(damaged[: draw.randrange(len(damaged))] if draw.random() < 0.1 else damaged)
        try:
            with np.load(file, allow_pickle=False) as data:
                assert all(isinstance(data[name], np.ndarray) for name in data.files)
        except DAMAGED_NPZ as error:
            raised.add(type(error).__name__)
    assert {"BadZipFile", "NotImplementedError"} <= raised
