"""The user's own SMPL and MANO files, read as plain arrays and passed through ``smplx``.

``smplx`` is licensed for non-commercial research only: it is the extra ``hmdiff[smpl]`` and is imported here, when such
a file was named, and nowhere else. It gets the arrays, never the file, so that it does not unpickle anything.
"""

from __future__ import annotations

import contextlib
import importlib
import io
from pathlib import Path
from typing import Any

import numpy as np
from hmdiff_wire.body import BodyData
from hmdiff_wire.damaged import DAMAGED_NPZ
from hmdiff_wire.errors import HmdiffError
from numpy.typing import NDArray

from .anny_rig import PARENTS
from .sources import invalid, npz_names, parents_problem
from .unpickle import as_array, damaged, read_pickle, sparse_to_dense

N_BETAS = 10
_NEEDED = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "kintree_table", "f")
_HANDS = ("hands_mean", "hands_components")

Fields = dict[str, NDArray[Any]]


def load_licensed(path: Path) -> BodyData:
    """An SMPL (24 joints) or MANO (16 joints) file -> BodyData named ``smpl`` or ``mano``, 10 betas, with posedirs.

    MANO poses are full axis-angles relative to the flat hand (smplx: ``use_pca=False, flat_hand_mean=True``).
    Errors: see ``sources.load_body_any``.
    """
    fields = _from_pickle(path) if path.suffix.lower() == ".pkl" else _from_npz(path)
    parents = _check(fields, path)
    model = through_smplx(fields, parents)
    n_vertices = len(fields["v_template"])
    return BodyData(
        name="smpl" if len(parents) == 24 else "mano",
        v_template=model.v_template.numpy(),
        shapedirs=model.shapedirs.numpy(),
        posedirs=np.ascontiguousarray(model.posedirs.numpy().T.reshape(n_vertices, 3, -1)),
        joint_regressor=model.J_regressor.numpy(),
        weights=model.lbs_weights.numpy(),
        parents=parents.astype(np.int32),
        faces=model.faces_tensor.numpy().astype(np.int32),
    )


def through_smplx(fields: Fields, parents: NDArray[np.int64], **options: Any) -> Any:
    """The ``smplx`` module of these arrays (SMPL or MANO by the number of joints). Errors: ``body.smplx_missing``."""
    try:
        smplx = importlib.import_module("smplx")
    except ImportError as error:
        raise HmdiffError(
            "body.smplx_missing", "SMPL and MANO files are read through the package smplx, which is not installed.",
            "Run `pip install hmdiff[smpl]` if its licence (non-commercial research only) allows your use, "
            "or leave --body away to use the free body.", repr(error),
        ) from error  # fmt: skip
    table = np.stack([parents, np.arange(len(parents))])
    struct = smplx.utils.Struct(**{**fields, "kintree_table": table, "shapedirs": fields["shapedirs"][..., :N_BETAS]})
    options = {
        "num_betas": N_BETAS,
        "create_betas": False,
        "create_global_orient": False,
        "create_transl": False,
    } | options
    with contextlib.redirect_stdout(io.StringIO()):  # smplx prints a warning about ten betas, which is what is wanted
        if len(parents) == 24:
            return smplx.SMPL("", data_struct=struct, create_body_pose=False, **options)
        struct.hands_mean = fields.get("hands_mean", np.zeros(45))
        struct.hands_components = fields.get("hands_components", np.eye(45))
        return smplx.MANO("", data_struct=struct, use_pca=False, flat_hand_mean=True, create_hand_pose=False, **options)


def _from_pickle(path: Path) -> Fields:
    content = read_pickle(path)
    _need(path, set(content))
    fields: Fields = {}
    for name in (*_NEEDED, *(key for key in _HANDS if key in content)):
        try:
            fields[name] = as_array(content[name])
        except (ValueError, KeyError, TypeError, IndexError, AttributeError, OverflowError, MemoryError) as error:
            raise damaged(path, f"{name}: {error!r}") from error
    return fields


