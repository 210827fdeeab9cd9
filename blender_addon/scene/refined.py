"""What the backend refined comes into the clip: it follows the new version of its take."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import Take
from hmdiff_wire.take_version import read_version

from ..edits.record import Edits
from . import naming, stored_edits
from .opened import folder_of
from .replay import iter_replay


def iter_follow(clip: str, folder: Path) -> Generator[object, None, None]:
    """Let the clip with this uuid play the version in ``folder``, in slices. Errors: ``clip.none``, ``take.*``."""
    root = next(iter(naming.find("clip", clip)), None)
    if root is None:
        raise HmdiffError("clip.none", "The clip that was corrected is gone.", "Undo, or import its take again.")
    stored_edits.remember(root)
    version = read_version(folder)
    frames: dict[int, set[int]] = {}
    for one in version.edits:
        frames.setdefault(int(one["track_id"]), set()).add(int(one["frame"]))
    corrected = {track: tuple(sorted(found)) for track, found in frames.items()}
    yield from iter_replay(root, stored_edits.edits_of(root).baked(version.number, corrected))


def edits_in_force(root: Any) -> tuple[Mapping[str, Any], ...]:
    """The keypoint edits that the clip's version of its take holds (docs/protocol.md). Errors: ``take.missing``."""
    return read_version(folder_of(root, stored_edits.edits_of(root).version)).edits


def wishes(edits: Edits, take: Take) -> dict[str, Any]:
    """What a refinement has to know of the artist's edits: chosen hypotheses and locked frames, as its options."""
    choose, lock = [], []
    tracks = take.track_ids.tolist()
    for track, person in edits.people.items():
        if track not in tracks:
            continue
        seen = take.frame_indices[take.valid[tracks.index(track)]]
        for pick in person.picks:
            inside = seen[(seen >= pick.first) & (seen <= pick.last)]
            if len(inside):
                first, end = int(inside[0]), int(inside[-1]) + 1
                choose.append({"frame": first, "end": end, "track_id": track, "hypothesis": pick.hypothesis})
        lock += [{"frame": one.frame, "track_id": track} for one in person.locks if (seen == one.frame).any()]
    return {name: value for name, value in (("choose", choose), ("lock", lock)) if value}
