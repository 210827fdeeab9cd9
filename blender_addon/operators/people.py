"""Who is in the footage: asks the backend, shows them in the list of the panel."""

from __future__ import annotations

from typing import Any

import bpy

from .. import request, session
from ..core.events import RunAsked
from .base import Speaking


class HMDIFF_OT_find_people(Speaking, bpy.types.Operator):
    """Look for people in the first frame of the range, to choose among them"""

    bl_idname = "hmdiff.find_people"
    bl_label = "Find People"

    @classmethod
    def poll(cls, context: Any) -> bool:
        return session.state().active_job is None

    def work(self, context: Any) -> set[str]:
        wanted = request.for_people(context)
        found = context.window_manager.hmdiff
        found.people.clear()
        found.found_for = request.people_key(wanted)
        session.dispatch(RunAsked(wanted, request.new_id()))
        return {"FINISHED"}


CLASSES = (HMDIFF_OT_find_people,)
