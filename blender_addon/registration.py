"""Everything Blender is told about, in the order it needs."""

from __future__ import annotations

import bpy

from . import (
    character,
    corrections,
    export_process,
    export_settings,
    following,
    handlers,
    handles,
    operators,
    panels,
    people,
    preferences,
    properties,
    queue_view,
    session,
    working,
)

CLASSES = (
    preferences.HMDIFF_AP_preferences,
    *properties.CLASSES,
    *working.CLASSES,
    *character.CLASSES,
    *export_settings.CLASSES,
    *queue_view.CLASSES,
    *operators.CLASSES,
    *panels.CLASSES,
    *handles.CLASSES,
)


def register() -> None:
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    properties.register()
    working.register()
    character.register()
    export_settings.register()
    export_process.register()
    queue_view.register()
    handlers.register()


def unregister() -> None:
    following.forget()
    session.close()
    export_process.unregister()
    corrections.forget()
    handlers.unregister()
    people.close()
    export_settings.unregister()
    character.unregister()
    queue_view.unregister()
    working.unregister()
    properties.unregister()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)
