"""The Export panel: 1,000 frames beside the artist's work, cancelled, failing; then every format this Blender writes.

Pauses are measured beside a console instead of the 3D view: the virtual screen has no graphics card, and drawing a view
in software takes longer than anything measured here.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import bpy
import numpy as np

sys.path.insert(0, "/tmp/hmdiff-window")
import steps
from steps import HERE, Pauses, Script, act, expect, install, module, open_tab, picture

sys.path.insert(0, str(steps.CHECKOUT / "tests" / "blender"))
FPS = 23.976
FOUND: dict[str, Any] = {}


def work_on(found: dict[str, Any]) -> Script:
    install()
    FOUND.update(seconds={}, bytes={}, pauses={}, saving_ms={})
    found.update(FOUND)  # the same dicts
    bpy.data.objects.remove(bpy.data.objects["Cube"])
    bpy.context.preferences.view.ui_scale = 0.75
    only_export_open()
    yield from open_tab()
    load("long", 1000)
    bpy.ops.wm.save_as_mainfile(filepath=str(HERE / "artist.blend"))
    yield 1.0  # "saved" is told to the window only afterwards
    bpy.context.scene.frame_set(5)
    bpy.ops.ed.undo_push(message="the artist's change")
    yield 1.0
    area = steps.view()[0]
    yield from thumbnails("beside the view")
    area.type = "CONSOLE"
    yield 1.0
    yield from thumbnails("beside a console")
    yield from drawn(area)
    for form in ("FBX", "GLB"):
        yield from measured(form, area)
    area.type = "VIEW_3D"
    yield from open_tab()
    for form in ("FBX", "GLB"):
        yield from looked_at(form)
    yield from cancelled()
    yield from failing()
    act(bpy.ops.hmdiff.remove_clip)
    load("short", 40)
    for form in module("scene.exports").FORMATS:
        yield from written(form)
    expect({"FBX", "GLB", "BVH", "AMASS", "PC2"} <= set(found["bytes"]), f"files are written: {found['seconds']}")
    bpy.context.scene.hmdiff_export.filepath = ""
    area, _ = steps.view()
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0], area=area):
        bpy.ops.hmdiff.export("INVOKE_DEFAULT")
    yield 2.0
    picture("6-file")


def thumbnails(where: str) -> Script:
    """What the picture in a .blend costs, which a copy for an export does without."""
    paths = bpy.context.preferences.filepaths
    for kind in ("AUTO", "NONE", "AUTO", "NONE"):
        paths.file_preview_type = kind
        began = time.perf_counter()
        bpy.ops.wm.save_as_mainfile(filepath=str(HERE / "copy.blend"), copy=True, compress=False)
        FOUND["saving_ms"].setdefault(f"thumbnail {kind} {where}", []).append(
            round(1e3 * (time.perf_counter() - began), 1)
        )
        yield 0.5
    paths.file_preview_type = "AUTO"
    bpy.context.preferences.is_dirty = False


def drawn(area: Any) -> Script:
    """What the virtual screen costs without us."""
    pauses = Pauses()
    pauses.start()
    for _ in range(40):
        area.tag_redraw()
        yield 0.1
    FOUND["pauses"]["nothing but drawing"] = pauses.stop()


def measured(form: str, area: Any) -> Script:
    """An export of 1,000 frames; what it leaves of the artist's file."""
    path, before = HERE / f"thousand.{form.lower()}", artist()
    process, seen, pauses = module("export_process"), set(), Pauses()
    choose(form, path)
    pauses.start()
    began = time.perf_counter()
    with bpy.context.temp_override(window=bpy.context.window_manager.windows[0], area=area):
        bpy.ops.hmdiff.export("EXEC_DEFAULT")
    FOUND["saving_ms"][form] = round(1e3 * (time.perf_counter() - began), 1)

    def over() -> bool:
        seen.add(process.progress())
        return not process.busy()

    yield over
    FOUND["pauses"][form] = pauses.stop()
    FOUND["seconds"][f"{form}, 1,000 frames"] = round(time.perf_counter() - began, 2)
    expect(path.is_file() and process.result(), f"{form} is written: {module('session').notice()}")
    FOUND["bytes"][f"{form}, 1,000 frames"] = path.stat().st_size
    expect({"starting", "reading", "writing"} <= {one.stage for one in seen}, f"its progress is told: {seen}")
    expect(len({one.frame for one in seen}) > 8, f"frame by frame: {seen}")
    expect(artist() == before, f"the artist's file is as it was: {before} {artist()}")
    expect(before[1] and before[0], "a saved file with changes")


