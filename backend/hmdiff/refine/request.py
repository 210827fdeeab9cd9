"""What a person asks of refinement, as data: edits, locks, choices and how far they reach. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hmdiff_wire.body import JOINT_NAMES
from hmdiff_wire.landmarks import LANDMARK_NAMES

Method = Literal["score", "smplify"]
Quality = Literal["live", "fast", "thorough", "published"]
METHODS: tuple[Method, ...] = ("score", "smplify")
QUALITIES: tuple[Quality, ...] = ("live", "fast", "thorough", "published")
N_LANDMARKS, N_JOINTS = len(LANDMARK_NAMES), len(JOINT_NAMES)
N_POINTS = N_LANDMARKS + N_JOINTS
"""Keypoints of an edited frame: the 33 landmarks, then the body's 24 joints."""
SPREAD = 8
USUAL_CALM = 0.1
"""Seconds; detections shake."""
ONLY_PERSON = -1
"""The track of an edit in a take of one person."""


@dataclass(frozen=True)
class KeypointEdit:
    """frame: index in the source; track_id; point: 0..32 a landmark, 33..56 joint 0..23; x, y px; confidence 0..1;
    remove: the keypoint is taken away instead, x and y mean nothing.
    """

    frame: int
    track_id: int
    point: int
    x: float = 0.0
    y: float = 0.0
    confidence: float = 1.0
    remove: bool = False

    @property
    def place(self) -> tuple[int, int, int]:
        """What a later edit of the same keypoint replaces."""
        return self.frame, self.track_id, self.point

    def to_dict(self) -> dict[str, Any]:
        """As clients send it and ``version.json`` holds it."""
        where = {"frame": self.frame, "track_id": self.track_id, "joint": point_name(self.point)}
        if self.remove:
            return {**where, "remove": True}
        return {**where, "x": self.x, "y": self.y, "confidence": self.confidence, "remove": False}


@dataclass(frozen=True)
class Lock:
    """track_id None: everybody in the frame."""

    frame: int
    track_id: int | None = None


@dataclass(frozen=True)
class Choice:
    """hypothesis (-1: the estimate as it was) from ``frame`` to before ``end``; track_id None: everybody."""

    frame: int
    end: int
    hypothesis: int
    track_id: int | None = None


@dataclass(frozen=True)
class RefineRequest:
    """Each field as docs/protocol.md tells it. detections None: true where nothing else is wished; smooth None: as much
    as following the detections needs.
    """

    edits: tuple[KeypointEdit, ...] = ()
    spread: int = SPREAD
    frame_range: tuple[int, int | None] | None = None
    track_ids: tuple[int, ...] | None = None
    lock: tuple[Lock, ...] = ()
    choose: tuple[Choice, ...] = ()
    smooth: float | None = None
    feet: bool = False
    floor: bool = False
    detections: bool | None = None
    focal: bool = False
    method: Method = "score"
    quality: Quality = "fast"
    forget: bool = False
    write: bool = True
    vertices: bool = False

    @property
    def calm(self) -> float:
        """Seconds of smoothing."""
        return (USUAL_CALM if self.pulls_detections else 0.0) if self.smooth is None else self.smooth

    @property
    def whole_range(self) -> bool:
        """Whether all frames of the range change and not only those near edits and choices."""
        if self.detections is not None and self.detections:
            return True
        return bool(self.smooth or self.feet or self.floor) or self.pulls_detections

    @property
    def pulls_detections(self) -> bool:
        if self.detections is not None:
            return self.detections
        return not (self.edits or self.choose or self.smooth or self.feet or self.floor)

    def wishes(self) -> dict[str, Any]:
        """All but the edits, as JSON, for the record of a version; defaults left out."""
        plain = {
            name: getattr(self, name)
            for name in ("spread", "smooth", "feet", "floor", "detections", "focal", "method", "quality", "forget")
            if getattr(self, name) != getattr(_NOTHING, name)
        }
        if self.frame_range:
            plain["frame_range"] = list(self.frame_range)
        if self.track_ids is not None:
            plain["track_ids"] = list(self.track_ids)
        for name in ("lock", "choose"):
            if getattr(self, name):
                plain[name] = [vars(one) for one in getattr(self, name)]
        return plain


def point_name(point: int) -> str:
    return f"landmark:{LANDMARK_NAMES[point]}" if point < N_LANDMARKS else JOINT_NAMES[point - N_LANDMARKS]


_SAME_PLACE: Mapping[str, tuple[str, ...]] = {
    "left_wrist": ("left_wrist", "left_pinky", "left_index", "left_thumb"),
    "right_wrist": ("right_wrist", "right_pinky", "right_index", "right_thumb"),
    "left_hand": ("left_pinky", "left_index", "left_thumb"),
    "right_hand": ("right_pinky", "right_index", "right_thumb"),
    "left_ankle": ("left_ankle", "left_heel", "left_foot_index"),
    "right_ankle": ("right_ankle", "right_heel", "right_foot_index"),
    "left_foot": ("left_foot_index",), "right_foot": ("right_foot_index",), "head": LANDMARK_NAMES[:11],
}  # fmt: skip


def detected_here(point: int) -> tuple[int, ...]:
    """The detector's landmarks that an edit of this keypoint overrules."""
    name = point_name(point).removeprefix("landmark:")
    names = _SAME_PLACE.get(name, (name,)) if point >= N_LANDMARKS else (name,)
    return tuple(LANDMARK_NAMES.index(one) for one in names if one in LANDMARK_NAMES)


def in_force(before: tuple[KeypointEdit, ...], now: tuple[KeypointEdit, ...]) -> tuple[KeypointEdit, ...]:
    """Earlier edits with later ones of the same keypoint in their place."""
    found = {one.place: one for one in before}
    found.update({one.place: one for one in now})
    return tuple(sorted(found.values(), key=lambda one: one.place))


_NOTHING = RefineRequest()
