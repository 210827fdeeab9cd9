"""The summary of a batch as one HTML page: what came out, how good, what failed and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from .batch import Batch, Entry, EntryState

NAMES: dict[EntryState, str] = {
    "waiting": "waiting",
    "running": "in work",
    "done": "done",
    "failed": "failed",
    "stopped": "stopped",
}
COLOURS = {"waiting": "#888", "running": "#36c", "done": "#2a7d3c", "failed": "#b3261e", "stopped": "#b36b00"}
STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 70em; padding: 0 1em; color: #222; }
table { border-collapse: collapse; width: 100%; } td, th { padding: .5em .7em; text-align: left; vertical-align: top; }
tr { border-top: 1px solid #ddd; } img { width: 240px; border-radius: 4px; display: block; }
.state { font-weight: 600; } .fix, .path { color: #666; } .path { font-size: 12px; overflow-wrap: anywhere; }
@media (prefers-color-scheme: dark) { body { background: #1d1d1d; color: #ddd; } tr { border-color: #444; } }
"""


def summary_page(batch: Batch, thumbnails: Mapping[str, str]) -> str:
    """thumbnails: by the entries' ids, paths relative to the page."""
    rows = "\n".join(_row(entry, thumbnails.get(entry.id, "")) for entry in batch.entries)
    title = escape(batch.name or "Batch")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
        f"</head><body>\n<h1>{title}</h1>\n<p>{escape(spoken(batch))}</p>\n<table>\n"
        "<tr><th></th><th>Clip</th><th>Result</th><th>Quality</th></tr>\n"
        f"{rows}\n</table>\n</body></html>\n"
    )


def spoken(batch: Batch) -> str:
    """``5 of 7 clips done, 1 failed, 1 waiting, in 3 min 20 s.``"""
    parts = [f"{batch.count('done')} of {len(batch.entries)} clip{'s' * (len(batch.entries) != 1)} done"]
    parts += [f"{batch.count(state)} {NAMES[state]}" for state in NAMES if state != "done" and batch.count(state)]
    seconds = round(sum(entry.seconds for entry in batch.entries))
    spent = f", in {seconds // 60} min {seconds % 60} s" if seconds >= 60 else f", in {seconds} s" if seconds else ""
    return f"{', '.join(parts)}{spent}."


def quality_lines(quality: Mapping[str, Any]) -> list[str]:
    """The figures of ``Entry.quality`` as short sentences; {} gives none."""
    lines: list[str] = []
    frames, people = quality.get("frames"), quality.get("people")
    if frames:
        one = "person" if people == 1 else "people"
        lines.append(f"{people} {one}, {frames} frame{'s' * (frames != 1)}")
    if frames and quality.get("unseen"):
        lines.append(f"nobody seen in {quality['unseen']} of them ({100 * quality['unseen'] / frames:.0f} %)")
    if quality.get("held"):
        lines.append(f"pose held over {quality['held']} missed frames")
    if quality.get("confidence") is not None:
        lines.append(f"detector's confidence {quality['confidence']:.0%}")
    if quality.get("doubt_mm") is not None:
        lines.append(
            f"hypotheses differ by {quality['doubt_mm']:.0f} mm, in the worst frame {quality['worst_mm']:.0f} mm"
        )
    return lines


def _row(entry: Entry, thumbnail: str) -> str:
    picture = f'<img src="{escape(thumbnail, quote=True)}" alt="">' if thumbnail else ""
    state = f'<div class="state" style="color:{COLOURS[entry.state]}">{NAMES[entry.state]}</div>'
    if entry.problem:
        state += f"<div>{escape(str(entry.problem.get('message', '')))}</div>"
        state += f'<div class="fix">{escape(str(entry.problem.get("fix", "")))}</div>'
    if entry.seconds:
        state += f'<div class="fix">{entry.seconds:.0f} s</div>'
    preset = str(entry.options.get("preset", "default"))
    clip = f"<b>{escape(entry.name)}</b> ({escape(preset)})<div class='path'>{escape(entry.source)}</div>"
    if entry.state == "done":
        clip += f"<div class='path'>take: {escape(str(Path(entry.take)))}</div>"
    quality = "<br>".join(escape(line) for line in quality_lines(entry.quality))
    return f"<tr><td>{picture}</td><td>{clip}</td><td>{state}</td><td>{quality}</td></tr>"
