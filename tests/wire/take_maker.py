"""Small bodies and takes for tests, every number of which tells where it belongs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hmdiff_wire.body import BodyData, load_body, save_body, skin
from hmdiff_wire.take import PersonFrame, TakeHeader

V = 40


def small_body(path: Path, n_vertices: int = V) -> Path:
    rng = np.random.default_rng(1)
    weights = rng.random((n_vertices, 24)).astype(np.float32)
    weights[weights < np.sort(weights, axis=1)[:, -4:-3]] = 0
    weights /= weights.sum(1, keepdims=True)
    regressor = np.zeros((24, n_vertices), np.float32)
    regressor[np.arange(24), np.arange(24) % n_vertices] = 1
    parents = np.array([-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21], np.int32)
    save_body(
        path,
        BodyData(
            "small", rng.normal(0, 0.5, (n_vertices, 3)).astype(np.float32),
            rng.normal(0, 0.02, (n_vertices, 3, 10)).astype(np.float32), None, regressor, weights, parents,
            rng.integers(0, n_vertices, (30, 3)).astype(np.int32),
        ),
    )  # fmt: skip
    return path


def header(n_hypotheses: int = 3, **changes) -> TakeHeader:
    values = {
        "source_path": "clip mit Ä.mp4", "source_kind": "video", "width": 320, "height": 240, "fps": 30.0,
        "n_frames": None, "body_name": "small", "preset": "default", "n_hypotheses": n_hypotheses, "seed": 7,
        "focal": 300.0,
        "focal_source": "user", "tool_version": "0", "settings": {"steps": 10, "öffnung": None},
    }  # fmt: skip
    return TakeHeader(**{**values, **changes})


def person(
    frame: int, track: int, n: int = 3, status: str = "ok", vertices: bool = False, v: int = V, **changes
) -> PersonFrame:
    """A row whose numbers follow from frame and track alone, so that any mix-up shows."""
    rng = np.random.default_rng((frame, track))
    values = {
        "track_id": track, "status": status, "box": rng.random(4) * 200, "betas": rng.normal(size=10),
        "pose": rng.normal(0, 0.3, 72), "transl": np.array((0.1 * track, 0, 4 + 0.01 * frame)),
        "joints": rng.normal(size=(24, 3)), "joints_2d": rng.normal(size=(24, 2)), "landmarks_2d": rng.random((33, 3)),
        "hypotheses_pose": rng.normal(size=(n, 72)), "hypotheses_transl": rng.normal(size=(n, 3)) + (0, 0, 4),
        "hypotheses_joints": rng.normal(size=(n, 24, 3)), "hypotheses_score": rng.random(n),
        "vertex_std": rng.random(v),
        "vertices": rng.normal(size=(v, 3)) if vertices else None,
    }  # fmt: skip
    return PersonFrame(**{**values, **changes})


def body_person(body_path: Path, frame: int, track: int, transl, turn: float = 0.0, status: str = "ok") -> PersonFrame:
    """An upright person of a real body in front of the camera."""
    body = load_body(body_path)
    pose = np.zeros(72, np.float32)
    # Half a turn about x, then ``turn`` about the camera's y: as an axis angle that is pi about a slanted axis.
    pose[:3] = np.pi * np.array((np.cos(turn / 2), 0, -np.sin(turn / 2)))
    _, joints = skin(body, np.zeros(10, np.float32), pose[None], np.asarray(transl, np.float32)[None])
    return person(
        frame, track, n=0, status=status, v=body.n_vertices, pose=pose, transl=np.asarray(transl), betas=np.zeros(10),
        joints=joints[0],
    )  # fmt: skip
