"""From a photo to a pose asset, and a clip onto a Rigify character, in the real window."""

from __future__ import annotations

import sys
import time
from typing import Any

import bpy

sys.path.insert(0, "/tmp/hmdiff-window")
import steps
from steps import HERE, Script, act, expect, install, module, open_tab, picture

sys.path.insert(0, str(steps.CHECKOUT / "tests" / "blender"))


def work_on(found: dict[str, Any]) -> Script:
    install()
    bpy.data.objects.remove(bpy.data.objects["Cube"])
    bpy.context.preferences.view.ui_scale = 0.75
    only_open("HMDIFF_PT_poses", "HMDIFF_PT_character", "HMDIFF_PT_bone_map")
    bpy.ops.ed.undo_push(message="delete the cube")
    yield 1.0
    yield from open_tab()
    session, naming = module("session"), module("scene.naming")
    scene = bpy.context.scene
    scene.render.fps = 30
    scene.hmdiff.hypotheses = 5

    began = time.monotonic()
    act(bpy.ops.hmdiff.photo, filepath=str(HERE / "photo.jpg"))
    yield lambda: session.state().active_job is None and session.state().job is not None
    found["photo_s"] = round(time.monotonic() - began, 2)
    expect(session.state().job.phase == "done", f"the photo ends well: {session.state().job}")
    began = time.monotonic()
    act(bpy.ops.hmdiff.lay_out_poses)
    found["row_s"] = round(time.monotonic() - began, 2)
    row = naming.find("pose")
    expect(len(row) == 5, f"five bodies side by side, not {len(row)}")
    choose(row[1])
    look_at(row)
    yield 2.0
    picture("1-side-by-side")

    rig = hero()
    scene.hmdiff_character.target = rig
    found["map"] = scene.hmdiff_character.map_name
    scene.frame_set(20)
    choose(row[1])
    act(bpy.ops.hmdiff.apply_pose)
    act(bpy.ops.hmdiff.save_pose, name="From the photo")
    expect(bpy.data.actions["From the photo"].asset_data, "the pose is an asset")
    look_at([rig])
    yield 2.0
    picture("2-applied")
    area, _ = steps.view()
    area.ui_type = "ASSETS"
    yield 2.0
    area.spaces.active.params.asset_library_reference = "LOCAL"
    yield 6.0
    picture("3-pose-asset")
    area.ui_type = "VIEW_3D"
    yield from open_tab()

    act(bpy.ops.hmdiff.remove_clip)
    scene.hmdiff.filepath = str(steps.CLIP)
    scene.hmdiff.preset = "preview"
    scene.hmdiff.use_range, scene.hmdiff.first, scene.hmdiff.last = True, 31, 90
    act(bpy.ops.hmdiff.run)
    yield lambda: session.state().active_job is None
    expect(session.state().job.phase == "done", f"the run ends well: {session.state().job}")
    began = time.monotonic()
    act(bpy.ops.hmdiff.retarget)
    found["retarget_s"] = round(time.monotonic() - began, 2)
    expect(bpy.data.objects[rig.name].animation_data.action, "the character has an action")
    scene.frame_set(30)
    look_at([bpy.data.objects[rig.name], *naming.find("body")])
    yield 2.0
    picture("4-retargeted")
    bpy.ops.ed.undo()
    yield 1.0
    expect(len(naming.find("body")) == 1, "an undo takes back the retargeting and nothing else")


def only_open(*wanted: str) -> None:
    """Our panels as an artist has them who is busy with these."""
    package = "bl_ext.user_default.hmdiff.panels"
    panels = sys.modules[package].CLASSES
    shown = [one for one in panels if issubclass(one, bpy.types.Panel) and one.__name__ != "HMDIFF_PT_main"]
    for cls in reversed(panels):
        bpy.utils.unregister_class(cls)
    for cls in shown:
        cls.bl_options = set() if cls.__name__ in wanted else {"DEFAULT_CLOSED"}
    for cls in panels:
        bpy.utils.register_class(cls)


def hero() -> Any:
    """Rigify's control rig beside the bodies; the mannequin where this Blender has no Rigify."""
    import character_rigs

    try:
        rig = character_rigs.rigify(True)
    except (ImportError, RuntimeError):
        rig = character_rigs.character("unreal")
    rig.location = (-1.2, 0.0, 0.0)
    bpy.context.view_layer.update()
    return rig


def choose(item: Any) -> None:
    for one in bpy.context.view_layer.objects:
        one.select_set(one == item)
    bpy.context.view_layer.objects.active = item


def look_at(items: list[Any]) -> None:
    """The view from the front on these."""
    active = bpy.context.view_layer.objects.active
    for one in bpy.context.view_layer.objects:
        one.select_set(one in items)
    area, _ = steps.view()
    region = next(region for region in area.regions if region.type == "WINDOW")
    with bpy.context.temp_override(
        window=bpy.context.window_manager.windows[0], area=area, region=region, space_data=area.spaces.active
    ):
        bpy.ops.view3d.view_axis(type="FRONT")
        bpy.ops.view3d.view_selected()
    area.spaces.active.shading.color_type = "MATERIAL"
    for one in bpy.context.view_layer.objects:
        one.select_set(one == active)


steps.run(work_on)
