"""The real thing: the shipped clip, the shipped weights, the real detector."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CLIP = ROOT / "assets" / "demo" / "demo.mp4"
TRUTH = ROOT / "assets" / "demo" / "demo_truth.npz"


@pytest.fixture(scope="session")
def clip() -> Path:
    return CLIP


@pytest.fixture(scope="session")
def truth() -> Path:
    return TRUTH


@pytest.fixture(scope="session")
def short_take(tmp_path_factory: pytest.TempPathFactory, clip: Path) -> Path:
    """Twelve frames of the clip, three hypotheses."""
    from hmdiff.video.animate import run
    from hmdiff.video.options import RunOptions

    folder = tmp_path_factory.mktemp("short") / "take"
    run(clip, RunOptions(hypotheses=3, steps=4, frame_range=(30, 42)), folder)
    return folder
