"""One message as parts: a JSON header, then the raw little-endian bytes of each array (docs/protocol.md).

Whatever bytes come in, ``decode`` gives a Packet or raises HmdiffError; it allocates nothing the bytes did not bring.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import HmdiffError
from .version import PROTOCOL_VERSION, Version, check_version

DTYPES = ("|u1", "<i4", "<i8", "<f2", "<f4", "<f8")
MAX_DIMENSIONS = 6
_TYPE = re.compile(r"[a-z_]{1,32}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_JOB = re.compile(r"[A-Za-z0-9_-]{0,64}")
_FIX = "Use the client and the backend of the same HMDiff release; docs/protocol.md describes the messages."


@dataclass(frozen=True)
class Limits:
    """What one message may be at most: bytes of its header, number of arrays, bytes of one and of all of them."""

    header_bytes: int = 64 * 1024
    arrays: int = 64
    array_bytes: int = 64 * 1024**2
    message_bytes: int = 256 * 1024**2


LIMITS = Limits()


@dataclass(frozen=True, eq=False)
class Packet:
    """One message before its meaning is looked at. fields: what JSON holds; arrays: C-ordered, of one of DTYPES;
    job: the job it is about or ""; token: the sender's, "" from the backend.
    """

    type: str
    job: str = ""
    token: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    arrays: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    version: Version = PROTOCOL_VERSION


def encode(packet: Packet, limits: Limits = LIMITS) -> list[bytes | memoryview]:
    """Packet -> parts; the array parts are views, not copies, where the array already is little-endian and C-ordered.

    Errors: ``protocol.too_large``, ``protocol.malformed`` (a dtype, name or value that cannot travel).
    """
    arrays = {name: _portable(name, array) for name, array in packet.arrays.items()}
    header = {
        "type": packet.type, "version": list(packet.version), "job": packet.job, "token": packet.token,
        "fields": dict(packet.fields),
        "arrays": [
            {"name": name, "dtype": array.dtype.str, "shape": list(array.shape)} for name, array in arrays.items()
        ],
    }  # fmt: skip
    try:
        text = json.dumps(header, allow_nan=False, separators=(",", ":")).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise _malformed(f"the header of {packet.type!r} is not JSON: {error}") from error
    _check_sizes(len(text), [array.nbytes for array in arrays.values()], limits)
    return [text, *(_raw(array) for array in arrays.values())]


def decode(parts: Sequence[bytes | bytearray | memoryview], limits: Limits = LIMITS) -> Packet:
    """Parts -> Packet whose arrays are read-only views of the parts.

    Errors: ``protocol.version`` (before anything else of the header is believed), ``protocol.too_large``,
    ``protocol.malformed``.
    """
    if not parts:
        raise _malformed("no parts")
    header = _header(parts[0], limits)
    check_version(_version(header.get("version")))
    descriptors = header.get("arrays")
    if not isinstance(descriptors, list):
        raise _malformed("`arrays` is not a list")
    shapes = [_descriptor(one) for one in descriptors[: limits.arrays + 1]]
    _check_sizes(len(parts[0]), [dtype.itemsize * math.prod(shape) for _, dtype, shape in shapes], limits)
    if len(parts) != 1 + len(shapes):
        raise _malformed(f"{len(parts) - 1} array parts, the header names {len(shapes)}")
    arrays: dict[str, NDArray[Any]] = {}
    for (name, dtype, shape), part in zip(shapes, parts[1:], strict=True):
        if name in arrays:
            raise _malformed(f"two arrays are called {name!r}")
        arrays[name] = _array(name, dtype, shape, part)
    fields = header.get("fields")
    if not isinstance(fields, dict):
        raise _malformed("`fields` is not an object")
    return Packet(
        type=_text(header, "type", _TYPE), job=_text(header, "job", _JOB), token=_text(header, "token", None),
        fields=fields, arrays=arrays, version=_version(header.get("version")),
    )  # fmt: skip


def _portable(name: str, array: NDArray[Any]) -> NDArray[Any]:
    if not _NAME.fullmatch(name):
        raise _malformed(f"{name[:80]!r} cannot be the name of an array")
    array = np.asarray(array)
    if array.ndim > MAX_DIMENSIONS:
        raise _malformed(f"array {name!r} has {array.ndim} dimensions")
    little = np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")
    if little.dtype.str not in DTYPES:
        raise _malformed(f"array {name!r} is {array.dtype}, which does not travel")
    return little


def _raw(array: NDArray[Any]) -> bytes | memoryview:
    return array.reshape(-1).view(np.uint8).data if array.size else b""


def _header(part: bytes | bytearray | memoryview, limits: Limits) -> dict[str, Any]:
    if len(part) > limits.header_bytes:
        raise _too_large(f"header of {len(part)} bytes, at most {limits.header_bytes}")
    try:
        header = _JSON.decode(bytes(part).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise _malformed(f"the header is not JSON: {error}") from error
    if not isinstance(header, dict):
        raise _malformed("the header is not an object")
    return header


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is not a finite number")
    return value


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key occurs twice")
    return found


_JSON = json.JSONDecoder(parse_float=_number, parse_constant=_number, object_pairs_hook=_no_doubles)


def _version(value: Any) -> Version:
    if not (isinstance(value, list) and len(value) == 2 and all(_whole(one) for one in value)):
        raise _malformed("`version` is not [major, minor]")
    return value[0], value[1]


def _descriptor(value: Any) -> tuple[str, np.dtype[Any], tuple[int, ...]]:
    if not isinstance(value, dict):
        raise _malformed("an array descriptor is not an object")
    name, dtype, shape = _text(value, "name", _NAME), value.get("dtype"), value.get("shape")
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise _malformed(f"array {name!r} has the dtype {shown(dtype)}")
    if not isinstance(shape, list) or len(shape) > MAX_DIMENSIONS or not all(_whole(one) for one in shape):
        raise _malformed(f"array {name!r} has no shape")
    return name, np.dtype(dtype), tuple(shape)


def _array(
    name: str, dtype: np.dtype[Any], shape: tuple[int, ...], part: bytes | bytearray | memoryview
) -> NDArray[Any]:
    nbytes = dtype.itemsize * math.prod(shape)
    if memoryview(part).nbytes != nbytes:
        raise _malformed(f"array {name!r} brings {memoryview(part).nbytes} bytes, its shape asks for {nbytes}")
    try:
        array = np.frombuffer(part, dtype) if nbytes else np.empty(0, dtype)
        array = array.reshape(shape)
    except ValueError as error:  # an empty array whose other dimensions numpy cannot hold
        raise _malformed(f"array {name!r}: {error}") from error
    array.flags.writeable = False
    return array


def _text(data: dict[str, Any], key: str, pattern: re.Pattern[str] | None) -> str:
    value = data.get(key)
    if not isinstance(value, str) or (pattern is not None and not pattern.fullmatch(value)):
        raise _malformed(f"`{key}` is {shown(value)}")
    return value


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31


def shown(value: Any) -> str:
    """A value of somebody else's header for the log: short, and safe however large or deeply nested it is."""
    return f"{str(value)[:60]!r}" if isinstance(value, str | int | float | None) else f"a {type(value).__name__}"


def _check_sizes(header: int, arrays: list[int], limits: Limits) -> None:
    if header > limits.header_bytes:
        raise _too_large(f"header of {header} bytes, at most {limits.header_bytes}")
    if len(arrays) > limits.arrays:
        raise _too_large(f"{len(arrays)} arrays, at most {limits.arrays}")
    if max(arrays, default=0) > limits.array_bytes:
        raise _too_large(f"an array larger than {limits.array_bytes} bytes")
    if header + sum(arrays) > limits.message_bytes:
        raise _too_large(f"arrays of together more than {limits.message_bytes} bytes")


def _malformed(detail: str) -> HmdiffError:
    return HmdiffError("protocol.malformed", "A message is not what the HMDiff protocol says.", _FIX, detail)


def _too_large(detail: str) -> HmdiffError:
    return HmdiffError("protocol.too_large", "A message is larger than the HMDiff protocol allows.", _FIX, detail)
