"""Takes made for the tests: the shipped body moving before a tilted camera."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hmdiff_wire.body import BodyData, load_body, skin
from hmdiff_wire.take import PersonFrame, TakeHeader, TakeWriter

REPO = Path(__file__).resolve().parents[2]
BODY = REPO / "backend" / "hmdiff" / "data" / "body.npz"


@dataclass(frozen=True)
class Clip:
    """What a test take shows. times (F,) seconds; absent: {person: frames without it}; pitch: camera tilt, degrees;
    held: frames in which nobody was found; spread: metres of each frame, the upper half of the body half as much."""

    times: tuple[float, ...] = tuple(np.arange(6) / 25)
    fps: float = 25.0
    people: int = 1
    hypotheses: int = 2
    absent: tuple[tuple[int, int], ...] = ()
    pitch: float = 20.0
    size: tuple[int, int] = (640, 480)
    focals: tuple[float, ...] | None = None
    source: str = "/nowhere/walk.mp4"
    kind: str = "video"
    rotation: int = 0
    body: Path = BODY
    standing: bool = False
    held: tuple[int, ...] = ()
    spread: tuple[float, ...] = ()


def up_of(clip: Clip) -> tuple[float, float, float]:
    angle = np.radians(clip.pitch)  # a camera that looks down by this much
    return 0.0, float(-np.cos(angle)), float(-np.sin(angle))


def poses(clip: Clip, person: int, hypothesis: int = -1) -> tuple[np.ndarray, np.ndarray]:
    """pose (F,72), transl (F,3): limbs swinging by up to a radian, the whole body turning past a half turn."""
    rng = np.random.default_rng(10 * person + hypothesis + 1)
    times = np.asarray(clip.times)[:, None]
    pose = 0.5 * rng.normal(size=72) * np.sin(2.0 * times + rng.uniform(0, 6, 72))
    turn = 2.0 * times[:, 0] + person
    half = np.stack([np.cos(turn / 2), np.zeros_like(turn), np.sin(turn / 2)], axis=1)
    pose[:, :3] = np.pi * half  # a half turn about x followed by a turn about the vertical
    if clip.standing:  # a T-pose along the take's own vertical
        tilt = np.pi + np.radians(clip.pitch)
        pose[:] = 0
        pose[:, 0] = tilt
    transl = np.stack([0.8 * person - 0.3 + 0.5 * times[:, 0], 0.2 + 0 * turn, 4.0 + 0.3 * turn], axis=1)
    return pose.astype(np.float32), transl.astype(np.float32)


def spread_of(clip: Clip, body: BodyData, frame: int) -> np.ndarray:
    if not clip.spread:
        return np.zeros(0)
    return clip.spread[frame] * np.where(body.v_template[:, 1] > 0.9, 0.5, 1.0)


def write_take(folder: Path, clip: Clip) -> Path:
    body = load_body(clip.body)
    header = TakeHeader(
        source_path=clip.source, source_kind=clip.kind, width=clip.size[0], height=clip.size[1], fps=clip.fps,
        n_frames=len(clip.times), body_name=body.name, preset="default", n_hypotheses=clip.hypotheses, seed=0,
        focal=700.0, focal_source="user", tool_version="test", rotation=clip.rotation, up=up_of(clip),
    )  # fmt: skip
    focals = clip.focals or (700.0,) * len(clip.times)
    writer = TakeWriter.create(folder, header, clip.body)
    betas = [np.random.default_rng(person).normal(size=10).astype(np.float32) for person in range(clip.people)]
    motion = [poses(clip, person) for person in range(clip.people)]
    others = [[poses(clip, person, k) for k in range(clip.hypotheses)] for person in range(clip.people)]
    for frame, time in enumerate(clip.times):
        rows = []
        for person in range(clip.people):
            if (person, frame) in clip.absent:
                continue
            pose, transl = motion[person][0][frame], motion[person][1][frame]
            status = "held" if frame in clip.held else "ok"
            joints = skin(body, betas[person], pose[None], transl[None])[1][0]
            samples = others[person]
            rows.append(
                PersonFrame(
                    track_id=person + 1, status=status, box=np.array([0, 0, 9, 9]), betas=betas[person], pose=pose,
                    transl=transl, joints=joints, joints_2d=np.zeros((24, 2)), landmarks_2d=np.zeros((33, 3)),
                    hypotheses_pose=np.array([p[frame] for p, _ in samples]).reshape(-1, 72),
                    hypotheses_transl=np.array([t[frame] for _, t in samples]).reshape(-1, 3),
                    hypotheses_joints=np.zeros((clip.hypotheses, 24, 3)),
                    hypotheses_score=np.linspace(-1, -2, clip.hypotheses), vertex_std=spread_of(clip, body, frame),
                )
            )  # fmt: skip
        writer.write_frame(frame, time, focals[frame], rows)
    writer.finish()
    return folder