def _from_npz(path: Path) -> Fields:
    names = npz_names(path)
    pieces = {name for name in names if name.startswith("J_regressor_")}
    _need(path, names | ({"J_regressor"} if pieces else set()))
    fields: Fields = {}
    try:
        with np.load(path, allow_pickle=False) as stored:
            for name in (*_NEEDED, *(key for key in _HANDS if key in names)):
                whole = name != "J_regressor" or name in names
                fields[name] = _stored(stored, name, path) if whole else _sparse_pieces(stored, pieces)
    except DAMAGED_NPZ as error:
        raise damaged(path, repr(error)) from error
    return fields


def _stored(stored: Any, name: str, path: Path) -> NDArray[Any]:
    try:
        return stored[name]
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        raise HmdiffError(
            "body.refused", f"{path.name} holds {name} as a Python object, which HMDiff does not open in an .npz file.",
            "Use the .pkl of the same download, or save the file again with a plain array "
            "(for J_regressor: `J_regressor.toarray()`).", repr(error),
        ) from error  # fmt: skip


def _sparse_pieces(stored: Any, pieces: set[str]) -> NDArray[np.float64]:
    parts = {name.removeprefix("J_regressor_"): stored[name] for name in pieces if not name.endswith("_format")}
    shape = tuple(int(n) for n in parts["shape"])
    layout = "coo" if "row" in parts else "csr" if len(parts["indptr"]) == shape[0] + 1 else "csc"
    return sparse_to_dense(layout, shape, parts)


def _need(path: Path, names: set[str]) -> None:
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        raise invalid(path, f"it has no {' and no '.join(missing)}")


def _check(fields: Fields, path: Path) -> NDArray[np.int64]:
    """Check what smplx relies on and return the parents (J,), -1 for the root; ``sources.check_body`` does the rest."""
    for name, array in fields.items():
        if array.dtype.kind not in "biuf" or array.size == 0 or not np.isfinite(array).all():
            raise invalid(path, f"{name} does not hold finite numbers")
        if array.dtype.kind == "f" and np.abs(array).max() > 1e6:
            raise invalid(path, f"{name} holds numbers that no body has")
    table = fields["kintree_table"]
    if table.ndim != 2 or table.shape[0] != 2:
        raise invalid(path, f"kintree_table has shape {table.shape}")
    joints = table.shape[1]
    if joints not in (24, 16):
        known = {52: ", as in SMPL-H", 55: ", as in SMPL-X", 5: ", as in FLAME"}.get(joints, "")
        raise invalid(path, f"it has {joints} joints{known}")
    parents = table[0].astype(np.int64)
    parents[0] = -1  # stored as -1 in 32 bits without a sign
    problem = parents_problem(parents)
    if problem or (table[1].astype(np.int64) != np.arange(joints)).any():
        raise invalid(path, problem or "kintree_table does not list the joints in order")
    if joints == 24 and tuple(parents.tolist()) != PARENTS:
        raise invalid(path, "its joints are not connected as SMPL's are")
    n_vertices = len(fields["v_template"])
    shapedirs = fields["shapedirs"]
    if shapedirs.ndim != 3 or shapedirs.shape[2] < N_BETAS:
        raise invalid(path, f"shapedirs has shape {shapedirs.shape}, not (vertices, 3, at least {N_BETAS})")
    expected = {
        "v_template": (n_vertices, 3), "shapedirs": (n_vertices, 3, shapedirs.shape[2]),
        "posedirs": (n_vertices, 3, 9 * (joints - 1)), "J_regressor": (joints, n_vertices),
        "weights": (n_vertices, joints), "f": (len(fields["f"]), 3),
    }  # fmt: skip
    if joints == 16:
        expected |= {
            name: shape for name, shape in (("hands_mean", (45,)), ("hands_components", (45, 45))) if name in fields
        }
    for name, shape in expected.items():
        if fields[name].shape != shape:
            raise invalid(path, f"{name} has shape {fields[name].shape} where {shape} belongs")
    return parents
