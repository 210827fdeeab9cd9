"""Reading a licensed body's .pkl without running it (DESIGN 5).

A pickle is a program; this reader executes the part of the language that builds containers and numbers and stands
inert shells in for numpy arrays, scipy sparse matrices and chumpy objects. No class or function named by the file is
ever looked up, so neither numpy's nor chumpy's own unpickling code sees the file's bytes, and chumpy is not needed.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from hmdiff_wire.errors import HmdiffError
from numpy.typing import NDArray

LARGEST_FILE = 512 * 2**20
MOST_STEPS = 2_000_000
"""SMPL's own files take a few hundred steps; millions of tiny objects are an attack on the memory."""

_DTYPES = frozenset(
    f"{kind}{size}" for kind, sizes in {"b": "1", "i": "1248", "u": "1248", "f": "248"}.items() for size in sizes
)
_CONTAINERS: dict[str, type] = {"set": set, "frozenset": frozenset, "list": list, "dict": dict, "tuple": tuple}


class Shell:
    """Stands in for an object of a class this program never loads: its name, its arguments and its state, as data."""

    def __init__(self, kind: str, arguments: tuple[Any, ...] = ()) -> None:
        self.kind = kind
        self.arguments = arguments
        self.state: Any = None


def read_pickle(path: Path) -> dict[str, Any]:
    """The dictionary a body's .pkl holds; values are plain Python objects or Shells (see ``as_array``).

    Errors: ``body.not_found``, ``body.too_large``, ``body.refused`` (it names anything but arrays), ``body.damaged``.
    """
    path = Path(path)
    if not path.is_file():
        raise HmdiffError("body.not_found", f"There is no body file at {path}.", "Check the path given to --body.")
    if path.stat().st_size > LARGEST_FILE:
        raise HmdiffError(
            "body.too_large", f"{path.name} is larger than {LARGEST_FILE // 2**20} MB, which no body model is.",
            "Point --body at SMPL_NEUTRAL.pkl or MANO_RIGHT.pkl as downloaded.",
        )  # fmt: skip
    data = path.read_bytes()
    if data[:1] not in (pickle.PROTO, pickle.MARK, pickle.EMPTY_DICT):
        raise damaged(path, f"starts with {data[:8]!r}")
    try:
        content = _Reader(data).load()
    except _Refused as error:
        raise HmdiffError(
            "body.refused",
            f"{path.name} asks this program to run {error}, which no body model needs, so it was not opened.",
            "Do not use this file; download it again from where the model is published.",
        ) from error  # fmt: skip
    except Exception as error:  # a damaged pickle fails in any way Python knows
        raise damaged(path, repr(error)) from error
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise damaged(path, f"holds a {type(content).__name__}")
    return content


def damaged(path: Path, detail: str) -> HmdiffError:
    """The error for a file that is cut short, corrupted or something else altogether."""
    return HmdiffError(
        "body.damaged", f"{path.name} is not a readable body model file.",
        "Download it again, or point --body at SMPL_NEUTRAL.npz, SMPL_NEUTRAL.pkl or MANO_RIGHT.pkl.", detail,
    )  # fmt: skip


def as_array(value: Any, depth: int = 0) -> NDArray[Any]:
    """A value of ``read_pickle`` as a dense numeric array. Raises ValueError when it is none."""
    if depth > 8:
        raise ValueError("nested too deeply")
    if not isinstance(value, Shell):
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            raise ValueError(f"holds {array.dtype} values")
        return array
    if value.kind == "array":
        return _numbers(value)
    if value.kind in ("csc", "csr", "coo"):
        state = _state_of(value)
        shape = state.get("_shape", state.get("shape"))
        names = ("row", "col", "data") if value.kind == "coo" else ("indices", "indptr", "data")
        if value.kind == "coo" and "coords" in state:
            state = {**state, "row": state["coords"][0], "col": state["coords"][1]}
        return sparse_to_dense(value.kind, _shape(shape), {name: as_array(state[name], depth + 1) for name in names})
    if value.kind == "chumpy.ch.Ch":
        return as_array(_state_of(value)["x"], depth + 1)
    if value.kind == "chumpy.reordering.Select":
        state = _state_of(value)
        chosen = as_array(state["a"], depth + 1).ravel()[as_array(state["idxs"], depth + 1)]
        return chosen.reshape(_shape(state["preferred_shape"])) if "preferred_shape" in state else chosen
    raise ValueError(f"a {value.kind} is not an array")


