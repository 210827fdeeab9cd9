"""What a tracker knows as data, so that a run that was ended goes on with the same people under the same ids.

Numbers keep every bit: a tracker that was written down and read again does what it would have done without.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .observation import N_LANDMARKS, Array, Crop, Observation
from .track import Track

Data = dict[str, Any]


def observation_data(one: Observation) -> Data:
    """What following a person needs of an Observation: neither heatmaps, mask nor depth."""
    return {
        "track_id": one.track_id, "status": one.status, "box": _list(one.box), "crop": _crop_data(one.crop),
        "landmarks_2d": _list(one.landmarks_2d), "confidence": _list(one.confidence), "quality": float(one.quality),
        "source": one.source,
    }  # fmt: skip


def observation_from(data: Mapping[str, Any]) -> Observation:
    """Raises KeyError, TypeError or ValueError for what is none."""
    return Observation(
        track_id=int(data["track_id"]), status=str(data["status"]), box=_array(data["box"], (4,)),
        crop=_crop_from(data["crop"]), landmarks_2d=_array(data["landmarks_2d"], (N_LANDMARKS, 2)),
        confidence=_array(data["confidence"], (N_LANDMARKS,)),
        landmarks_z=np.full(N_LANDMARKS, np.nan, np.float32),
        landmarks_world=np.full((N_LANDMARKS, 3), np.nan, np.float32), heatmaps=None, mask=None,
        quality=float(data["quality"]), source=str(data["source"]),
    )  # fmt: skip


def track_data(track: Track) -> Data:
    return {
        "last": observation_data(track.last), "crop": _crop_data(track.crop), "time": track.time,
        "frames": track.frames, "confirmed": track.confirmed, "lost": track.lost, "rescued": since(track.rescued),
        "velocity": _list(track.velocity),
    }  # fmt: skip


def track_from(data: Mapping[str, Any]) -> Track:
    """Raises KeyError, TypeError or ValueError for what is none."""
    last = observation_from(data["last"])
    return Track(
        last.track_id, last, _crop_from(data["crop"]), float(data["time"]), int(data["frames"]),
        bool(data["confirmed"]), bool(data["lost"]), since_from(data["rescued"]), _array(data["velocity"], (2,)),
    )  # fmt: skip


def since(time: float) -> float | None:
    """JSON has no minus infinity, which stands for never."""
    return float(time) if np.isfinite(time) else None


def since_from(value: float | None) -> float:
    return -np.inf if value is None else float(value)


def _crop_data(crop: Crop) -> list[float]:
    return [*_list(crop.center), float(crop.size), float(crop.angle)]


def _crop_from(values: Any) -> Crop:
    x, y, size, angle = (float(value) for value in values)
    return Crop(np.array([x, y], np.float32), size, angle)


def _list(array: NDArray[Any]) -> list[Any]:
    return np.asarray(array, np.float64).tolist()


def _array(values: Any, shape: tuple[int, ...]) -> Array:
    array = np.asarray(values, np.float32)
    if array.shape != shape or not np.isfinite(array).all():
        raise ValueError(f"numbers of shape {array.shape}, expected {shape}")
    return array
