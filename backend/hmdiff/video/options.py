"""What a run may be told, by the command line or the server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class RunOptions:
    """preset: ``default``, ``preview``, ``quality`` or ``paper``; hypotheses, steps: None takes the preset's;
    boxes: people by hand, full-image px; keypoints, masks: outside detections instead of the detector; body: a body in
    SMPL's format, None for the free one; focal: px; frame_range: first and end; smooth: seconds, None for the default;
    raw_vertices: also store HMDiff's own mesh of every frame.
    """

    preset: str = "default"
    hypotheses: int | None = None
    steps: int | None = None
    seed: int = 0
    device: str = "auto"
    boxes: tuple[Box, ...] = ()
    keypoints: Path | None = None
    masks: Path | None = None
    body: Path | None = None
    focal: float | None = None
    frame_range: tuple[int, int | None] | None = None
    smooth: float | None = None
    raw_vertices: bool = False

    def to_settings(self) -> dict[str, Any]:
        """JSON for the take's header."""
        return {
            name: str(value) if isinstance(value, Path) else value
            for name, value in self.__dict__.items()
            if value is not None and value != ()
        }
