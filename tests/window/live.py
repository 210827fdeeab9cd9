"""The body follows while a joint is dragged: a slow drag with a real mouse, pictures of it, and what it costs."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import bpy

sys.path.insert(0, "/tmp/hmdiff-window")
import steps
from steps import Pauses, Script, expect, module, picture

FIRST, LAST = 60, 89
"""Of the clip: enough to work on."""
FRAME = 16
JOINT, WAY = "left_ankle", (24, 56)
"""What is dragged, and how far: pixels of the screen to the right and up."""
MOVES, PAUSE_S = 60, 0.05


def work_on(found: dict[str, Any]) -> Script:
    yield from steps.begin()
    session, clips, joints = module("session"), module("scene.clips"), module("overlays.joints")
    followed, preferences = module("overlays.followed"), module("preferences").get()
    scene, work = bpy.context.scene, bpy.context.window_manager.hmdiff_work
    yield from steps.run_part(FIRST, LAST)
    scene.frame_set(FRAME)
    spent, times = watch()
    work.keypoints, work.blend = True, 5
    yield lambda: joints.current() is not None
    yield 1.0
    edits = module("scene.stored_edits").edits_of
    before, asked = shown(), len(bpy.data.objects)

    # The first answer takes the model along; the drag is given up.
    began = time.monotonic()
    yield from press(joints)
    yield from move(WAY, 10)
    yield lambda: followed.current() is not None
    found["first_answer_cold_s"] = round(time.monotonic() - began, 2)
    yield 0.5
    picture("1-first-answer")
    subprocess.run(["xdotool", "key", "Escape"], check=True)
    yield 1.0
    mouse("mouseup", "1")
    yield 1.0
    picture("2-given-up")
    root = clips.roots()[0]
    expect(followed.current() is None and session.state().drag is None, "Esc takes the ghost away")
    expect(edits(root).version == 0 and session.state().job.request.kind == "animate", "and nothing was asked for")
    expect(distance(before, shown()) == 0.0 and len(bpy.data.objects) == asked, "the scene is as it was")

    # The same way without and with the body following.
    for name, on in (("plain_drag", False), ("following_drag", True)):
        preferences.follow_drags = on
        clear(spent, times, session)
        pauses = Pauses()
        yield from press(joints)
        pauses.start()
        yield from move(WAY, MOVES // 2)
        first = pauses.stop()
        if on:
            picture("3-half-way")
        pauses.start()
        yield from move(WAY, MOVES, MOVES // 2)
        second = pauses.stop()
        held = {what: max(first[what], second[what]) for what in first}
        found[name] = {**held, **summary(spent, times, session)}
        if not on:
            subprocess.run(["xdotool", "key", "Escape"], check=True)
            yield 0.5
            mouse("mouseup", "1")
            yield 1.0
    yield 0.5
    found["redraw_with_and_without_ghost_ms"] = ghost_cost(followed)
    yield 0.5
    picture("4-all-the-way")
    ghost = followed.current()
    expect(ghost is not None, "the ghost is there at the end of the drag")
    expect(distance(before, shown()) == 0.0, "the body itself has not moved yet")
    found["ghost_moved_mm"] = round(1000 * distance(before, ghost.vertices), 1)
    expect(found["ghost_moved_mm"] > 50, "the ghost has followed the mouse")
    expect(found["following_drag"]["answers"] >= 10, "answers come during the drag")
    expect(found["plain_drag"]["answers"] == 0, "and none where they are not wanted")
    began = time.monotonic()
    mouse("mouseup", "1")
    yield lambda: session.state().active_job is not None
    expect(followed.current() is not None, "the ghost stays until the body has followed")
    picture("5-released")
    yield lambda: session.state().active_job is None and not session.get().work.busy
    yield lambda: followed.current() is None
    found["correction_s"] = round(time.monotonic() - began, 2)
    expect(session.state().job.phase == "done", f"the correction ends well: {session.state().job}")
    yield 1.5
    picture("6-followed")
    found["body_moved_mm"] = round(1000 * distance(before, shown()), 1)
    found["body_from_ghost_mm"] = round(1000 * mean_distance(ghost.vertices, shown()), 1)
    expect(edits(clips.roots()[0]).version == 2, "one version of the take, not one for each answer")
    bpy.ops.ed.undo()
    bpy.context.scene.frame_set(FRAME)  # the step before was made in another
    yield 1.0
    found["undone_mm"] = round(1000 * distance(before, shown()), 3)
    expect(found["undone_mm"] < 0.1, "one undo step takes it back")


def watch() -> tuple[dict[str, list[float]], list[float]]:
    """Seconds that each drag event and each drawing of ours takes on the main thread; when answers came."""
    spent: dict[str, list[float]] = {}
    times: list[float] = []

    def timed(name: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def run(*words: Any) -> Any:
            began = time.perf_counter()
            try:
                return work(*words)
            finally:
                spent.setdefault(name, []).append(time.perf_counter() - began)

        return run

    followed, joints, following = module("overlays.followed"), module("overlays.joints"), module("following")
    operator = module("operators.keypoints").HMDIFF_OT_drag_keypoint
    modal, feed = timed("drag_event", operator.modal), followed.feed
    operator.modal = lambda self, context, event: modal(self, context, event)
    paint = module("overlays.paint")
    paint.body_batch = timed("make_batch", paint.body_batch)
    followed._compute = timed("compute_in_thread", followed._compute)
    followed._draw, joints._draw = timed("draw_ghost", followed._draw), timed("draw_joints", joints._draw)
    following.moved = timed("ask", following.moved)

    def noted(*words: Any) -> None:
        times.append(time.perf_counter())
        feed(*words)

    followed.feed = timed("answer", noted)
    return spent, times


def clear(spent: dict[str, list[float]], times: list[float], session: Any) -> None:
    spent.clear()
    times.clear()
    session.get().work.longest.clear()


def summary(spent: dict[str, list[float]], times: list[float], session: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"answers": len(times)}
    for name, values in spent.items():
        ordered = sorted(values)
        middle = round(1e3 * ordered[len(ordered) // 2], 2)
        found[name] = {"count": len(values), "median_ms": middle, "longest_ms": round(1e3 * ordered[-1], 2)}
    gaps = sorted(late - early for early, late in zip(times, times[1:], strict=False))
    if gaps:
        found["between_answers_ms"] = {
            "median": round(1e3 * gaps[len(gaps) // 2], 1),
            "longest": round(1e3 * gaps[-1], 1),
        }
    found["work_longest_ms"] = {what: round(1e3 * value, 2) for what, value in session.get().work.longest.items()}
    return found


def redraw() -> float:
    """What drawing the view once takes, on this screen without a graphics card."""
    area, _ = steps.view()
    region = next(r for r in area.regions if r.type == "WINDOW")
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0], area=area, region=region):
        began = time.perf_counter()
        bpy.ops.wm.redraw_timer(type="DRAW", iterations=5)
    return round(1e3 * (time.perf_counter() - began) / 5, 1)


def ghost_cost(followed: Any) -> list[float]:
    """Of a redraw while nothing else goes on; the best of three each."""
    there = set(followed._drags)
    with_it, without = [], []
    for _ in range(3):
        with_it.append(redraw())
        followed._drags.clear()
        without.append(redraw())
        followed._drags.update(there)
    return [min(with_it), min(without)]


_start: list[int] = [0, 0]


def mouse(*words: str) -> None:
    subprocess.Popen(["xdotool", *words])


def press(joints: Any) -> Script:
    """Take hold of the joint."""
    handle = next(one for one in joints.current().handles() if one.name == JOINT)
    area, _ = steps.view()
    region = next(r for r in area.regions if r.type == "WINDOW")
    window = bpy.context.window_manager.windows[0]
    with bpy.context.temp_override(
        window=window, area=area, region=region, space_data=area.spaces.active, region_data=area.spaces.active.region_3d
    ):
        look = joints.look(bpy.context, joints.current())
    x, y = look.to_region([[handle.x, handle.y]])[0]
    _start[:] = [int(window.x + region.x + x), int(1000 - window.y - region.y - y)]
    mouse("mousemove", str(_start[0] + 40), str(_start[1] + 40))
    yield 0.4
    mouse("mousemove", str(_start[0]), str(_start[1]))
    yield 0.8
    mouse("mousedown", "1")
    yield 0.4


def move(way: tuple[int, int], last: int, first: int = 0) -> Script:
    """Moves ``first`` to ``last`` of a way of MOVES moves, slowly."""
    for number in range(first + 1, last + 1):
        share = number / MOVES
        mouse("mousemove", str(_start[0] + round(way[0] * share)), str(_start[1] - round(way[1] * share)))
        yield PAUSE_S


def shown() -> Any:
    """Vertices of the body in the world."""
    import numpy as np

    item = module("scene.naming").find("body")[0]
    evaluated = item.evaluated_get(bpy.context.evaluated_depsgraph_get())
    values = np.empty(3 * len(evaluated.data.vertices), np.float32)
    evaluated.data.vertices.foreach_get("co", values)
    matrix = np.array(item.matrix_world)
    return values.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]


def distance(first: Any, second: Any) -> float:
    import numpy as np

    return float(np.linalg.norm(first - second, axis=1).max())


def mean_distance(first: Any, second: Any) -> float:
    import numpy as np

    return float(np.linalg.norm(first - second, axis=1).mean())


steps.PATIENCE_S = 500
steps.run(work_on)