def sparse_to_dense(layout: str, shape: tuple[int, ...], parts: dict[str, NDArray[Any]]) -> NDArray[np.float64]:
    """Dense matrix of csc or csr (indices, indptr, data) or coo (row, col, data) parts; every index is checked.

    Raises ValueError on parts that do not fit each other.
    """
    if len(shape) != 2 or min(shape) < 0 or shape[0] * shape[1] > 10**8:
        raise ValueError(f"a sparse matrix of shape {shape}")
    if layout == "coo":
        rows, columns = parts["row"].astype(np.int64), parts["col"].astype(np.int64)
    else:
        starts, minor = parts["indptr"].astype(np.int64).ravel(), parts["indices"].astype(np.int64).ravel()
        count = shape[0] if layout == "csr" else shape[1]
        if len(starts) != count + 1 or starts[0] != 0 or starts[-1] != len(minor) or (np.diff(starts) < 0).any():
            raise ValueError("the sparse matrix has wrong row starts")
        major = np.repeat(np.arange(count), np.diff(starts))
        rows, columns = (major, minor) if layout == "csr" else (minor, major)
    data = parts["data"].astype(np.float64).ravel()
    if not len(rows) == len(columns) == len(data):
        raise ValueError("the sparse matrix has parts of different lengths")
    if len(rows) and (min(rows.min(), columns.min()) < 0 or rows.max() >= shape[0] or columns.max() >= shape[1]):
        raise ValueError("the sparse matrix points outside itself")
    dense = np.zeros(shape)
    np.add.at(dense, (rows, columns), data)
    return dense


def _numbers(shell: Shell) -> NDArray[Any]:
    if shell.state is None:
        raise ValueError("an array without content")
    _, shape, dtype, fortran, raw = shell.state if len(shell.state) == 5 else (1, *shell.state)
    if not isinstance(dtype, Shell) or dtype.kind != "dtype" or dtype.arguments[0] not in _DTYPES:
        raise ValueError("an array of something other than numbers")
    if isinstance(raw, str):  # a Python 2 string, read as latin1
        raw = raw.encode("latin1")
    order = dtype.state[1] if dtype.state else "<"
    if order not in ("<", ">", "=", "|") or not isinstance(raw, bytes):
        raise ValueError("an array with an unknown layout")
    numbers = np.frombuffer(raw, np.dtype(str(dtype.arguments[0])).newbyteorder(order if order != "|" else "="))
    return numbers.reshape(_shape(shape), order="F" if fortran else "C")


def _shape(value: Any) -> tuple[int, ...]:
    if isinstance(value, Shell):
        value = as_array(value).tolist()
    if not isinstance(value, tuple | list):
        raise ValueError("an array without a shape")
    return tuple(int(as_array(item)) for item in value)


def _state_of(shell: Shell) -> dict[str, Any]:
    if not isinstance(shell.state, dict):
        raise ValueError(f"a {shell.kind} without content")
    return shell.state


class _Refused(Exception):
    """What the file asked for."""


class _Global:
    """A name in the file; calling it builds a Shell or a plain value, never what the name stood for."""

    def __init__(self, build: Callable[..., Any]) -> None:
        self.build = build


def _empty_array(*_: Any) -> Shell:
    return Shell("array")


def _scalar(dtype: Any, raw: Any = b"") -> Shell:
    shell = Shell("array")
    shell.state = (1, (), dtype, False, raw)
    return shell


def _from_buffer(raw: Any, dtype: Any, shape: Any, order: Any) -> Shell:
    shell = Shell("array")
    shell.state = (1, shape, dtype, order == "F", raw)
    return shell


def _encode(text: str, encoding: str = "latin1") -> bytes:
    if encoding not in ("latin1", "latin-1"):
        raise _Refused(f"the text encoding {encoding}")
    return text.encode("latin1")


def _rebuild(made: Any, *_: Any) -> Any:
    if not isinstance(made, _Global):
        raise _Refused("a constructor of its own")
    return made.build()


