"""What the window scripts share: steps one after the other in the real event loop, pictures, clicks, measured pauses.

A script is a generator function. It yields seconds to wait, or a function that is asked again and again until it is
true; in between Blender runs as it does for an artist. The result is written to result.json.
"""

from __future__ import annotations

import json
import subprocess
import time
import traceback
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import bpy

HERE = Path("/tmp/hmdiff-window")
CHECKOUT = Path((HERE / "checkout").read_text().strip())
CLIP = CHECKOUT / "assets" / "demo" / "demo.mp4"
PATIENCE_S = 200
Script = Generator[float | Callable[[], bool], None, None]


class Failed(Exception):
    """What was expected and did not happen."""


def run(script: Callable[[dict[str, Any]], Script]) -> None:
    """Drive ``script`` from a timer; it may write what it measured into the dict it is given."""
    found: dict[str, Any] = {"ok": False}
    steps = script(found)
    waiting: list[Any] = [None, 0.0]

    def finish() -> None:
        (HERE / "result.json").write_text(json.dumps(found, indent=1, default=str))
        Path("/tmp/shoot").touch()

    def step() -> float | None:
        try:
            condition, until = waiting
            if condition is not None:
                if not condition():
                    if time.monotonic() > until:
                        raise Failed(f"never came true: {condition.__name__}")
                    return 0.1
                waiting[0] = None
            wanted = next(steps)
            if callable(wanted):
                waiting[:] = [wanted, time.monotonic() + PATIENCE_S]
                return 0.1
            return max(0.05, float(wanted))
        except StopIteration:
            found["ok"] = True
        except Exception:
            found["error"] = traceback.format_exc()
            picture("error")
        finish()
        return None

    bpy.app.timers.register(step, first_interval=2.0, persistent=True)


def picture(name: str) -> None:
    """The whole screen as an artist sees it."""
    subprocess.run(["import", "-window", "root", str(HERE / f"{name}.png")], check=True)


def click(x: int, y: int) -> None:
    """A real click; x, y from the window's lower left corner, as Blender counts."""
    window = bpy.context.window_manager.windows[0]
    subprocess.Popen(["xdotool", "mousemove", str(window.x + x), str(1000 - window.y - y), "click", "1"])


def expect(true: Any, what: str) -> None:
    if not true:
        raise Failed(what)


def install() -> Any:
    """Install the zip as Preferences > Get Extensions > Install from Disk does; the add-on's package."""
    import sys

    bpy.ops.extensions.package_install_files(
        filepath=str(HERE / "hmdiff.zip"), repo="user_default", enable_on_install=True
    )
    package = "bl_ext.user_default.hmdiff"
    expect(package in bpy.context.preferences.addons, "the extension is installed and enabled")
    chosen = HERE / "backend"
    backend = chosen.read_text().strip() if chosen.is_file() else str(CHECKOUT / ".venv/bin/python")
    bpy.context.preferences.addons[package].preferences.backend = backend
    return sys.modules[package]


def module(name: str) -> Any:
    import importlib

    return importlib.import_module(f"bl_ext.user_default.hmdiff.{name}")


def view() -> tuple[Any, Any]:
    """The 3D view's area and its sidebar region."""
    area = next(a for a in bpy.context.window_manager.windows[0].screen.areas if a.type == "VIEW_3D")
    return area, next(region for region in area.regions if region.type == "UI")


def open_tab() -> Script:
    """The sidebar with our tab; Blender knows the tabs only once it has drawn them."""
    area, region = view()
    area.spaces.active.show_region_ui = True
    yield 1.0
    region.active_panel_category = "HMDiff"
    area.tag_redraw()
    yield 1.0


def begin() -> Script:
    """The add-on installed in an empty scene, its tab open."""
    install()
    bpy.data.objects.remove(bpy.data.objects["Cube"])
    bpy.ops.ed.undo_push(message="delete the cube")
    yield 1.0
    yield from open_tab()


def run_part(first: int, last: int) -> Script:
    """These frames of the clip that ships, run to their end and looked at through their camera."""
    session, settings = module("session"), bpy.context.scene.hmdiff
    bpy.context.scene.render.fps = 30
    settings.filepath = str(CLIP)
    settings.use_range, settings.first, settings.last = True, first, last
    act(bpy.ops.hmdiff.run)
    yield lambda: session.state().active_job is None and session.state().job is not None
    expect(session.state().job.phase == "done", f"the run ends well: {session.state().job}")
    act(bpy.ops.hmdiff.match_scene)
    act(bpy.ops.hmdiff.look_through_camera)


def act(operator: Any, **words: Any) -> None:
    """Call an operator as a button of the 3D view does."""
    area, _ = view()
    window_region = next(region for region in area.regions if region.type == "WINDOW")
    with bpy.context.temp_override(
        window=bpy.context.window_manager.windows[0], area=area, region=window_region, space_data=area.spaces.active
    ):
        operator("EXEC_DEFAULT", **words)


class Pauses:
    """How long the main thread is away: a timer that wants to run every millisecond notes its longest gap, handlers how
    long Blender's evaluation of the scene takes in it. The gaps hold the drawing too, which has no graphics card here.
    """

    def __init__(self) -> None:
        self.gaps: list[float] = []
        self.evaluations: list[float] = []
        self._last = self._began = 0.0
        self._on = False

    def start(self) -> None:
        self.gaps, self.evaluations, self._last, self._on = [], [0.0], time.perf_counter(), True
        bpy.app.handlers.depsgraph_update_pre.append(self._before)
        bpy.app.handlers.depsgraph_update_post.append(self._after)
        bpy.app.timers.register(self._look, first_interval=0.001, persistent=True)

    def stop(self) -> dict[str, float]:
        """Milliseconds: the longest gap, and what 99 of 100 stay below."""
        self._on = False
        bpy.app.handlers.depsgraph_update_pre.remove(self._before)
        bpy.app.handlers.depsgraph_update_post.remove(self._after)
        ordered = sorted(self.gaps)
        middle, high = ordered[len(ordered) // 2], ordered[int(0.99 * len(ordered))]
        found = {"longest_gap": ordered[-1], "p99_gap": high, "median_gap": middle, "evaluation": max(self.evaluations)}
        return {f"{name}_ms": round(1e3 * value, 1) for name, value in found.items()}

    def _before(self, *_: Any) -> None:
        self._began = time.perf_counter()

    def _after(self, *_: Any) -> None:
        self.evaluations.append(time.perf_counter() - self._began)

    def _look(self) -> float | None:
        now = time.perf_counter()
        self.gaps.append(now - self._last)
        self._last = now
        return 0.001 if self._on else None
