"""The files of other programs: AMASS-style and GVHMR / WHAM-style ``.npz``, 4D-Humans / PHALP and WHAM ``.pkl``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from hmdiff_wire.errors import HmdiffError
from numpy.typing import NDArray

from ..layer import rotation_vectors
from .estimates import Array, Outside, OutsideTrack
from .pickles import read_result

IN_CAMERA = ("smpl_params_incam_", "smpl_params_incam.", "incam_", "incam.", "")


def read_outside(path: Path) -> Outside:
    """Errors: ``outside.unreadable``, ``outside.refused``, ``outside.unknown`` for a file of no known format,
    ``outside.empty``.
    """
    data = _npz(path) if path.suffix.lower() == ".npz" else read_result(path)
    try:
        found = _read(data)
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise _unknown(path, repr(error)) from error
    if found is None:
        raise _unknown(path, f"keys: {list(data)[:20] if isinstance(data, Mapping) else type(data).__name__}")
    if not any(len(track.pose) for track in found.tracks):
        raise HmdiffError("outside.empty", f"{path.name} holds nobody.", "Check that the other program found somebody.")
    return found


def _npz(path: Path) -> dict[str, Any]:
    try:
        with np.load(path, allow_pickle=False) as data:
            return {name: data[name] for name in data.files if data[name].dtype.kind in "biufU"}
    except Exception as error:  # zip and npy damage come as many kinds
        raise HmdiffError(
            "outside.unreadable", f"{path.name} cannot be read as a result.",
            "Name the .npz that the other program wrote; one that holds Python objects is not opened.", repr(error),
        ) from error  # fmt: skip


def _read(data: Any) -> Outside | None:
    if not isinstance(data, Mapping) or not data:
        return None
    if "poses" in data:
        return _amass(data)
    if any(f"{prefix}body_pose" in data for prefix in IN_CAMERA):
        return _parameters(data)
    if all(isinstance(one, Mapping) for one in data.values()):
        first = next(iter(data.values()))
        if "smpl" in first:
            return _phalp(data)
        if "pose" in first:
            return _wham(data)
    return None


def _amass(data: Mapping[str, Any]) -> Outside:
    """poses (F,52*3 or 24*3), trans (F,3): a world, z up; the camera is to be found."""
    poses = np.asarray(data["poses"], np.float32)
    poses = poses.reshape(len(poses), -1)
    rate = next((float(data[name]) for name in ("mocap_framerate", "mocap_frame_rate", "fps") if name in data), 30.0)
    if not rate > 0:
        raise ValueError(f"a frame rate of {rate}")
    trans = np.asarray(data["trans"], np.float32).reshape(-1, 3)
    times = np.arange(len(poses)) / rate
    return Outside((OutsideTrack(0, None, times, _pose72(poses), trans, None),), False, None, "AMASS")


def _parameters(data: Mapping[str, Any]) -> Outside:
    """GVHMR and others: global_orient, body_pose, transl in camera axes; one person (F,...) or several (P,F,...)."""
    prefix = next(one for one in IN_CAMERA if f"{one}body_pose" in data)
    body = np.asarray(data[f"{prefix}body_pose"], np.float32)
    root = np.asarray(data[f"{prefix}global_orient"], np.float32)
    frames_of = np.asarray(data["frame_ids"]).astype(np.int64).ravel() if "frame_ids" in data else None
    matrices = body.shape[-2:] == (3, 3)
    several = body.ndim == (5 if matrices else 3) and "track_ids" in data
    people = body if several else body[None]
    roots = root if several else root[None]
    name = next((f"{prefix}{one}" for one in ("transl", "trans") if f"{prefix}{one}" in data), None)
    moved = None if name is None else np.asarray(data[name], np.float32)
    moved = moved if moved is None or several else moved[None]
    ids = np.asarray(data["track_ids"]).ravel().astype(int) if several else [0]
    tracks = []
    for number, track in enumerate(ids):
        pose = _joined(roots[number], people[number])
        frames = np.arange(len(pose)) if frames_of is None else frames_of
        known = np.isfinite(pose).all(1)
        transl = None if moved is None else moved[number].reshape(-1, 3)[known]
        tracks.append(OutsideTrack(int(track), frames[known], None, pose[known], transl, None))
    return Outside(tuple(tracks), True, _focal(data), "SMPL parameters")


def _focal(data: Mapping[str, Any]) -> float | None:
    for name in ("K_fullimg", "K", "intrinsics"):
        if name in data:
            return float(np.asarray(data[name]).reshape(-1, 3, 3)[0, 0, 0])
    value = next((data[name] for name in ("focal", "focal_length") if name in data), None)
    return None if value is None else float(np.asarray(value).ravel()[0])


def _phalp(data: Mapping[str, Any]) -> Outside:
    """{frame: {"tid": [...], "smpl": [{"global_orient", "body_pose"}], "bbox": [[x, y, w, h]], "time"}}."""
    rows: dict[int, list[tuple[int, Array, Array | None]]] = {}
    for order, entry in enumerate(data[key] for key in sorted(data)):
        frame = int(np.asarray(entry.get("time", order)).ravel()[0])
        ids = entry.get("tracked_ids", entry.get("tid", range(len(entry["smpl"]))))
        boxes = entry.get("tracked_bbox", entry.get("bbox"))
        for number, (track, smpl) in enumerate(zip(ids, entry["smpl"], strict=False)):
            pose = _joined(np.asarray(smpl["global_orient"])[None], np.asarray(smpl["body_pose"])[None])[0]
            box = None
            if boxes is not None and number < len(boxes):
                x, y, width, height = np.asarray(boxes[number], np.float32).ravel()[:4]
                box = np.array([x, y, x + width, y + height], np.float32)
            rows.setdefault(int(np.asarray(track).ravel()[0]), []).append((frame, pose, box))
    tracks = []
    for track, found in sorted(rows.items()):
        once = {frame: (pose, box) for frame, pose, box in found}
        frames = sorted(once)
        boxes = [once[frame][1] for frame in frames]
        known = np.stack([one for one in boxes if one is not None]) if all(one is not None for one in boxes) else None
        poses = np.stack([once[frame][0] for frame in frames])
        tracks.append(OutsideTrack(track, np.array(frames), None, poses, None, known))
    return Outside(tuple(tracks), True, None, "4D-Humans / PHALP")


def _wham(data: Mapping[Any, Any]) -> Outside:
    """{track: {"pose" (F,72), "trans" (F,3), "frame_ids" or "frame_id"}} in camera axes."""
    tracks = []
    for number, (track, entry) in enumerate(data.items()):
        pose = _pose72(np.asarray(entry["pose"], np.float32).reshape(len(entry["pose"]), -1))
        frames = next((np.asarray(entry[name]) for name in ("frame_ids", "frame_id") if name in entry), None)
        frames = np.arange(len(pose)) if frames is None else frames.astype(np.int64).ravel()
        transl = np.asarray(entry["trans"], np.float32).reshape(-1, 3) if "trans" in entry else None
        tracks.append(OutsideTrack(int(track) if str(track).isdecimal() else number, frames, None, pose, transl, None))
    return Outside(tuple(tracks), True, None, "WHAM")


def _joined(root: NDArray[Any], body: NDArray[Any]) -> Array:
    """(F,...) global_orient and body_pose, as axis-angle or matrices -> (F,72)."""
    root, body = np.asarray(root, np.float32), np.asarray(body, np.float32)
    if body.shape[-2:] == (3, 3):
        body = rotation_vectors(body.reshape(len(body), -1, 3, 3)).reshape(len(body), -1)
    if root.shape[-2:] == (3, 3):
        root = rotation_vectors(root.reshape(len(root), 3, 3))
    return _pose72(np.concatenate([root.reshape(len(root), 3), body.reshape(len(body), -1)], 1))


def _pose72(pose: NDArray[Any]) -> Array:
    """SMPL-H and SMPL-X have the same 22 body joints first; hands stay straight."""
    if pose.shape[1] < 66 or pose.shape[1] % 3:
        raise ValueError(f"poses of {pose.shape[1]} numbers")
    out = np.zeros((len(pose), 72), np.float32)
    count = 72 if pose.shape[1] == 72 else 66
    out[:, :count] = pose[:, :count]
    return out


def _unknown(path: Path, detail: str) -> HmdiffError:
    return HmdiffError(
        "outside.unknown", f"{path.name} is of no format known here.",
        "Known are AMASS-style .npz (poses, trans), .npz with global_orient and body_pose (GVHMR, WHAM), and the .pkl "
        "of 4D-Humans / PHALP and WHAM.", detail,
    )  # fmt: skip
