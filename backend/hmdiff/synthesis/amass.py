"""AMASS-style .npz files: SMPL-H or SMPL-X poses in a z-up world."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hmdiff_wire.damaged import DAMAGED_NPZ
from hmdiff_wire.errors import HmdiffError
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

N_BODY = 22
"""Root and 21 body joints, which SMPL, SMPL-H and SMPL-X share; hands stay at rest."""

_RATES = ("mocap_framerate", "mocap_frame_rate", "mocap_frame_rates", "fps")


def read_amass(path: Path, fps_limit: float) -> NDArray[np.float64] | None:
    """Local axis-angles (F,24,3) on the SMPL tree, y up, at most fps_limit frames per second.

    None for the .npz files of a collection that hold no motion (a subject's shape). Errors: ``mocap.unreadable``.
    """
    try:
        with np.load(path, allow_pickle=False) as data:
            if "poses" not in data.files:
                return None
            poses = np.asarray(data["poses"], np.float64)
            rate = next((float(data[key]) for key in _RATES if key in data.files), 0.0)
    except DAMAGED_NPZ as error:
        raise unreadable(path, repr(error)) from error
    if poses.ndim != 2 or poses.shape[1] < 3 * N_BODY or not np.isfinite(poses).all():
        raise unreadable(path, f"poses of shape {poses.shape}")
    if not 1 <= rate <= 10_000:
        raise unreadable(path, f"no frame rate ({', '.join(_RATES)})")
    poses = poses[:: max(1, int(np.ceil(rate / fps_limit - 0.01))), : 3 * N_BODY].reshape(-1, N_BODY, 3)
    upright = Rotation.from_euler("x", -90, degrees=True)
    local = np.zeros((len(poses), 24, 3))
    local[:, 1:N_BODY] = poses[:, 1:]
    local[:, 0] = (upright * Rotation.from_rotvec(poses[:, 0])).as_rotvec()
    return local


def unreadable(path: Path, detail: str) -> HmdiffError:
    """The error for an .npz that is damaged or holds something else."""
    return HmdiffError(
        "mocap.unreadable", f"{path.name} is not a readable AMASS file.",
        "Take it out of the motion capture folder, or download it again.", f"{path}: {detail}",
    )  # fmt: skip
