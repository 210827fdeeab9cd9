"""The queue: clips in, their order, start and pause, results out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, CollectionProperty, EnumProperty, IntProperty, StringProperty
from hmdiff_wire.batch import Entry, read_batch
from hmdiff_wire.errors import HmdiffError

from .. import preferences, queue_view, request, session
from ..core.source import MOVIE_SUFFIXES, PHOTO_SUFFIXES, resolve, take_folder
from ..properties import QUALITIES
from .base import Speaking


class OfQueue(Speaking):
    """Mix-in: not while another Blender works on the queue; the list follows at once."""

    @classmethod
    def poll(cls, context: Any) -> bool:
        return not queue_view.get().foreign

    def work(self, context: Any) -> set[str]:
        self.change(context, queue_view.get())
        queue_view.sync()
        session.wake()
        return {"FINISHED"}

    def change(self, context: Any, queue: Any) -> None:
        raise NotImplementedError


class OfChosen(OfQueue):
    """Mix-in: about the clip that is marked in the list."""

    @classmethod
    def poll(cls, context: Any) -> bool:
        return not queue_view.get().foreign and queue_view.chosen() is not None

    def change(self, context: Any, queue: Any) -> None:
        entry = queue_view.chosen()
        if entry is None:
            raise HmdiffError("queue.none", "No clip of the queue is marked.", "Click one in the list.")
        self.change_one(context, queue, entry)

    def change_one(self, context: Any, queue: Any, entry: Entry) -> None:
        raise NotImplementedError


class HMDIFF_OT_queue_add(OfQueue, bpy.types.Operator):
    """Put the footage above into the queue, with the settings above"""

    bl_idname = "hmdiff.queue_add"
    bl_label = "Add This Clip"

    def change(self, context: Any, queue: Any) -> None:
        queue.add([queue_view.entry_for(request.for_footage(context))])


class HMDIFF_OT_queue_add_files(OfQueue, bpy.types.Operator):
    """Choose movies and photos for the queue; each gets the quality above"""

    bl_idname = "hmdiff.queue_add_files"
    bl_label = "Add Files"

    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE"})
    files: CollectionProperty(type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE", "HIDDEN"})
    filter_movie: BoolProperty(default=True, options={"HIDDEN"})
    filter_image: BoolProperty(default=True, options={"HIDDEN"})
    filter_folder: BoolProperty(default=True, options={"HIDDEN"})

    def invoke(self, context: Any, event: Any) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def change(self, context: Any, queue: Any) -> None:
        settings = context.scene.hmdiff
        options = {"preset": settings.preset, "hypotheses": settings.hypotheses}
        blend = Path(bpy.data.filepath) if bpy.data.filepath else None
        names = [file.name for file in self.files if Path(file.name).suffix.lower() in MOVIE_SUFFIXES | PHOTO_SUFFIXES]
        if not names:
            raise HmdiffError("input.none", "No movie or photo was chosen.", "Mark files in the file browser.")
        for name in names:
            footage = resolve("FILE", str(Path(self.directory) / name))
            own = preferences.takes_folder() if blend is None or preferences.takes_chosen() else None
            take = take_folder(blend, own, footage)
            wanted = request.Request(footage.job_kind, footage.path, dict(options), str(take), label=footage.name)
            queue.add([queue_view.entry_for(wanted)])


class HMDIFF_OT_queue_start(OfQueue, bpy.types.Operator):
    """Work the queue off, one clip after another. Blender stays usable; the results are takes to import"""

    bl_idname = "hmdiff.queue_start"
    bl_label = "Start Queue"

    def change(self, context: Any, queue: Any) -> None:
        queue.start()
        session.get()


class HMDIFF_OT_queue_pause(OfQueue, bpy.types.Operator):
    """Begin no further clip; the one in work goes on to its end"""

    bl_idname = "hmdiff.queue_pause"
    bl_label = "Pause Queue"

    def change(self, context: Any, queue: Any) -> None:
        queue.pause()


class HMDIFF_OT_queue_move(OfChosen, bpy.types.Operator):
    """Move the marked clip up or down"""

    bl_idname = "hmdiff.queue_move"
    bl_label = "Move"

    by: IntProperty(default=1, options={"SKIP_SAVE"})

    def change_one(self, context: Any, queue: Any, entry: Entry) -> None:
        queue.move(entry.id, self.by)
        view = context.window_manager.hmdiff_queue
        view.index = [one.id for one in queue.batch.entries].index(entry.id)


class HMDIFF_OT_queue_remove(OfChosen, bpy.types.Operator):
    """Take the marked clip out of the queue; its take stays on disk"""

    bl_idname = "hmdiff.queue_remove"
    bl_label = "Remove"

    def change_one(self, context: Any, queue: Any, entry: Entry) -> None:
        if entry.state == "running":
            raise HmdiffError("queue.running", f"{entry.name} is in work.", "Press Cancel first.")
        queue.remove(entry.id)


class HMDIFF_OT_queue_retry(OfChosen, bpy.types.Operator):
    """Try the marked clip again; what is in its take is gone on with"""

    bl_idname = "hmdiff.queue_retry"
    bl_label = "Try Again"

    def change_one(self, context: Any, queue: Any, entry: Entry) -> None:
        queue.retry(entry.id)
        queue.start()
        session.get()


class HMDIFF_OT_queue_preset(OfChosen, bpy.types.Operator):
    """How carefully the marked clip is worked out; until it begins"""

    bl_idname = "hmdiff.queue_preset"
    bl_label = "Quality"

    preset: EnumProperty(name="Quality", items=QUALITIES, default="default")

    def change_one(self, context: Any, queue: Any, entry: Entry) -> None:
        if entry.state != "waiting" or entry.begun:
            raise HmdiffError("queue.begun", f"{entry.name} has begun already.", "Add it again with another quality.")
        queue.set_preset(entry.id, self.preset)


class HMDIFF_OT_queue_import(OfChosen, bpy.types.Operator):
    """Put the marked clip's result into this scene"""

    bl_idname = "hmdiff.queue_import"
    bl_label = "Import"

    def change_one(self, context: Any, queue: Any, entry: Entry) -> None:
        from ..scene.importer import iter_import

        if not entry.begun:
            raise HmdiffError(
                "take.missing", f"The take of {entry.name} is gone: {entry.take}",
                "Put the folder back, or press Try Again to work it out anew.",
            )  # fmt: skip
        start, complete = request.start_frame(context.scene), entry.state == "done"
        limit = preferences.shape_key_limit()
        slices = iter_import(Path(entry.take), start, complete, context.scene, limit)
        session.change_clip(slices, f"HMDiff {entry.name}")


