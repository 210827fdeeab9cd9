"""Writing the active clip, or the selected character, to a file of another program."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy
from bpy.props import StringProperty
from hmdiff_wire.errors import HmdiffError

from .. import export_settings, session
from ..scene import clips, naming
from ..scene.exports import Wish, export
from ..scene.exports.character import export_character
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
        return not session.is_importing() and not session.is_changing()

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
        root = clips.chosen_root(context)
        fps = context.scene.render.fps / context.scene.render.fps_base if settings.rate == "SCENE" else None
        with _waiting(context):
            if settings.subject == "CHARACTER":
                if fps is None and root is not None and not clips.info(root).running:
                    fps = frames_of(root).fps
                written = export_character(path, context.active_object, fps)
            else:
                if root is None or clips.info(root).running:
                    raise HmdiffError("clip.none", "There is no finished clip to export.", "Run or import one first.")
                wish = Wish(root[naming.CLIP], export_settings.chosen_what(settings), fps)
                written = export(path, wish)
        self.report({"INFO"}, f"Wrote {', '.join(one.name for one in written)} into {path.parent}")
        return {"FINISHED"}


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


@contextmanager
def _waiting(context: Any) -> Iterator[None]:
    """The cursor says that it takes a moment: Blender's exporters cannot work in slices."""
    window = context.window
    if window is not None and not bpy.app.background:
        window.cursor_modal_set("WAIT")
    try:
        yield
    finally:
        if window is not None and not bpy.app.background:
            window.cursor_modal_restore()


CLASSES = (HMDIFF_OT_export,)