def looked_at(form: str) -> Script:
    process = module("export_process")
    choose(form, HERE / f"thousand.{form.lower()}")
    act(bpy.ops.hmdiff.export)
    yield lambda: process.progress().stage == "writing"
    yield 0.5
    picture(f"{1 if form == 'FBX' else 2}-{form.lower()}-going-on")
    yield lambda: not process.busy()
    yield 1.0
    picture(f"3-{form.lower()}-written")


def cancelled() -> Script:
    process, path = module("export_process"), HERE / "thousand.fbx"
    before = path.read_bytes()
    choose("FBX", path)
    act(bpy.ops.hmdiff.export)
    yield lambda: process.progress().stage == "writing"
    expect(list(HERE.glob(".hmdiff-*")) or process.busy(), "it is writing")
    began = time.perf_counter()
    act(bpy.ops.hmdiff.cancel_export)
    FOUND["cancel_ms"] = round(1e3 * (time.perf_counter() - began), 1)
    expect(not process.busy() and path.read_bytes() == before, "the file that was there is untouched")
    expect(not list(HERE.glob(".hmdiff-*")), "nothing half done is left")
    expect(not list(Path(bpy.app.tempdir).glob("hmdiff-export-*")), "nothing temporary is left")
    yield 0.5
    picture("4-cancelled")


def failing() -> Script:
    process = module("export_process")
    (HERE / "taken.fbx").mkdir()
    choose("FBX", HERE / "taken.fbx")
    act(bpy.ops.hmdiff.export)
    yield lambda: not process.busy()
    notice = module("session").notice()
    expect(notice is not None and notice.kind == "export.failed" and notice.fix, f"it is said: {notice}")
    expect("export.failed" in module("report").text(), "and reported")
    yield 1.0
    picture("5-failed")
    act(bpy.ops.hmdiff.dismiss)
    expect(module("session").notice() is None, "and can be closed")


def written(form: Any) -> Script:
    """Every format, from the buttons; some Blenders are built without some."""
    process, path = module("export_process"), HERE / f"walk{form.suffix}"
    choose(form.name, path)
    began = time.monotonic()
    act(bpy.ops.hmdiff.export)
    yield lambda: not process.busy()
    if module("session").notice() is not None:
        FOUND["seconds"][form.name] = module("session").notice().message
        return
    FOUND["seconds"][form.name] = round(time.monotonic() - began, 2)
    FOUND["bytes"][form.name] = sum(one.stat().st_size for one in HERE.glob(f"walk*{form.suffix}"))


def load(name: str, frames: int) -> None:
    """A clip of so many frames of somebody who moves, without a backend's run."""
    from blender_takes import Clip, write_take

    bpy.context.scene.render.fps = 24
    write_take(HERE / name, Clip(times=tuple(np.arange(frames) / FPS), fps=FPS, hypotheses=0))
    act(bpy.ops.hmdiff.import_take, directory=str(HERE / name))
    expect(module("scene.naming").find("body"), "the clip is there")


def choose(form: str, path: Path) -> None:
    settings = bpy.context.scene.hmdiff_export
    settings.format = form
    settings.filepath = str(path)


def artist() -> tuple[Any, ...]:
    """What an export must leave as it is."""
    recent = Path(bpy.utils.user_resource("CONFIG")) / "recent-files.txt"
    counts = [len(getattr(bpy.data, kind)) for kind in ("objects", "meshes", "actions", "scenes", "texts")]
    scene = bpy.context.scene
    return (
        bpy.data.filepath, bpy.data.is_dirty, recent.read_text() if recent.is_file() else "", counts,
        scene.frame_current, scene.render.fps, bpy.context.preferences.is_dirty,
    )  # fmt: skip


def only_export_open() -> None:
    """Our panels as an artist has them who exports."""
    panels = sys.modules["bl_ext.user_default.hmdiff.panels"].CLASSES
    for cls in reversed(panels):
        bpy.utils.unregister_class(cls)
    for cls in panels:
        if issubclass(cls, bpy.types.Panel) and cls.__name__ != "HMDIFF_PT_main":
            cls.bl_options = set() if cls.__name__ == "HMDIFF_PT_export" else {"DEFAULT_CLOSED"}
        bpy.utils.register_class(cls)


steps.run(work_on)
