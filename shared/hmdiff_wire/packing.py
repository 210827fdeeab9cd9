"""Messages to packets and back: every field is held against its type, so that what comes out can be believed."""

from __future__ import annotations

import math
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from .codec import Packet, shown
from .errors import HmdiffError
from .messages import TYPES, Error, Message

_NAMES = {kind: name for name, kind in TYPES.items()}


def error_data(error: HmdiffError) -> dict[str, str]:
    """The error for JobFailed and Error, cut so that it always fits into a header, whatever path or log it quotes."""
    room = {"kind": 100, "message": 600, "fix": 600, "detail": 3000}
    data = error.to_dict()
    return {key: data[key] if len(data[key]) <= most else data[key][:most] + "..." for key, most in room.items()}


def to_packet(message: Message, token: str = "") -> Packet:
    values = {one.name: getattr(message, one.name) for one in fields(message)}
    job, arrays = values.pop("job", ""), values.pop("arrays", {})
    return Packet(_NAMES[type(message)], job, token, values, arrays)


def from_packet(packet: Packet) -> Message:
    """Fields this version does not know are passed over.

    Errors: ``protocol.unknown_type``, ``protocol.malformed`` for a field that is missing or of the wrong type.
    """
    kind = TYPES.get(packet.type)
    if kind is None:
        raise HmdiffError(
            "protocol.unknown_type", f"The message {packet.type!r} is not known here.",
            "Update HMDiff on the side that is older.",
        )  # fmt: skip
    given: dict[str, Any] = {**packet.fields, "job": packet.job, "arrays": packet.arrays}
    values: dict[str, Any] = {}
    for one in fields(kind):
        if one.name in given:
            values[one.name] = _fit(packet.type, one.name, given[one.name], _hints(kind)[one.name])
        elif one.default is MISSING and one.default_factory is MISSING:
            raise _bad_field(packet.type, one.name, "is missing")
    if values.get("job") == "" and kind is not Error:
        raise _bad_field(packet.type, "job", "is empty")
    return kind(**values)


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _fit(message: str, name: str, value: Any, hint: Any) -> Any:
    """The JSON value as the field's type; lists become tuples, whole numbers floats where a float is asked for."""
    origin, inside = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        return _fit(message, name, value, next(one for one in inside if one is not type(None)))
    if origin is Literal:
        good = isinstance(value, str) and value in inside
    elif origin is tuple:
        if isinstance(value, list):
            return tuple(_fit(message, name, one, inside[0]) for one in value)
        good = False
    elif origin in (dict, Mapping):
        good = isinstance(value, Mapping)
    elif hint is float:
        try:
            good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        except OverflowError:
            good = False
        value = float(value) if good else value
    else:
        good = isinstance(value, hint) and (hint is bool or not isinstance(value, bool))
    if not good:
        raise _bad_field(message, name, f"is {shown(value)}")
    return value


def _bad_field(message: str, name: str, what: str) -> HmdiffError:
    return HmdiffError(
        "protocol.malformed", f"The message {message!r} has a wrong field.",
        "Use the client and the backend of the same HMDiff release; docs/protocol.md describes the messages.",
        f"`{name}` {what}",
    )  # fmt: skip
