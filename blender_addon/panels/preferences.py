"""Edit > Preferences > Add-ons > HMDiff: the backend, where it is and where takes go."""

from __future__ import annotations

from typing import Any

from .. import session
from ..core.words import backend_words
from .setup import draw_set_up, needs_set_up


def draw_preferences(layout: Any, context: Any, preferences: Any) -> None:
    state, look = session.state(), session.look()
    box = layout.box()
    if not needs_set_up(state) and state.backend.phase != "installing":
        box.label(text=backend_words(state.backend, state.job, look.possible).text, icon="NETWORK_DRIVE")
    draw_set_up(box, context, state)
    if look.version:
        box.label(text=f"Backend {look.version} for {'NVIDIA cards' if look.accelerator == 'cuda' else 'processors'}")
    if look.possible and state.backend.phase != "installing":
        row = box.row(align=True)
        if look.version:
            row.operator("hmdiff.set_up", text="Repair", icon="TOOL_SETTINGS").anew = True
        if look.before:
            row.operator("hmdiff.earlier_backend", text=f"Back to {look.before}", icon="LOOP_BACK")
        row.operator("hmdiff.copy_report", icon="COPYDOWN")
    column = layout.column()
    column.use_property_split = True
    column.prop(preferences, "accelerator")
    column.prop(preferences, "environment")
    column.prop(preferences, "backend", text="Made by hand")
    column.prop(preferences, "takes")
    column.prop(preferences, "shape_keys")
    column.prop(preferences, "follow_drags")
