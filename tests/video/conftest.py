from __future__ import annotations

import importlib.util
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

_spec = importlib.util.spec_from_file_location("take_maker", Path(__file__).parents[1] / "wire" / "take_maker.py")
assert _spec and _spec.loader
take_maker = importlib.util.module_from_spec(_spec)
sys.modules.setdefault("take_maker", take_maker)
_spec.loader.exec_module(take_maker)

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def free_body() -> Path:
    return ROOT / "backend" / "hmdiff" / "data" / "body.npz"


@pytest.fixture(scope="session")
def small_body(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return take_maker.small_body(tmp_path_factory.mktemp("body") / "body.npz")


@pytest.fixture(scope="session")
def sample_videos() -> list[Path]:
    found = sorted((ROOT.parent / "shared" / "samples" / "videos").rglob("*.mp4"))
    if not found:
        pytest.skip("no ../shared/samples/videos beside this checkout")
    return found


def picture(index: int, width: int, height: int) -> np.ndarray:
    """Dark grey, the top left quarter bright red, and brightness counting the frames along the bottom rows."""
    image = np.full((height, width, 3), 40, np.uint8)
    image[: height // 2, : width // 2] = (230, 30, 30)
    image[-height // 4 :] = 20 + 8 * (index % 25)
    return image


@pytest.fixture
def make_clip():
    """make_clip(path, times, size=(w, h), rotation=0, gop=12, metadata=None, options=None) writes a real H.264 clip."""

    def make(
        path, times, size=(64, 48), rotation=0, gop=12, metadata=None, options=None, aspect=None, offset=0.0
    ) -> Path:
        width, height = size
        with av.open(str(path), "w", options=options or {}) as container:
            container.metadata.update(metadata or {})
            stream = container.add_stream("libx264", rate=30)
            stream.width, stream.height = width, height
            stream.pix_fmt = "yuv420p" if width % 2 == height % 2 == 0 else "yuv444p"
            stream.codec_context.time_base = Fraction(1, 90000)
            stream.codec_context.gop_size = gop
            if aspect:
                stream.codec_context.sample_aspect_ratio = aspect
            if rotation:
                stream.set_display_rotation(rotation)
            for index, time in enumerate(times):
                frame = av.VideoFrame.from_ndarray(picture(index, width, height), "rgb24")
                frame.pts, frame.time_base = round((time + offset) * 90000), Fraction(1, 90000)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return Path(path)

    return make
