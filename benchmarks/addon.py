"""From file to scene inside Blender, with the command line's own run of the same footage as the baseline, in one run.

    python benchmarks/addon.py [CLIP] [--frames 120] [--preset default] [--photos 5] [--json FILE]

Needs the project's environment (bpy in-process) and starts a real backend, as the panel does. Video: seconds until the
backend is ready, until the first body is seen, until the last frame has come, until the clip is in the scene, frames a
second from file to scene, and how long the add-on held the main thread at most. Photo: seconds from the click to the
posed body, cold (the backend loads its models) and warm, by stage. Apply: 1,000 frames into the scene in slices, and
how fast it plays. Medians; nothing here passes or fails.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

REPO = Path(__file__).resolve().parents[1]
DEMO = REPO / "assets" / "demo" / "demo.mp4"


def load_addon() -> Any:
    """The checkout's add-on, as Blender would load it."""
    spec = importlib.util.spec_from_file_location("hmdiff_addon_main", REPO / "blender_addon" / "__main__.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if "hmdiff_blender" not in sys.modules:
        module.load_package("hmdiff_blender", REPO / "blender_addon")
    return importlib.import_module("hmdiff_blender")


class Blender:
    """The registered add-on, driven as its timer drives it."""

    def __init__(self, folder: Path) -> None:
        import bpy

        self.addon = load_addon()
        self.session = importlib.import_module("hmdiff_blender.session")
        preferences = importlib.import_module("hmdiff_blender.preferences")
        preferences.user_folder = lambda: folder
        bpy.ops.wm.read_factory_settings(use_empty=True)
        self.addon.register()
        self.ops, self.scene = bpy.ops.hmdiff, bpy.context.scene

    def run(self, begin: Callable[[], object]) -> dict[str, float]:
        """Seconds from ``begin`` until each thing was first seen."""
        seen: dict[str, float] = {}
        began = time.perf_counter()
        begin()

        def note(what: str, true: object) -> None:
            if true and what not in seen:
                seen[what] = time.perf_counter() - began

        while True:
            wait = self.session.pump()
            job, backend = self.session.state().job, self.session.state().backend
            note("backend ready", backend.phase == "ready")
            note("first frame", job.frames)
            note("backend done", job.phase in ("importing", "done"))
            if not job.active:
                break
            time.sleep(wait or 0.0)
        if job.phase != "done":
            raise SystemExit(f"the run failed: {job.problem}")
        note("in the scene", True)
        return seen


def video(blender: Blender, clip: Path, frames: int, preset: str) -> dict[str, float]:
    settings = blender.scene.hmdiff
    settings.filepath, settings.preset = str(clip), preset
    settings.use_range, settings.first, settings.last = True, 1, frames
    blender.ops.start_backend()
    while blender.session.state().backend.phase != "ready":
        blender.session.pump()
        time.sleep(0.01)
    found = blender.run(blender.ops.run)
    longest = blender.session.get().work.longest
    return {**found, "frames a second": frames / found["in the scene"], "longest tick ms": 1e3 * longest["tick"]}


def command_line(clip: Path, frames: int, preset: str, folder: Path) -> float:
    """Seconds of `hmdiff animate` for the same frames: a process that starts, loads, runs and writes its take."""
    words = ["animate", str(clip), "--take", str(folder / "take"), "--range", f"0:{frames}", "--preset", preset]
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "hmdiff.cli", *words, "-o", str(folder / "x.npz")], capture_output=True
    )
    if done.returncode:
        raise SystemExit(done.stderr.decode())
    return time.perf_counter() - began


def photos(blender: Blender, photo: Path, count: int) -> dict[str, list[float]]:
    blender.scene.hmdiff.preset = "preview"
    blender.scene.hmdiff.use_range = False
    found: dict[str, list[float]] = {}
    for _ in range(count):
        for what, seconds in blender.run(lambda: blender.ops.photo(filepath=str(photo))).items():
            found.setdefault(what, []).append(seconds)
    return found


def apply(folder: Path, frames: int) -> dict[str, float]:
    """A walk of the fake backend, put into the scene in slices, then played."""
    import bpy
    from hmdiff.server.contract import JobHooks, JobRequest
    from hmdiff.server.fake import run_job
    from hmdiff_blender.scene.importer import iter_import

    request = JobRequest(
        "apply", "animate", folder, folder / "walk.take", {"fake": {"frames": frames}, "hypotheses": 1}, (), "cpu"
    )
    run_job(request, JobHooks(lambda *_: None, lambda *_: None, lambda: False))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    slices, longest, spent = iter_import(request.take, 1, True, bpy.context.scene), 0.0, 0.0
    began = time.perf_counter()
    while True:
        start = time.perf_counter()
        try:
            step = next(slices)
        except StopIteration:
            break
        finally:
            longest = max(longest, time.perf_counter() - start)
            spent += time.perf_counter() - start
        if step == "wait":
            time.sleep(0.001)
    whole = time.perf_counter() - began
    began = time.perf_counter()
    for frame in range(1, frames + 1):
        bpy.context.scene.frame_set(frame)
    played = frames / (time.perf_counter() - began)
    return {
        "seconds": whole, "main thread seconds": spent, "longest slice ms": 1e3 * longest,
        "evaluated frames a second": played,
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", nargs="?", type=Path, default=DEMO)
    parser.add_argument("--frames", type=int, default=120)
    parser.add_argument("--preset", default="default")
    parser.add_argument("--photos", type=int, default=5)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    from hmdiff.video.source import open_source
    from PIL import Image

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        picture = next(iter(open_source(args.clip, (40, 41))))
        Image.fromarray(np.asarray(picture.image_rgb)).save(folder / "photo.jpg", quality=92)
        blender = Blender(folder)
        found: dict[str, Any] = {}
        cold = photos(blender, folder / "photo.jpg", 1)
        warm = photos(blender, folder / "photo.jpg", args.photos)
        found["photo, cold"] = {what: values[0] for what, values in cold.items()}
        found["photo, warm"] = {what: statistics.median(values) for what, values in warm.items()}
        found["video in Blender"] = video(blender, args.clip, args.frames, args.preset)
        blender.addon.unregister()
        found["video, command line alone"] = {"seconds": command_line(args.clip, args.frames, args.preset, folder)}
        found["apply 1000 frames"] = apply(folder, 1000)
    for title, values in found.items():
        print(title)
        for what, value in values.items():
            print(f"    {what:28s} {value:8.2f}")
    if args.json:
        args.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
