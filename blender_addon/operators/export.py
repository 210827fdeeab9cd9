"""Writing the active clip, or the selected character, to a file of another program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bpy.props import StringProperty
from hmdiff_wire.errors import HmdiffError

from .. import export_process, export_settings, session
from ..core.export_rules import Order, place
from ..scene import clips, export_run, naming
from ..scene.exports.character import armature_of, no_character
from ..scene.exports.clock import frames_of
from .base import Speaking


class HMDIFF_OT_export(Speaking, bpy.types.Operator):
    """Write the chosen clip or character to a file; the scene stays as it is"""

    bl_idname = "hmdiff.export"
    bl_label = "Export"
    bl_options = {"REGISTER"}

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(default="", options={"HIDDEN", "SKIP_SAVE"})
    check_existing: bpy.props.BoolProperty(default=True, options={"HIDDEN"})

    @classmethod
    def poll(cls, context: Any) -> bool:
        return not session.is_importing() and not session.is_changing() and not export_process.busy()

    def invoke(self, context: Any, event: Any) -> set[str]:
        settings = context.scene.hmdiff_export
        if settings.filepath:
            path = _absolute(settings.filepath)
            if path.exists():
                return context.window_manager.invoke_confirm(
                    self, event, title=f"{path.name} is there already", message="Write over it?",
                    confirm_text="Overwrite",
                )  # fmt: skip
            return self.execute(context)
        suffix = export_settings.chosen_format(settings).suffix
        self.filter_glob = f"*{suffix}"
        if not self.filepath:
            self.filepath = _default(context, suffix)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def check(self, context: Any) -> bool:
        settings = context.scene.hmdiff_export
        wanted = export_settings.with_suffix(self.filepath, export_settings.chosen_format(settings).suffix)
        changed, self.filepath = wanted != self.filepath, wanted
        return changed

    def draw(self, context: Any) -> None:
        export_settings.draw_choices(self.layout, context.scene.hmdiff_export)

    def work(self, context: Any) -> set[str]:
        settings = context.scene.hmdiff_export
        chosen = self.filepath or settings.filepath
        if not chosen:
            raise HmdiffError("export.no_path", "No file is named.", "Choose where to write.")
        form = export_settings.chosen_format(settings)
        path = _absolute(export_settings.with_suffix(chosen, form.suffix))
        order = _order(context, settings, path)
        if not export_process.possible():
            written = place(export_run.carry_out(order), order)
            self.report({"INFO"}, f"Wrote {', '.join(one.name for one in written)} into {path.parent}")
            return {"FINISHED"}
        session.get().work.notice = None
        export_process.start(order)
        session.wake()
        self.report({"INFO"}, f"{path.name} is being exported beside your work")
        return {"FINISHED"}


class HMDIFF_OT_cancel_export(Speaking, bpy.types.Operator):
    """End the export; a file that was there before stays as it was"""

    bl_idname = "hmdiff.cancel_export"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, context: Any) -> bool:
        return export_process.busy()

    def work(self, context: Any) -> set[str]:
        export_process.cancel()
        return {"FINISHED"}


def _order(context: Any, settings: Any, path: Path) -> Order:
    """Errors: ``clip.none``, ``export.no_character``."""
    root, scene = clips.chosen_root(context), context.scene
    finished = root is not None and not clips.info(root).running
    fps = scene.render.fps / scene.render.fps_base if settings.rate == "SCENE" else None
    seen = {"scene": scene.name, "layer": context.view_layer.name}
    if settings.subject == "CHARACTER":
        armature = armature_of(context.active_object)
        if armature is None:
            raise no_character()
        if fps is None and finished:
            fps = frames_of(root).fps
        library = armature.library.name if armature.library else ""
        return Order(str(path), "CHARACTER", item=armature.name, library=library, fps=fps, **seen)
    if root is None or not finished:
        raise HmdiffError("clip.none", "There is no finished clip to export.", "Run or import one first.")
    what = export_settings.chosen_what(settings).value
    return Order(str(path), clip=root[naming.CLIP], what=what, fps=fps, **seen)


def _default(context: Any, suffix: str) -> str:
    settings, root = context.scene.hmdiff_export, clips.chosen_root(context)
    name = (
        export_settings.character_name(context)
        if settings.subject == "CHARACTER"
        else (root.name if root is not None else "")
    )
    folder = Path(bpy.data.filepath).parent if bpy.data.filepath else Path.home()
    return str(folder / f"{bpy.path.clean_name(name or 'clip')}{suffix}")


def _absolute(path: str) -> Path:
    return Path(bpy.path.abspath(path)).expanduser().absolute()


CLASSES = (HMDIFF_OT_export, HMDIFF_OT_cancel_export)
