"""The protocol's version and what each one changed. The take has its own (``take_format.VERSION``)."""

from __future__ import annotations

from .errors import HmdiffError

Version = tuple[int, int]

PROTOCOL_VERSION: Version = (1, 3)
"""(major, minor). A higher minor only adds messages and fields that the other side may pass over; a higher major is
refused by both sides with a sentence."""

CHANGELOG: dict[Version, str] = {
    (1, 0): "Hello, submit by path, progress, frames as they finish, cancel, ping.",
    (1, 1): "People in one frame, resume, attach, uploads, pushed frames with credit, meshes and files of a take, "
    "heartbeat, shutdown, CURVE.",
    (1, 2): "Jobs of kind refine: a take in, a new version of it out.",
    (1, 3): "Refinement while a drag goes on: quality live, vertices in frames, refine_qualities in the capabilities.",
}


def spoken(version: Version) -> str:
    return f"{version[0]}.{version[1]}"


def check_version(theirs: Version, ours: Version = PROTOCOL_VERSION) -> None:
    """Errors: ``protocol.version`` when the two majors differ."""
    if theirs[0] == ours[0]:
        return
    behind = "this side" if theirs[0] > ours[0] else "the other side"
    raise HmdiffError(
        "protocol.version",
        f"The Blender add-on and the backend do not fit together (protocol {spoken(theirs)} meets {spoken(ours)}).",
        "Install the add-on and the backend of the same HMDiff release.",
        f"{behind} is the older one",
    )
