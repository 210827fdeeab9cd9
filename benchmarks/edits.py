"""What working on a clip costs inside Blender: each act on 1,000 frames, and corrections with the real backend.

    python benchmarks/edits.py [--frames 1000] [--take FOLDER] [--corrections 5] [--json FILE]

Acts: seconds until all frames follow, and the longest time the main thread is held at once. Corrections, where a take
is given: seconds from letting a joint go to the body in the scene, the first (the backend starts) and the median of
the others. Nothing here passes or fails.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from addon import Blender, load_addon


def acts(folder: Path, frames: int) -> dict[str, dict[str, float]]:
    """A walk of the fake backend, edited in slices as the timer does it."""
    load_addon()
    import bpy
    from hmdiff.server.contract import JobHooks, JobRequest
    from hmdiff.server.fake import run_job
    from hmdiff_blender.edits.record import Edits, PersonEdits, Pick
    from hmdiff_blender.scene import naming
    from hmdiff_blender.scene.importer import iter_import
    from hmdiff_blender.scene.replay import iter_replay
    from hmdiff_blender.scene.spread_paint import paint

    request = JobRequest(
        "acts", "animate", folder, folder / "walk.take", {"fake": {"frames": frames}, "hypotheses": 3}, (), "cpu"
    )
    run_job(request, JobHooks(lambda *_: None, lambda *_: None, lambda: False))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    finish(iter_import(request.take, 1, True, bpy.context.scene))
    root = naming.find("clip")[0]
    picked = Edits().picked(0, Pick(frames // 2, frames // 2 + 10, 1, 5))
    shaped = PersonEdits(picked.of(0).picks, (), (1.0,) * 10)
    steps = {
        "use a hypothesis in 11 frames": picked,
        "smooth the whole clip": replace(picked, smooth=0.1),
        "foot lock and floor": replace(picked, smooth=0.1, feet=1.0, floor=1.0),
        "another body shape": replace(picked, smooth=0.1, feet=1.0, floor=1.0, people={0: shaped}),
        "back to the start": Edits(),
    }
    found = {name: finish(iter_replay(root, edits)) for name, edits in steps.items()}
    spent = []
    for frame in range(1, min(frames, 200)):
        began = time.perf_counter()
        paint(root, frame, 100.0)
        spent.append(time.perf_counter() - began)
    found["paint the doubt of a frame"] = {"seconds": statistics.median(spent), "longest slice ms": 1e3 * max(spent)}
    return found


def finish(slices: Any) -> dict[str, float]:
    """Seconds in all; the longest slice as the clock has it, and as the main thread's own work (a busy machine counts
    in the first only)."""
    began, longest, own = time.perf_counter(), 0.0, 0.0
    while True:
        start, worked = time.perf_counter(), time.thread_time()
        try:
            step = next(slices)
        except StopIteration:
            seconds = time.perf_counter() - began
            return {"seconds": seconds, "longest slice ms": 1e3 * longest, "longest slice, own work ms": 1e3 * own}
        finally:
            longest = max(longest, time.perf_counter() - start)
            own = max(own, time.thread_time() - worked)
        if step == "wait":
            time.sleep(0.0005)


def corrections(folder: Path, take: Path, count: int) -> dict[str, float]:
    """Dragging the left wrist in frames spread over the clip."""
    copy = folder / "copy.take"
    shutil.copytree(take, copy)
    blender = Blender(folder)
    import bpy
    from hmdiff_blender import corrections as waiting
    from hmdiff_blender.overlays import joints

    blender.ops.import_take(directory=str(copy))
    last = int(max(curve_end(item) for item in bpy.data.objects))
    found = []
    for number in range(count + 1):
        blender.scene.frame_set(1 + (number * 37) % last)
        joints.refresh()
        place = next(one for one in joints.wait().handles() if one.name == "left_wrist")
        began = time.perf_counter()
        blender.ops.move_keypoint(name="left_wrist", place=(place.x + 20, place.y - 10))
        while waiting.waits() or blender.session.get().work.busy or blender.session.state().active_job:
            time.sleep(blender.session.pump() or 0.0)
        found.append(time.perf_counter() - began)
    blender.addon.unregister()
    return {"first": found[0], "median of the others": statistics.median(found[1:]), "slowest": max(found[1:])}


def curve_end(item: Any) -> float:
    animation = item.animation_data
    return animation.action.frame_range[1] if animation and animation.action else 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--take", type=Path)
    parser.add_argument("--corrections", type=int, default=5)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        found = acts(Path(name), args.frames)
        if args.take:
            found["correction, seconds"] = corrections(Path(name), args.take, args.corrections)
    for title, values in found.items():
        print(title)
        for what, value in values.items():
            print(f"    {what:28s} {value:8.3f}")
    if args.json:
        args.json.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