def _admit(module: str, name: str) -> _Global:
    """The stand-in for a name, or _Refused."""
    if re.fullmatch(r"numpy\.(core|_core)\.(multiarray|numeric)", module):
        known = {"_reconstruct": _empty_array, "scalar": _scalar, "_frombuffer": _from_buffer}
        if name in known:
            return _Global(known[name])
    if (module, name) in (("numpy", "ndarray"), ("numpy.matrixlib.defmatrix", "matrix"), ("numpy", "matrix")):
        return _Global(_empty_array)
    if (module, name) == ("numpy", "dtype"):
        return _Global(lambda *arguments: Shell("dtype", arguments or ("",)))
    sparse = re.fullmatch(r"(csc|csr|coo)_(matrix|array)", name)
    if sparse and re.fullmatch(r"scipy\.sparse(\._?(csc|csr|coo|base|arrays|matrix))?", module):
        return _Global(lambda *arguments: Shell(sparse.group(1), arguments))
    if re.fullmatch(r"chumpy(\.\w+)*", module) and name.isidentifier():
        kind = f"{module}.{name}" if module != "chumpy" else f"chumpy.ch.{name}"
        return _Global(lambda *arguments: Shell(kind, arguments))
    if module in ("copy_reg", "copyreg") and name in ("_reconstructor", "__newobj__"):
        return _Global(_rebuild)
    if module in ("__builtin__", "builtins") and name in _CONTAINERS:
        return _Global(_CONTAINERS[name])
    if module in ("__builtin__", "builtins") and name == "object":
        return _Global(lambda *_: Shell("object"))
    if (module, name) == ("collections", "OrderedDict"):
        return _Global(dict)
    if (module, name) == ("_codecs", "encode"):
        return _Global(_encode)
    raise _Refused(f"{module}.{name}")


def _refuse(what: str) -> Callable[[Any], NoReturn]:
    def handler(_: Any) -> NoReturn:
        raise _Refused(what)

    return handler


def _counted(handler: Callable[[Any], None]) -> Callable[[Any], None]:
    def step(reader: Any) -> None:
        reader.steps += 1
        if reader.steps > MOST_STEPS:
            raise ValueError("too many steps")
        handler(reader)

    return step


_PythonUnpickler: Any = pickle._Unpickler
"""The one written in Python: its memo is a dictionary (a file cannot reserve gigabytes with one number), and each step
of the language can be replaced."""


class _Reader(_PythonUnpickler):
    def __init__(self, data: bytes) -> None:
        super().__init__(BytesIO(data), fix_imports=False, encoding="latin1")
        self.steps = 0

    def find_class(self, module: str, name: str) -> _Global:
        return _admit(module, name)

    def _call(self, made: Any, arguments: Any) -> Any:
        if not isinstance(made, _Global) or not isinstance(arguments, tuple):
            raise _Refused("something that is not a known array type")
        return made.build(*arguments)

    def _load_reduce(self) -> None:
        arguments = self.stack.pop()
        self.stack[-1] = self._call(self.stack[-1], arguments)

    def _load_build(self) -> None:
        state = self.stack.pop()
        if not isinstance(self.stack[-1], Shell):
            raise _Refused("a change to something that is not an array")
        self.stack[-1].state = state

    def _load_bytearray(self) -> None:
        size = int.from_bytes(self.read(8), "little")
        data = self.read(min(size, LARGEST_FILE))
        if len(data) != size:
            raise EOFError("cut short")
        self.append(data)

    dispatch = {
        **{code: _counted(handler) for code, handler in _PythonUnpickler.dispatch.items()},
        **{
            code[0]: _refuse("an object by number, which only the program that wrote the file knows")
            for code in (pickle.PERSID, pickle.BINPERSID, pickle.EXT1, pickle.EXT2, pickle.EXT4, pickle.NEXT_BUFFER)
        },
        **{code[0]: _refuse("an old-style object") for code in (pickle.INST, pickle.OBJ, pickle.NEWOBJ_EX)},
        pickle.REDUCE[0]: _counted(_load_reduce),
        pickle.NEWOBJ[0]: _counted(_load_reduce),
        pickle.BUILD[0]: _counted(_load_build),
        pickle.BYTEARRAY8[0]: _counted(_load_bytearray),
    }


ArrayReader, Refused = _Reader, _Refused
"""For readers of other files that hold nothing but arrays in containers."""
