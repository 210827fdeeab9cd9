"""The hypotheses of the current frame: look at them, use one here, lock what is right."""

from __future__ import annotations

import math
from typing import Any

import bpy

from .. import session
from ..overlays import ghosts
from ..scene import clips, stored_edits
from .base import Tab, paragraph

LISTED = 8


class HMDIFF_PT_picker(Tab, bpy.types.Panel):
    bl_label = "Hypotheses"
    bl_parent_id = "HMDIFF_PT_clip"

    @classmethod
    def poll(cls, context: Any) -> bool:
        root = clips.chosen_root(context)
        return root is not None and not clips.info(root).running and clips.info(root).hypotheses > 0

    def draw(self, context: Any) -> None:
        layout, work = self.layout, context.window_manager.hmdiff_work
        root = clips.chosen_root(context)
        row = layout.row(align=True)
        row.prop(work, "ghosts", text="Ghosts", icon="GHOST_ENABLED" if work.ghosts else "GHOST_DISABLED")
        row.operator("hmdiff.side_view", icon="VIEW_ORTHO")
        found = ghosts.current() if work.ghosts else None
        row = layout.row(align=True)
        row.operator("hmdiff.candidate", text="", icon="TRIA_LEFT").step = -1
        row.label(text=_words(found, work.candidate))
        row.operator("hmdiff.candidate", text="", icon="TRIA_RIGHT").step = 1
        if found is not None:
            _list(layout, found, work.candidate)
        column = layout.column(align=True)
        row = column.row(align=True)
        row.enabled = work.candidate >= 0
        row.operator("hmdiff.use_here", icon="CHECKMARK")
        column.operator("hmdiff.use_here", text="Use Estimate Here").hypothesis = -1
        column.operator("hmdiff.lock_frame", text="Lock / Unlock Frame", icon="LOCKED")
        _said(layout, context, root)


def _words(found: ghosts.Ghosts | None, candidate: int) -> str:
    rank = found.rank(candidate) if found is not None else 0
    if found is None or not rank:
        return "None chosen"
    return f"{rank} of {len(found.order)}: hypothesis {candidate + 1}"


def _list(layout: Any, found: ghosts.Ghosts, candidate: int) -> None:
    column = layout.column(align=True)
    for rank, hypothesis in enumerate(found.order[:LISTED], start=1):
        score = float(found.score[hypothesis])
        words = f"{score:+.1f} mm" if math.isfinite(score) else "not scored"
        text = f"{rank}.  Hypothesis {hypothesis + 1}   {words}"
        column.operator("hmdiff.candidate", text=text, depress=hypothesis == candidate).index = hypothesis


def _said(layout: Any, context: Any, root: Any) -> None:
    edits = stored_edits.edits_of(root)
    picks = sum(len(person.picks) for person in edits.people.values())
    locks = sum(len(person.locks) for person in edits.people.values())
    parts = [
        f"{count} {word}{'s' if count > 1 else ''}" for count, word in ((picks, "choice"), (locks, "lock")) if count
    ]
    if edits.version > 1:
        parts.append(f"corrected (version {edits.version})")
    if parts:
        paragraph(layout, context, ", ".join(parts))
        layout.operator("hmdiff.drop_edits", icon="LOOP_BACK")
    if stored_edits.is_stale(root) and not session.is_changing():
        paragraph(layout, context, "A change of this clip was cut short.", "INFO")
        layout.operator("hmdiff.finish_edits")


CLASSES = (HMDIFF_PT_picker,)
