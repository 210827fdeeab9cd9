"""What an artist does with a clip: ghosts of hypotheses, the side view, a choice, painted doubt, a dragged joint."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import bpy

sys.path.insert(0, "/tmp/hmdiff-window")
import steps
from steps import Script, act, expect, module, picture

FIRST, LAST = 60, 89
"""Of the clip: enough to work on."""
FRAME = 16


def work_on(found: dict[str, Any]) -> Script:
    yield from steps.begin()
    session, naming, clips = module("session"), module("scene.naming"), module("scene.clips")
    scene, work = bpy.context.scene, bpy.context.window_manager.hmdiff_work
    scene.hmdiff.filepath = str(steps.HERE / "turned.jpg")
    yield from boxes(found, "0-boxes-turned")
    scene.hmdiff.filepath = str(steps.CLIP)
    yield from boxes(found, "0-boxes")
    yield from steps.run_part(FIRST, LAST)
    bpy.context.preferences.view.ui_scale = 0.75  # room for the panels this is about
    yield 1.0
    yield from scroll(12)

    scene.frame_set(FRAME)
    act(bpy.ops.hmdiff.candidate)
    yield lambda: module("overlays.ghosts").current() is not None
    yield 1.0
    picture("1-ghosts")
    act(bpy.ops.hmdiff.side_view)
    yield 2.0
    picture("2-side")
    began = time.monotonic()
    act(bpy.ops.hmdiff.use_here)
    yield lambda: not session.get().work.busy
    found["use_here_s"] = round(time.monotonic() - began, 2)
    expect(module("scene.stored_edits").edits_of(clips.roots()[0]).people, "the choice is in the clip")
    yield 1.0
    picture("3-used")
    act(bpy.ops.hmdiff.side_view)
    work.ghosts = False
    work.feet = work.floor = 1.0
    yield lambda: not session.get().work.busy
    expect(module("scene.stored_edits").edits_of(clips.roots()[0]).feet == 1.0, "the sliders act on the clip")
    work.betas = (work.betas[0] + 2.0, *tuple(work.betas)[1:])
    yield lambda: not session.get().work.busy
    yield from scroll(40)
    steps.click(1163, 221)  # the header of Body Shape, on this screen
    yield 1.0
    yield from scroll(40)
    yield 1.0
    picture("9-sliders")
    for _ in range(3):
        bpy.ops.ed.undo()
    scene = bpy.context.scene
    yield 0.5
    yield from scroll(-40)
    yield from scroll(12)

    work.spread, work.spread_top = True, 200.0
    yield 2.0
    picture("4-doubt")
    found["paint_ms"] = paint_cost(scene)
    work.spread = False

    work.keypoints = True
    work.blend = 5
    joints = module("overlays.joints")
    yield lambda: joints.current() is not None
    yield 1.0
    picture("5-joints")
    handles = {one.name: one for one in joints.current().handles()}
    wrist = handles["left_wrist"]
    area, _ = steps.view()
    region = next(r for r in area.regions if r.type == "WINDOW")
    with bpy.context.temp_override(
        window=bpy.context.window_manager.windows[0], area=area, region=region, space_data=area.spaces.active,
        region_data=area.spaces.active.region_3d,
    ):  # fmt: skip
        look = joints.look(bpy.context, joints.current())
    x, y = look.to_region([[wrist.x, wrist.y]])[0]
    before = shown(naming)
    yield from drag(region.x + x, region.y + y, 60, 40)
    yield (
        lambda: (
            bool(module("corrections").pending(clips.roots()[0]["hmdiff_clip"])) or session.state().active_job is None
        )
    )
    began = time.monotonic()
    picture("6-dragged")
    yield lambda: session.state().active_job is None and not session.get().work.busy
    found["first_correction_s"] = round(time.monotonic() - began, 2)
    expect(session.state().job.request.kind == "refine", "the drag asks for a refinement")
    expect(session.state().job.phase == "done", f"the correction ends well: {session.state().job}")
    yield 1.5
    picture("7-corrected")
    found["moved_mm"] = round(1000 * distance(before, shown(naming)), 1)
    expect(found["moved_mm"] > 5, "the body follows")
    began = time.monotonic()
    act(bpy.ops.hmdiff.move_keypoint, name="left_elbow", place=(handles["left_elbow"].x + 20, handles["left_elbow"].y))
    yield lambda: session.state().active_job is None and not session.get().work.busy
    found["warm_correction_s"] = round(time.monotonic() - began, 2)
    act(bpy.ops.hmdiff.before_after)
    yield lambda: not session.get().work.busy
    yield 1.5
    picture("8-before")
    bpy.ops.ed.undo()
    bpy.ops.ed.undo()
    bpy.ops.ed.undo()
    yield 1.0
    expect(distance(before, shown(naming)) < 1e-4, "undo takes the corrections back one by one")
    found["longest_ms"] = {what: round(1e3 * spent, 1) for what, spent in session.get().work.longest.items()}


def boxes(found: dict[str, Any], name: str) -> Script:
    """Draw a box around the person, with a real mouse; then everybody again."""
    objects, images = set(bpy.data.objects.keys()), set(bpy.data.images.keys())
    area, _ = steps.view()
    region = next(r for r in area.regions if r.type == "WINDOW")
    with bpy.context.temp_override(
        window=bpy.context.window_manager.windows[0], area=area, region=region, space_data=area.spaces.active
    ):
        expect(bpy.types.HMDIFF_FH_footage.poll_drop(bpy.context), "footage can be dropped where the tab is open")
        bpy.ops.hmdiff.draw_boxes("INVOKE_DEFAULT")
    yield 1.5
    middle = region.x + region.width / 2, region.y + region.height / 2
    yield from drag(middle[0] + 30, middle[1] + 150, 120, -300)
    yield 1.0
    picture(name)
    subprocess.run(["xdotool", "key", "Return"], check=True)
    yield 1.0
    people = bpy.context.window_manager.hmdiff.people
    expect(len(people) == 1 and people[0].box[3] - people[0].box[1] > 50, "a box was drawn")
    found[name] = [round(value) for value in people[0].box]
    left = set(bpy.data.objects.keys()) - objects, set(bpy.data.images.keys()) - images
    expect(left == (set(), set()), f"nothing of it stays in the file: {left}")
    bpy.context.scene.hmdiff.people = "all"


def scroll(steps_down: int) -> Script:
    """The sidebar scrolled down, or up where it is negative."""
    area, region = steps.view()
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0], area=area, region=region):
        for _ in range(abs(steps_down)):
            (bpy.ops.view2d.scroll_down if steps_down > 0 else bpy.ops.view2d.scroll_up)()
    yield 0.5


def drag(x: float, y: float, dx: int, dy: int) -> Script:
    """A real drag; x, y from the window's lower left corner, dy upwards."""
    window = bpy.context.window_manager.windows[0]
    left, top = int(window.x + x), int(1000 - window.y - y)

    def mouse(*words: str) -> None:
        subprocess.run(["xdotool", *words], check=True)

    mouse("mousemove", str(left), str(top))
    yield 0.8
    mouse("mousedown", "1")
    yield 0.3
    for step in range(1, 6):
        mouse("mousemove", str(left + dx * step // 5), str(top - dy * step // 5))
        yield 0.15
    mouse("mouseup", "1")
    yield 0.3


def paint_cost(scene: Any) -> float:
    paint = module("scene.spread_paint")
    spent = []
    for frame in range(FRAME, FRAME + 10):
        began = time.perf_counter()
        paint.paint_all(200.0)
        spent.append(time.perf_counter() - began)
        scene.frame_set(frame)
    scene.frame_set(FRAME)
    return round(1e3 * sorted(spent)[5], 2)


def shown(naming: Any) -> Any:
    import numpy as np

    item = naming.find("body")[0]
    evaluated = item.evaluated_get(bpy.context.evaluated_depsgraph_get())
    values = np.empty(3 * len(evaluated.data.vertices), np.float32)
    evaluated.data.vertices.foreach_get("co", values)
    return values.reshape(-1, 3)


def distance(first: Any, second: Any) -> float:
    import numpy as np

    return float(np.linalg.norm(first - second, axis=1).max())


steps.PATIENCE_S = 500
steps.run(work_on)
