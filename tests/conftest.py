"""What every test may use. Sample footage and mocap lie beside the checkout and are never part of it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before numpy and torch are imported: one test process per core
REPO = Path(__file__).resolve().parent.parent


ENDED = pytest.StashKey[int]()


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    session.config.stash[ENDED] = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """bpy as a module may wait forever in its own tear-down (4.5 after Rigify, measured) or crash there (4.2 after a
    glTF export), when all is said. xdist ends its workers itself."""
    if "bpy" in sys.modules and ENDED in config.stash and not hasattr(config, "workerinput"):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(config.stash[ENDED])


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
