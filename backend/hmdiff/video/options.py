"""What a run may be told, by the command line or the server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

Box = tuple[float, float, float, float]
PEOPLE = ("all", "largest")
DETECTORS = ("blazepose", "rtmlib", "rtmlib-light", "rtmlib-large")


@dataclass(frozen=True)
class RunOptions:
    """preset: one of ``models.config.SPEEDS``, or ``paper``; hypotheses, steps: None takes the preset's;
    person: ``all``, or ``largest`` for only the one who is largest when somebody is first seen; boxes: people by hand
    in the first frame of the range, full-image px; detector: one of DETECTORS; detector_models: the folder of its
    files, for those of rtmlib; keypoints, masks: outside detections instead of any detector; body: a body in SMPL's
    format, None for the free one; focal: px; frame_range: first and end; smooth: seconds, None for the default;
    raw_vertices: also store HMDiff's own mesh of every frame.
    """

    preset: str = "default"
    hypotheses: int | None = None
    steps: int | None = None
    seed: int = 0
    device: str = "auto"
    person: str = "all"
    boxes: tuple[Box, ...] = ()
    detector: str = "blazepose"
    detector_models: Path | None = None
    keypoints: Path | None = None
    masks: Path | None = None
    body: Path | None = None
    focal: float | None = None
    frame_range: tuple[int, int | None] | None = None
    smooth: float | None = None
    raw_vertices: bool = False

    def to_settings(self) -> dict[str, Any]:
        """JSON for the take's header; paths whole, so that they hold in another working folder."""
        return {
            name: str(value.resolve()) if isinstance(value, Path) else value
            for name, value in self.__dict__.items()
            if value is not None and value != ()
        }

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> RunOptions:
        """What ``to_settings`` gave, by way of JSON. Raises KeyError, TypeError or ValueError for anything else."""
        names = {one.name for one in fields(cls)}
        if not names.issuperset(settings):
            raise KeyError(f"unknown settings {sorted(set(settings) - names)}")
        values = dict(settings)
        for name in ("detector_models", "keypoints", "masks", "body"):
            if name in values:
                values[name] = Path(values[name])
        if "boxes" in values:
            boxes = [[float(number) for number in box] for box in values["boxes"]]
            values["boxes"] = tuple((x0, y0, x1, y1) for x0, y0, x1, y1 in boxes)
        if "frame_range" in values:
            first, end = values["frame_range"]
            values["frame_range"] = (int(first), None if end is None else int(end))
        return cls(**values)
