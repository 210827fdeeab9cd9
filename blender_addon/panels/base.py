"""Where our panels are, and text that fits them."""

from __future__ import annotations

import textwrap
from typing import Any

from ..core.remedies import remedy
from ..core.state import Problem


class Tab:
    """Mix-in: the HMDiff tab of the 3D view's sidebar."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "HMDiff"


def paragraph(layout: Any, context: Any, text: str, icon: str = "NONE", share: float = 1.0) -> None:
    """A text broken into lines as wide as this share of the sidebar; labels do not do that by themselves."""
    scale = context.preferences.system.ui_scale
    width = (context.region.width if context.region else 260) / scale
    column = layout.column(align=True)
    for number, line in enumerate(textwrap.wrap(text, max(14, int((share * width - 50) / 6.4)))):
        column.label(text=line, icon=icon if number == 0 else ("BLANK1" if icon != "NONE" else "NONE"))


def problem_box(layout: Any, context: Any, problem: Problem) -> None:
    """An error as a sentence and its fix."""
    box = layout.box()
    paragraph(box, context, problem.message, "ERROR")
    if problem.fix:
        paragraph(box, context, problem.fix)
    row = box.row(align=True)
    mends = remedy(problem)
    if mends is not None:
        row.operator(mends.operator, text=mends.label)
    row.operator("hmdiff.dismiss", icon="CHECKMARK")
    row.operator("hmdiff.copy_report", text="", icon="COPYDOWN")
