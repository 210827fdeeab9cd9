"""Small bodies in the formats of SMPL and MANO files, made from random numbers, and pickles as Python 2 wrote them."""

from __future__ import annotations

import io
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

SMPL_PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)
MANO_PARENTS = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 0, 10, 11, 0, 13, 14)


def icosphere(level: int) -> tuple[np.ndarray, np.ndarray]:
    """A closed sphere of 10 * 4**level + 2 vertices: vertices (V,3), faces (T,3)."""
    g = (1 + 5**0.5) / 2
    points = [(-1, g, 0), (1, g, 0), (-1, -g, 0), (1, -g, 0), (0, -1, g), (0, 1, g), (0, -1, -g), (0, 1, -g)]
    points += [(g, 0, -1), (g, 0, 1), (-g, 0, -1), (-g, 0, 1)]
    faces = [
        (0, 11, 5), (0, 5, 1), (0, 1, 7), (0, 7, 10), (0, 10, 11), (1, 5, 9), (5, 11, 4), (11, 10, 2), (10, 7, 6),
        (7, 1, 8), (3, 9, 4), (3, 4, 2), (3, 2, 6), (3, 6, 8), (3, 8, 9), (4, 9, 5), (2, 4, 11), (6, 2, 10), (8, 6, 7),
        (9, 8, 1),
    ]  # fmt: skip
    vertices = [np.array(p, float) / np.linalg.norm(p) for p in points]
    for _ in range(level):
        middle: dict[tuple[int, int], int] = {}

        def halfway(a: int, b: int, middle: dict[tuple[int, int], int] = middle) -> int:
            key = (min(a, b), max(a, b))
            if key not in middle:
                point = vertices[a] + vertices[b]
                vertices.append(point / np.linalg.norm(point))
                middle[key] = len(vertices) - 1
            return middle[key]

        split = []
        for a, b, c in faces:
            ab, bc, ca = halfway(a, b), halfway(b, c), halfway(c, a)
            split += [(a, ab, ca), (b, bc, ab), (c, ca, bc), (ab, bc, ca)]
        faces = split
    return np.array(vertices), np.array(faces)


def licensed_fields(joints: int = 24, n_shapes: int = 10, level: int = 2, seed: int = 0) -> dict[str, Any]:
    """The arrays of an SMPL (24 joints) or MANO (16 joints) file, in the types those files have."""
    rng = np.random.default_rng(seed)
    vertices, faces = icosphere(level)
    vertices = vertices * (0.4, 0.9, 0.2) if joints == 24 else vertices * 0.1
    count = len(vertices)
    weights = rng.random((count, joints))
    weights[weights < np.sort(weights, axis=1)[:, -4:-3]] = 0
    regressor = np.zeros((joints, count))
    for row in regressor:
        row[rng.choice(count, 6, replace=False)] = rng.dirichlet(np.ones(6))
    parents = SMPL_PARENTS if joints == 24 else MANO_PARENTS
    fields: dict[str, Any] = {
        "v_template": vertices,
        "shapedirs": rng.normal(0, 0.01, (count, 3, n_shapes)),
        "posedirs": rng.normal(0, 0.005, (count, 3, 9 * (joints - 1))),
        "J_regressor": sparse.csc_matrix(regressor),
        "weights": weights / weights.sum(1, keepdims=True),
        "kintree_table": np.stack([np.array(parents) % 2**32, np.arange(joints)]).astype(np.uint32),
        "f": faces.astype(np.uint32),
        "bs_style": "lbs",
        "bs_type": "lrotmin",
    }
    if joints == 16:
        fields |= {"hands_mean": rng.normal(0, 0.2, 45), "hands_components": rng.normal(0, 1, (45, 45))}
    return fields


def write_npz(path: Path, fields: dict[str, Any]) -> Path:
    dense = {k: v.toarray() if sparse.issparse(v) else v for k, v in fields.items()}
    np.savez(path, **dense)
    return path


def write_pickle(path: Path, content: Any, protocol: int = 2) -> Path:
    path.write_bytes(pickle.dumps(content, protocol=protocol))
    return path


class Ch:
    """Pickles as chumpy's array object does: a class of chumpy's with the array under ``x``."""

    def __init__(self, x: np.ndarray) -> None:
        self.x = x
        self._dirty_vars: set[str] = {"x"}
        self._itr = None


class Select:
    """Pickles as chumpy's ``a.ravel()[idxs].reshape(preferred_shape)``, which MANO's shapedirs are."""

    def __init__(self, a: Ch, idxs: np.ndarray, preferred_shape: tuple[int, ...]) -> None:
        self.a, self.idxs, self.preferred_shape = a, idxs, preferred_shape


class Add(Ch):
    """Pickles as a chumpy expression nobody needs the value of (SMPL's ``v_posed``)."""


_OLD_NAMES: dict[Any, bytes] = {
    Ch: b"chumpy.ch\nCh", Select: b"chumpy.reordering\nSelect", Add: b"chumpy.ch_ops\nadd",
    sparse.csc_matrix: b"scipy.sparse.csc\ncsc_matrix",
}  # fmt: skip


class _Python2Pickler(pickle._Pickler):
    """Protocol 2 with byte strings for every string and the module names of the time."""

    dispatch = dict(pickle._Pickler.dispatch)

    def _string(self, value: bytes | str) -> None:
        data = value.encode("latin1") if isinstance(value, str) else value
        if len(data) < 256:
            self.write(pickle.SHORT_BINSTRING + bytes([len(data)]) + data)
        else:
            self.write(pickle.BINSTRING + struct.pack("<i", len(data)) + data)
        self.memoize(value)

    dispatch[bytes] = _string
    dispatch[str] = _string

    def save_global(self, obj: Any, name: str | None = None) -> None:
        if obj not in _OLD_NAMES:
            return super().save_global(obj, name)
        self.write(pickle.GLOBAL + _OLD_NAMES[obj] + b"\n")
        self.memoize(obj)
        return None

    dispatch[type] = save_global


def python2_pickle(content: Any) -> bytes:
    stream = io.BytesIO()
    _Python2Pickler(stream, protocol=2).dump(content)
    return stream.getvalue()


def as_released(fields: dict[str, Any], seed: int = 0) -> dict[str, Any]:
    """The same body with the objects that the published files hold: chumpy arrays, and a selection for shapedirs."""
    more = np.random.default_rng(seed).normal(size=(*fields["shapedirs"].shape[:2], 4))
    wide = np.concatenate([fields["shapedirs"], more], axis=2)
    places = np.arange(wide.size).reshape(wide.shape)[..., : fields["shapedirs"].shape[2]]
    return fields | {
        "v_template": Ch(fields["v_template"]), "weights": Ch(fields["weights"]),
        "posedirs": Ch(np.asfortranarray(fields["posedirs"])),
        "shapedirs": Select(Ch(wide), places.ravel(), places.shape), "v_posed": Add(fields["v_template"]),
    }  # fmt: skip
