"""What every test may use. Sample footage and mocap lie beside the checkout and are never part of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy and torch are imported: one test process per core
REPO = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def repo() -> Path:
    return REPO


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder `shared` beside the checkout (samples, mocap); the test is skipped where it is absent."""
    folder = REPO.parent / "shared"
    if not (folder / "samples").is_dir():
        pytest.skip(f"the sample footage is not on this machine ({folder})")
    return folder
