"""Who is meant, by boxes drawn over the people in the footage."""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np
from bpy.props import FloatVectorProperty
from hmdiff_wire.errors import HmdiffError

from .. import footage_choice, request, session
from ..overlays import stage
from .base import Speaking

CHOSEN, LEFT_OUT, DRAWN = (0.3, 1.0, 0.35, 0.9), (0.6, 0.6, 0.6, 0.7), (1.0, 0.95, 0.3, 0.95)
SMALLEST = 8.0
"""Pixels of the picture; a smaller box was a slip of the hand."""


def add_box(context: Any, box: list[float]) -> None:
    """x0, y0, x1, y1 px: one more person who is meant. Errors: no footage is chosen."""
    key = request.people_key(request.for_people(context))
    found = context.window_manager.hmdiff
    if found.found_for != key:
        found.people.clear()
        found.found_for = key
    person = found.people.add()
    person.name = f"Box {len(found.people)}, {box[3] - box[1]:.0f} px tall"
    person.box, person.use = box, True
    context.scene.hmdiff.people = "chosen"


class HMDIFF_OT_add_box(Speaking, bpy.types.Operator):
    """Add a person by the box around them, in pixels of the footage"""

    bl_idname = "hmdiff.add_box"
    bl_label = "Add Box"
    bl_options = {"INTERNAL"}

    box: FloatVectorProperty(size=4, description="Left, upper, right and lower edge in pixels")

    def work(self, context: Any) -> set[str]:
        x0, y0, x1, y1 = self.box
        box = [min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)]
        if box[2] - box[0] < SMALLEST or box[3] - box[1] < SMALLEST:
            raise HmdiffError("people.small_box", "This box is too small.", "Draw it around the whole person.")
        add_box(context, [float(value) for value in box])
        return {"FINISHED"}


class HMDIFF_OT_draw_boxes(Speaking, bpy.types.Operator):
    """Draw a box around each person who is meant, over the first frame of the range; Enter ends it"""

    bl_idname = "hmdiff.draw_boxes"
    bl_label = "Draw Boxes"

    @classmethod
    def poll(cls, context: Any) -> bool:
        return session.state().active_job is None and context.area is not None and context.area.type == "VIEW_3D"

    def invoke(self, context: Any, event: Any) -> set[str]:
        settings = context.scene.hmdiff
        try:
            footage = footage_choice.chosen(settings, context.scene)
            first = settings.first if settings.use_range else 1
            self._stage = stage.begin(context.space_data, context.scene, footage, first)
        except HmdiffError as error:
            self.report({"ERROR"}, f"{error.message} {error.fix}")
            return {"CANCELLED"}
        self._space, self._area = context.space_data, context.area
        self._region = next(region for region in context.area.regions if region.type == "WINDOW")
        self._start: tuple[int, int] | None = None
        self._now = (0, 0)
        self._drawing = bpy.types.SpaceView3D.draw_handler_add(self._draw, (), "WINDOW", "POST_PIXEL")
        context.window_manager.modal_handler_add(self)
        said = "Draw a box around each person. Backspace takes the last one back, Enter or Esc ends."
        context.area.header_text_set(said)
        context.area.tag_redraw()
        return {"RUNNING_MODAL"}

    def modal(self, context: Any, event: Any) -> set[str]:
        where = (event.mouse_x - self._region.x, event.mouse_y - self._region.y)
        inside = 0 <= where[0] < self._region.width and 0 <= where[1] < self._region.height
        self._now = where
        self._area.tag_redraw()
        if event.type in ("RET", "NUMPAD_ENTER", "ESC", "RIGHTMOUSE") and event.value == "PRESS":
            self._end(context)
            return {"FINISHED"}
        if event.type == "BACK_SPACE" and event.value == "PRESS":
            people = context.window_manager.hmdiff.people
            if len(people):
                people.remove(len(people) - 1)
            return {"RUNNING_MODAL"}
        if event.type == "LEFTMOUSE" and event.value == "PRESS" and inside:
            self._start = where
            return {"RUNNING_MODAL"}
        if event.type == "LEFTMOUSE" and event.value == "RELEASE" and self._start is not None:
            look = stage.look(self._stage, self._region, self._space.region_3d)
            if look is not None:
                box = [*look.to_picture(self._start), *look.to_picture(where)]
                if abs(box[2] - box[0]) >= SMALLEST and abs(box[3] - box[1]) >= SMALLEST:
                    bpy.ops.hmdiff.add_box(box=box)
            self._start = None
            return {"RUNNING_MODAL"}
        if event.type in ("MOUSEMOVE", "INBETWEEN_MOUSEMOVE"):
            return {"RUNNING_MODAL"}
        return {"PASS_THROUGH"}

    def cancel(self, context: Any) -> None:
        self._end(context)

    def _end(self, context: Any) -> None:
        bpy.types.SpaceView3D.draw_handler_remove(self._drawing, "WINDOW")
        stage.end(self._stage, self._space)
        self._area.header_text_set(None)
        self._area.tag_redraw()

    def _draw(self) -> None:
        from ..overlays import paint

        if bpy.context.area != self._area:
            return
        look = stage.look(self._stage, self._region, self._space.region_3d)
        if look is None:
            return
        width = 2.0 * bpy.context.preferences.system.ui_scale
        for person in bpy.context.window_manager.hmdiff.people:
            x0, y0, x1, y1 = person.box
            (left, upper), (right, lower) = look.to_region(np.array([[x0, y0], [x1, y1]])).tolist()
            paint.draw_box((left, upper), (right, lower), CHOSEN if person.use else LEFT_OUT, width)
        if self._start is not None:
            paint.draw_box(self._start, self._now, DRAWN, width)


CLASSES = (HMDIFF_OT_add_box, HMDIFF_OT_draw_boxes)
