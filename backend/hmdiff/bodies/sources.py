"""Any body a person may name: the free one, one this project saved, or their own licensed SMPL or MANO file."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from hmdiff_wire.body import BodyData, load_body
from hmdiff_wire.damaged import DAMAGED_NPZ
from hmdiff_wire.errors import HmdiffError

from .model import FREE_BODY
from .unpickle import damaged

N_JOINTS = (24, 16)
"""SMPL's joints and MANO's."""
LARGEST_CONTENT = 1024 * 2**20


def load_body_any(path: Path | None = None) -> BodyData:
    """None -> the free body; a file of ``save_body``; or a licensed ``SMPL_*.npz``, ``SMPL_*.pkl``, ``MANO_*.pkl``.

    SMPL: 24 joints; MANO: 16 joints, poses relative to the flat hand. Licensed files pass through ``smplx``, which is
    imported only then. Every array is checked.
    Errors: ``body.not_found``, ``body.unknown_format``, ``body.damaged``, ``body.invalid``, ``body.refused``,
    ``body.too_large``, ``body.smplx_missing``.
    """
    if path is None:
        return load_body(FREE_BODY)
    path = Path(path)
    if not path.is_file():
        raise HmdiffError("body.not_found", f"There is no body file at {path}.", "Check the path given to --body.")
    kind = path.suffix.lower()
    if kind not in (".npz", ".pkl"):
        raise HmdiffError(
            "body.unknown_format", f"{path.name} is not a kind of body file that HMDiff reads.",
            "Give --body an .npz of this project, SMPL_NEUTRAL.npz, SMPL_NEUTRAL.pkl or MANO_RIGHT.pkl.",
        )  # fmt: skip
    if kind == ".npz" and "weights_joint" in npz_names(path):
        with np.errstate(all="ignore"):  # what comes out of damaged numbers is found by the check
            body = load_body(path)
    else:
        from .smpl_files import load_licensed

        body = load_licensed(path)
    check_body(body, path)
    return body


def npz_names(path: Path) -> set[str]:
    """Names of the arrays in an .npz, none of them read. Errors: ``body.damaged``, ``body.too_large``."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except DAMAGED_NPZ as error:
        raise damaged(path, repr(error)) from error
    if sum(member.file_size for member in members) > LARGEST_CONTENT:
        raise HmdiffError(
            "body.too_large",
            f"{path.name} unpacks to more than {LARGEST_CONTENT // 2**20} MB, which no body model does.",
            "Point --body at SMPL_NEUTRAL.npz as downloaded, or at a body written by HMDiff.",
        )  # fmt: skip
    return {member.filename.removesuffix(".npy") for member in members}


def check_body(body: BodyData, path: Path) -> None:
    """Raise ``body.invalid`` unless every array has the right shape and makes sense."""
    problem = _problem(body)
    if problem:
        raise invalid(path, problem)


def invalid(path: Path, problem: str) -> HmdiffError:
    """The error for a file that can be read but is no usable body."""
    return HmdiffError(
        "body.invalid", f"{path.name} is not a usable body: {problem}.",
        "Use SMPL (24 joints) or MANO (16 joints) as downloaded, or a body written by `hmdiff body build`.",
    )  # fmt: skip


def parents_problem(parents: np.ndarray) -> str | None:
    """What keeps (J,) parents from being a tree whose joints follow their parents."""
    if len(parents) == 0 or parents[0] != -1:
        return "its first joint is not the root"
    if any(not 0 <= parent < joint for joint, parent in enumerate(parents.tolist()) if joint):
        return "its joints do not form a tree"
    return None


def _problem(body: BodyData) -> str | None:
    vertices, joints = body.n_vertices, len(body.parents)
    if joints not in N_JOINTS:
        return f"it has {joints} joints"
    if vertices < 4 or len(body.faces) < 4:
        return "it has no surface"
    shapes = {
        "v_template": (body.v_template, (vertices, 3)), "weights": (body.weights, (vertices, joints)),
        "J_regressor": (body.joint_regressor, (joints, vertices)), "f": (body.faces, (len(body.faces), 3)),
        "shapedirs": (body.shapedirs, (vertices, 3, body.shapedirs.shape[-1] if body.shapedirs.ndim else 0)),
    }  # fmt: skip
    if body.posedirs is not None:
        shapes["posedirs"] = (body.posedirs, (vertices, 3, 9 * (joints - 1)))
    for name, (array, shape) in shapes.items():
        if array.shape != shape:
            return f"{name} has shape {array.shape} where {shape} belongs"
        if not np.isfinite(array).all():
            return f"{name} holds numbers that are not finite"
    if body.shapedirs.shape[2] < 1:
        return "it has no body shapes"
    if body.faces.min() < 0 or body.faces.max() >= vertices:
        return "its faces name vertices that do not exist"
    if body.weights.min() < -1e-3 or np.abs(body.weights.sum(1) - 1).max() > 1e-3:
        return "its skinning weights do not sum to 1"
    if not 0.01 < float(np.ptp(body.v_template, axis=0).max()) < 10:
        return "its size is not that of a body in metres"
    for name, quads, limit in (
        ("quads", body.quads, vertices),
        ("uv_quads", body.uv_quads, len(body.uv) if body.uv is not None else 0),
    ):
        if quads is not None and (quads.ndim != 2 or quads.shape[1] != 4 or quads.min() < 0 or quads.max() >= limit):
            return f"{name} points outside the body"
    return parents_problem(body.parents)