class HMDIFF_OT_queue_clear(OfQueue, bpy.types.Operator):
    """Take the clips that are done out of the list; their takes stay on disk"""

    bl_idname = "hmdiff.queue_clear"
    bl_label = "Remove Done"

    def change(self, context: Any, queue: Any) -> None:
        queue.clear_done()


class HMDIFF_OT_queue_load(OfQueue, bpy.types.Operator):
    """Add the clips of a batch.json, such as one of `hmdiff batch`: results to import, the rest to work off"""

    bl_idname = "hmdiff.queue_load"
    bl_label = "Load Batch"

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})

    def invoke(self, context: Any, event: Any) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def change(self, context: Any, queue: Any) -> None:
        from hmdiff_wire.batch import recovered

        known = {entry.id for entry in queue.batch.entries}
        found = recovered(read_batch(Path(bpy.path.abspath(self.filepath))))
        queue.add([entry for entry in found.entries if entry.id not in known])


class HMDIFF_OT_queue_summary(Speaking, bpy.types.Operator):
    """Open the page about the queue: pictures, quality, failures with reasons; it is made anew if need be"""

    bl_idname = "hmdiff.queue_summary"
    bl_label = "Summary"

    def work(self, context: Any) -> set[str]:
        made = queue_view.summary()
        if made.page is not None and made.page.is_file():
            bpy.ops.wm.url_open(url=made.page.as_uri())
            return {"FINISHED"}
        session.get()
        queue_view.make_summary()
        session.wake()
        if made.problem is not None:
            raise made.problem.to_error()
        return {"FINISHED"}


CLASSES = (
    HMDIFF_OT_queue_add, HMDIFF_OT_queue_add_files, HMDIFF_OT_queue_start, HMDIFF_OT_queue_pause,
    HMDIFF_OT_queue_move, HMDIFF_OT_queue_remove, HMDIFF_OT_queue_retry, HMDIFF_OT_queue_preset,
    HMDIFF_OT_queue_import, HMDIFF_OT_queue_clear, HMDIFF_OT_queue_load, HMDIFF_OT_queue_summary,
)  # fmt: skip
