"""The add-on in a Blender without a window, against the fake backend: `pump` does what the timer does."""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

REPO = Path(__file__).resolve().parents[2]
PATIENCE_S = 60
BACKEND_PYTHON = os.environ.get("HMDIFF_BACKEND_PYTHON", sys.executable)
"""A Python that has the backend; the Blender under test may be another one."""


def load_checkout() -> None:
    spec = importlib.util.spec_from_file_location("hmdiff_addon_main", REPO / "blender_addon" / "__main__.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if "hmdiff_blender" not in sys.modules:
        module.load_package("hmdiff_blender", REPO / "blender_addon")


for place in (REPO / "shared", Path(__file__).parent):
    if str(place) not in sys.path:
        sys.path.insert(0, str(place))
load_checkout()
if importlib.util.find_spec("bpy") is None or importlib.util.find_spec("zmq") is None:
    collect_ignore_glob = ["test_*.py"]


class Addon:
    """The registered add-on of one test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clip = folder / "walk.mp4"
        self.clip.write_bytes(b"the fake does not look into it")
        self.photo = folder / "photo.jpg"
        self.photo.write_bytes(b"nor into this")

    @property
    def session(self) -> Any:
        from hmdiff_blender import session

        return session

    @property
    def job(self) -> Any:
        return self.session.state().job

    def pump(self, until: Callable[[], Any], seconds: float = PATIENCE_S) -> None:
        """Tick as the timer would, until it is true."""
        end = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < end, f"it never came true; {self.session.state()}"
            wait = self.session.pump()
            time.sleep(0.02 if wait is None else min(wait, 0.02))

    def run(self, **settings: Any) -> None:
        import bpy

        chosen = bpy.context.scene.hmdiff
        chosen.filepath = str(self.clip)
        for name, value in settings.items():
            setattr(chosen, name, value)
        assert bpy.ops.hmdiff.run() == {"FINISHED"}

    def finished(self) -> None:
        self.pump(lambda: self.job is not None and not self.job.active)

    def settled(self) -> None:
        """What a button began is done."""
        self.pump(lambda: not self.session.get().work.busy)


@pytest.fixture
def addon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Addon]]:
    """addon("--frames", "40", ...) -> Addon, registered in an empty file; the words are the fake's knobs."""
    import bpy
    import hmdiff_blender
    from hmdiff_blender import preferences, session, surroundings

    monkeypatch.setattr(preferences, "user_folder", lambda: tmp_path / "user")
    monkeypatch.setattr(
        surroundings, "find_command", lambda: [BACKEND_PYTHON, str(Path(__file__).with_name("fake_backend.py"))]
    )
    places = os.pathsep.join([str(REPO / "backend"), str(REPO / "shared")])
    original = session.Session.__init__

    def begin(self: Any) -> None:
        original(self)
        self.engine._environ = {"PYTHONPATH": places, "FAKE_KNOBS": os.environ["FAKE_KNOBS"]}

    monkeypatch.setattr(session.Session, "__init__", begin)

    def make(*knobs: str) -> Addon:
        monkeypatch.setenv("FAKE_KNOBS", json.dumps(list(knobs)))
        bpy.ops.wm.read_factory_settings(use_empty=True)
        bpy.ops.ed.undo_push(message="the artist's file")
        (tmp_path / "user").mkdir(exist_ok=True)
        return Addon(tmp_path)

    hmdiff_blender.register()
    yield make
    hmdiff_blender.unregister()


@pytest.fixture
def finished_clip(addon: Callable[..., Addon]) -> Addon:
    """A clip of 30 frames that has run to its end, in a scene at its own rate from frame 1."""
    import bpy

    here = addon("--frames", "30")
    scene = bpy.context.scene
    scene.render.fps, scene.render.fps_base, scene.frame_start = 30, 1.0, 1
    here.run()
    here.finished()
    return here
