"""How good a take became, in figures that a person can act on without knowing the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
from hmdiff_wire.take import HELD, OK, TINY, TRUNCATED, Take


def take_quality(take: Take) -> dict[str, Any]:
    """frames; people; unseen: frames in which nobody was seen; held: missed frames of all people; confidence: the
    detector's, median over landmarks and frames, 0 to 1; doubt_mm, worst_mm: how far the hypotheses' joints lie from
    their mean, median and largest over frames (left out with a single hypothesis).
    """
    seen = np.isin(take.status, (OK, TINY, TRUNCATED)).any(0) if take.n_people else np.zeros(take.n_frames, bool)
    found: dict[str, Any] = {
        "frames": take.n_frames, "people": int(take.valid.any(1).sum()), "unseen": int(take.n_frames - seen.sum()),
        "held": int((take.status == HELD).sum()),
    }  # fmt: skip
    confidence, doubt = [], []
    for person in range(take.n_people):
        frames = np.flatnonzero(take.status[person] == OK)
        if not len(frames):
            continue
        confidence.append(np.nanmedian(take.read("landmarks_2d", person, frames)[..., 2]))
        if take.n_hypotheses > 1:
            joints = take.read("hypotheses_joints", person, frames)
            joints = joints - joints[:, :, :1]  # of the pose, not of where the person stands
            away = np.linalg.norm(joints - joints.mean(1, keepdims=True), axis=-1)
            doubt.append(1000 * np.nanmean(away, axis=(1, 2)))
    if confidence and np.isfinite(confidence).any():
        found["confidence"] = round(float(np.nanmedian(confidence)), 3)
    if doubt:
        every = np.concatenate(doubt)
        found["doubt_mm"] = round(float(np.nanmedian(every)), 1)
        found["worst_mm"] = round(float(np.nanmax(every)), 1)
    return found
