"""The whole way, from the zip on a bare Blender to the motion on a character and a file of it, a picture per step.

The one-button set-up fetches the real packages (0.4 GB). ``tests/window/run whole``
"""

from __future__ import annotations

import sys
import time
from typing import Any

import bpy

sys.path.insert(0, "/tmp/hmdiff-window")
import steps
from steps import Script, act, expect, install, module, open_tab, picture

FRAME = 30


def whole(found: dict[str, Any]) -> Script:
    picture("01-bare-blender")
    install()
    chosen = bpy.context.preferences.addons["bl_ext.user_default.hmdiff"].preferences
    made_before = (steps.HERE / "backend").is_file()  # HMDIFF_WINDOW_BACKEND, to try the rest without fetching
    if not made_before:
        chosen.backend, chosen.environment = "", str(steps.HERE / "Blender data")
    bpy.context.preferences.system.use_online_access = True
    bpy.data.objects.remove(bpy.data.objects["Cube"])
    yield from open_tab()
    bpy.context.preferences.view.ui_scale = 0.8
    session, naming, clips = module("session"), module("scene.naming"), module("scene.clips")
    scene, work = bpy.context.scene, bpy.context.window_manager.hmdiff_work
    yield 1.0
    picture("02-installed")

    if not made_before:
        yield from set_up(found)

    scene.render.fps = 30
    scene.hmdiff.filepath = str(steps.CLIP)
    yield 1.0
    picture("04-footage")
    began = time.monotonic()
    act(bpy.ops.hmdiff.run)
    yield lambda: bool(naming.find("preview body")) or session.state().active_job is None
    expect(naming.find("preview body"), f"bodies appear while it runs: {session.state().job}")
    act(bpy.ops.hmdiff.look_through_camera)
    yield 2.5
    picture("05-running")
    yield lambda: session.state().active_job is None
    found["run_s"] = round(time.monotonic() - began, 1)
    expect(session.state().job.phase == "done", f"the run ends well: {session.state().job}")
    act(bpy.ops.hmdiff.match_scene)
    scene.frame_set(FRAME)
    yield 1.5
    picture("06-done")

    yield from scroll(14)
    act(bpy.ops.hmdiff.candidate)
    yield 2.0
    picture("07-hypotheses")
    act(bpy.ops.hmdiff.use_here)
    yield lambda: not session.get().work.busy
    work.ghosts = False
    work.spread = True
    yield 2.0
    picture("08-doubt")
    work.spread = False
    work.keypoints = True
    joints = module("overlays.joints")
    yield lambda: joints.current() is not None
    wrist = {one.name: one for one in joints.current().handles()}["left_wrist"]
    began = time.monotonic()
    act(bpy.ops.hmdiff.move_keypoint, name="left_wrist", place=(wrist.x + 25, wrist.y - 40))
    yield lambda: session.state().active_job is None and not session.get().work.busy
    found["first_correction_s"] = round(time.monotonic() - began, 2)
    expect(session.state().job.phase == "done", f"the correction ends well: {session.state().job}")
    began = time.monotonic()
    act(bpy.ops.hmdiff.move_keypoint, name="left_wrist", place=(wrist.x + 20, wrist.y - 35))
    yield lambda: session.state().active_job is None and not session.get().work.busy
    found["warm_correction_s"] = round(time.monotonic() - began, 2)
    yield 1.5
    picture("09-corrected")
    work.keypoints = False

    work.smooth, work.feet = 0.1, 1.0
    yield lambda: not session.get().work.busy
    yield 1.0
    picture("10-calmed")

    character = rig()
    character.location.x = 1.2
    scene.hmdiff_character.target = character
    scene.hmdiff_character.place = "CHARACTER"
    root = clips.roots()[0]
    bpy.context.view_layer.objects.active = root
    began = time.monotonic()
    act(bpy.ops.hmdiff.retarget)
    found["retarget_s"] = round(time.monotonic() - began, 2)
    expect(character.animation_data and character.animation_data.action, "the character moves")
    look_at(character, *naming.find("body"))
    yield 1.5
    picture("11-character")

    target = steps.HERE / "character.fbx"
    bpy.ops.object.select_all(action="DESELECT")
    character.select_set(True)
    bpy.context.view_layer.objects.active = character
    scene.hmdiff_export.subject, scene.hmdiff_export.format = "CHARACTER", "FBX"
    act(bpy.ops.hmdiff.export, filepath=str(target))
    yield lambda: not module("export_process").busy()
    yield lambda: target.is_file()
    found["fbx_mb"] = round(target.stat().st_size / 1e6, 2)
    picture("12-exported")
    bpy.ops.wm.read_homefile(use_empty=True)
    yield 1.0
    bpy.ops.import_scene.fbx(filepath=str(target))
    bones = [item for item in bpy.data.objects if item.type == "ARMATURE"]
    expect(len(bones) == 1 and bones[0].animation_data.action, "the file holds the character and its motion")
    scene = bpy.context.scene
    start, end = bones[0].animation_data.action.frame_range
    found["fbx_frames"] = round(end - start + 1)
    scene.frame_set(int(start) + FRAME)
    look_at(*bones)
    yield 2.0
    picture("13-imported-elsewhere")


def set_up(found: dict[str, Any]) -> Script:
    session, began = module("session"), time.monotonic()
    act(bpy.ops.hmdiff.set_up)
    yield lambda: session.state().backend.set_up.share > 0.2 or session.state().backend.phase != "installing"
    picture("03-setting-up")
    yield lambda: session.state().backend.phase != "installing"
    expect(session.state().backend.problem is None, f"the set-up ends well: {session.state().backend.problem}")
    found["set_up_s"] = round(time.monotonic() - began, 1)


def rig() -> Any:
    """A control rig as Rigify makes it, with a simple mesh."""
    sys.path.insert(0, str(steps.CHECKOUT / "tests" / "blender"))
    from character_rigs import rigify

    return rigify(True)


def look_at(*items: Any) -> None:
    """From the front, these in the picture."""
    area, _ = steps.view()
    window = next(region for region in area.regions if region.type == "WINDOW")
    bpy.ops.object.select_all(action="DESELECT")
    for item in items:
        item.select_set(True)
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0], area=area, region=window):
        bpy.ops.view3d.view_axis(type="FRONT")
        bpy.ops.view3d.view_selected()


def scroll(steps_down: int) -> Script:
    """The sidebar scrolled down."""
    area, region = steps.view()
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0], area=area, region=region):
        for _ in range(steps_down):
            bpy.ops.view2d.scroll_down()
    yield 0.5


steps.PATIENCE_S = 400
steps.run(whole)
