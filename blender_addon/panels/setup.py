"""The set-up of the backend, in the sidebar and in the preferences: one sentence, one button."""

from __future__ import annotations

from typing import Any

from .. import session
from ..core.cost import duration
from ..core.state import AppState
from ..core.words import backend_words
from .base import paragraph

OPERATORS = {"setup": "hmdiff.set_up", "repair": "hmdiff.set_up", "allow": "hmdiff.allow_online"}


def needs_set_up(state: AppState) -> bool:
    """The backend's problem is one that the set-up is about."""
    problem = state.backend.problem
    return problem is not None and problem.about_set_up


def draw_set_up(layout: Any, context: Any, state: AppState) -> None:
    """What there is to say about it: nothing while there is a backend and it is the newest."""
    if state.backend.phase == "installing":
        now = state.backend.set_up
        column = layout.column(align=True)
        left = f" ({duration(now.eta)} left)" if now.eta else ""
        column.progress(factor=now.share, type="BAR", text=f"Set-up {now.share:.0%}{left}")
        paragraph(column, context, f"{now.text}.")
        row = column.row()
        row.scale_y = 1.3
        row.operator("hmdiff.stop_backend", text="Stop", icon="CANCEL")
        return
    look = session.look()
    if needs_set_up(state):
        words = backend_words(state.backend, None, look.possible)
        box = layout.box()
        first = state.backend.problem is not None and state.backend.problem.kind == "setup.none"
        paragraph(box, context, words.text, "IMPORT" if first else "ERROR")
        paragraph(box, context, words.fix)
        if words.button and words.button.action in OPERATORS:
            row = box.row(align=True)
            row.scale_y = 1.5
            size = f" ({look.megabytes:.0f} MB)" if first and look.megabytes else ""
            button = row.operator(OPERATORS[words.button.action], text=words.button.label + size, icon="IMPORT")
            if words.button.action == "repair":
                button.anew = True
            if not first:
                row.operator("hmdiff.copy_report", text="", icon="COPYDOWN")
        if state.active_job is not None:
            paragraph(box, context, "Your run goes on by itself afterwards.", "TIME")
    elif look.outdated and state.active_job is None:
        row = layout.row()
        paragraph(row, context, "The add-on brings a newer backend.", "INFO", 0.68)
        side = row.row()
        side.alignment = "RIGHT"
        side.operator("hmdiff.set_up", text="Upgrade")
