"""Setting up the backend on this computer, and going back to the one before."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import BoolProperty
from hmdiff_wire.errors import HmdiffError

from .. import preferences, session
from ..core import setup_place
from ..core.events import SetUpAsked
from .base import Speaking


class HMDIFF_OT_set_up(Speaking, bpy.types.Operator):
    """Fetch the backend into a folder of its own. Blender stays usable; what is stopped can be gone on with"""

    bl_idname = "hmdiff.set_up"
    bl_label = "Set Up"

    anew: BoolProperty(
        name="Anew", description="Make it again even where it looks whole", default=False, options={"SKIP_SAVE"}
    )

    def work(self, context: Any) -> set[str]:
        session.dispatch(SetUpAsked(online=bool(bpy.app.online_access), anew=self.anew))
        return {"FINISHED"}


class HMDIFF_OT_allow_online(Speaking, bpy.types.Operator):
    """Let Blender use the internet (Preferences > System > Network), which the set-up needs"""

    bl_idname = "hmdiff.allow_online"
    bl_label = "Allow Online Access"

    def work(self, context: Any) -> set[str]:
        context.preferences.system.use_online_access = True
        if not bpy.app.online_access:
            raise HmdiffError(
                "setup.offline", "This Blender was started to stay offline.",
                "Start it without --offline-mode, or choose a backend made by hand in the add-on's preferences.",
            )  # fmt: skip
        session.dispatch(SetUpAsked(online=True))
        return {"FINISHED"}


class HMDIFF_OT_earlier_backend(Speaking, bpy.types.Operator):
    """Use the backend that was there before the last upgrade"""

    bl_idname = "hmdiff.earlier_backend"
    bl_label = "Back to the One Before"

    @classmethod
    def poll(cls, context: Any) -> bool:
        return session.state().active_job is None and session.state().backend.phase in ("stopped", "failed", "absent")

    def work(self, context: Any) -> set[str]:
        setup_place.go_back(preferences.environment_folder())
        session.look_again()
        return {"FINISHED"}


CLASSES = (HMDIFF_OT_set_up, HMDIFF_OT_allow_online, HMDIFF_OT_earlier_backend)
