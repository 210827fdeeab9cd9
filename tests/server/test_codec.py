"""The codec gives back what it was given, and refuses everything else with HmdiffError."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import numpy as np
import pytest
from hmdiff_wire.codec import DTYPES, Limits, Packet, decode, encode
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.messages import (
    TYPES,
    Accepted,
    Attach,
    Attached,
    Cancel,
    Cancelled,
    Chunk,
    Credit,
    Decode,
    Error,
    Fetch,
    FrameResult,
    Heartbeat,
    Hello,
    JobDone,
    JobFailed,
    Meshes,
    Message,
    Piece,
    Ping,
    Pong,
    Progress,
    PushEnd,
    PushFrame,
    Shutdown,
    Submit,
    Upload,
    Uploaded,
    Welcome,
)
from hmdiff_wire.packing import error_data, from_packet, to_packet
from hmdiff_wire.version import CHANGELOG, PROTOCOL_VERSION
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

QUICK = settings(max_examples=150, deadline=None)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3), max_leaves=8
)
names = st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True)
arrays = st.sampled_from(DTYPES).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
)
packets = st.builds(
    Packet,
    type=st.from_regex(r"[a-z_]{1,32}", fullmatch=True), job=st.from_regex(r"[A-Za-z0-9_-]{0,64}", fullmatch=True),
    token=st.text(max_size=40), fields=st.dictionaries(st.text(), values, max_size=4),
    arrays=st.dictionaries(names, arrays, max_size=4),
)  # fmt: skip


def on_the_wire(packet: Packet) -> list[bytes]:
    return [bytes(part) for part in encode(packet)]


@QUICK
@given(packets)
def test_what_goes_in_comes_out(packet: Packet):
    back = decode(on_the_wire(packet))
    assert (back.type, back.job, back.token, back.version) == (packet.type, packet.job, packet.token, packet.version)
    assert back.fields == packet.fields
    assert list(back.arrays) == list(packet.arrays)
    for name, array in packet.arrays.items():
        assert back.arrays[name].dtype == array.dtype and back.arrays[name].shape == array.shape
        assert back.arrays[name].tobytes() == array.tobytes(), "bit for bit, NaN included"
        assert not back.arrays[name].flags.writeable


@QUICK
@given(packets, st.data())
def test_damage_is_an_error_or_another_message_never_a_crash(packet: Packet, data: st.DataObject):
    parts = on_the_wire(packet)
    at = data.draw(st.integers(0, len(parts) - 1))
    part = bytearray(parts[at])
    for _ in range(data.draw(st.integers(1, 4))):
        where = data.draw(st.integers(0, len(part)))
        part[where : where + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    parts[at] = bytes(part)
    if data.draw(st.booleans()):
        del parts[data.draw(st.integers(0, len(parts) - 1))]
    refuse_or_read(parts)


@QUICK
@given(st.lists(st.binary(max_size=60), max_size=4))
def test_noise_is_an_error(parts: list[bytes]):
    refuse_or_read(parts)


@QUICK
@given(st.sampled_from(sorted(TYPES)), st.dictionaries(st.sampled_from(
    sorted({one.name for kind in TYPES.values() for one in fields(kind)})
), values))  # fmt: skip
def test_fields_of_any_kind_are_a_message_or_an_error(kind: str, given_fields: dict[str, Any]):
    refuse_or_read(on_the_wire(Packet(kind, "job", fields=given_fields)))


def refuse_or_read(parts: list[bytes]) -> None:
    try:
        from_packet(decode(parts))
    except HmdiffError as error:
        assert error.kind.startswith("protocol.") and error.message and error.fix
        assert len(encode(to_packet(Error(error_data(error))))[0]) < 65536


ONE_OF_EACH: tuple[Message, ...] = (
    Hello("blender 4.5", {"platform": "linux"}), Welcome("hmdiff 1", {"presets": ["default"]}),
    Submit("a1", "animate", "/clips/ä b.mp4", {"steps": 4}, "/takes/one", ("/o.npz",)), Accepted("a1", 2, "/takes/one"),
    Progress("a1", "bodies", 3, 0), Progress("a1", "bodies", 3, 9, 1.5), JobDone("a1", "/t", 9, (0, 4), ("note",)),
    JobFailed("a1", {"kind": "x"}), Cancel("a1", True), Cancelled("a1"), Ping(7), Pong(7, "busy", 3, "a1"),
    Error({"kind": "x"}), Attach("a1", 7), Attached("a1", "running", "/t", "bodies", 3, 9, 0.5, 4),
    Upload("a1", "clip.mp4", 2**40, "0" * 64), Uploaded("a1", 2**39, 4096, True), PushEnd("a1"), Credit("a1", 8),
    Decode("a1", 3, 0, 9, 2, "/t"), Fetch("a1", "chunks/000000/rows.npy", 2**33), Shutdown(),
    Heartbeat({"cpu": "busy"}, 2, ("a1", "b2")),
)  # fmt: skip
WITH_ARRAYS: tuple[Message, ...] = (
    FrameResult("a1", 5, 1 / 6, {"pose": np.ones((2, 72), np.float32)}), Chunk("a1", 2**40, {"data": np.ones(9, "u1")}),
    PushFrame("a1", 3, 0.1, {"image": np.ones((4, 3, 3), "u1")}),
    Meshes("a1", 0, -1, True, {"vertices": np.ones((2, 5, 3), "<f4"), "index": np.arange(2, dtype="<i4")}),
    Piece("a1", "body.npz", 7, 2**40, {"data": np.ones(5, "u1")}),
)  # fmt: skip


strings = st.text(max_size=12)
numbers = st.integers(0, 2**31 - 1)
OF_TYPE = {
    "str": strings, "int": st.integers(-(2**53), 2**53), "bool": st.booleans(),
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "float | None": st.none() | st.floats(allow_nan=False, allow_infinity=False),
    "dict[str, Any]": st.dictionaries(strings, values, max_size=3),
    "tuple[str, ...]": st.lists(strings, max_size=3).map(tuple), "tuple[int, ...]": st.lists(numbers).map(tuple),
    "Kind": st.sampled_from(["pose", "animate", "people"]), "Input": st.sampled_from(["path", "upload", "frames"]),
    "JobState": st.sampled_from(["queued", "running", "done", "failed", "cancelled"]),
    "WorkerState": st.sampled_from(["none", "starting", "idle", "busy"]),
    "Mapping[str, NDArray[Any]]": st.dictionaries(names, arrays, max_size=3),
}  # fmt: skip


def any_message(kind: type) -> st.SearchStrategy[Message]:
    given_fields = {one.name: OF_TYPE[str(one.type)] for one in fields(kind)}
    if "job" in given_fields:
        given_fields["job"] = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)
    return st.builds(kind, **given_fields)


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(sorted(TYPES.values(), key=lambda one: one.__name__)).flatmap(any_message))
def test_every_message_with_any_values_arrives_as_it_left(message: Message):
    back = from_packet(decode(on_the_wire(to_packet(message, "secret"))))
    assert type(back) is type(message)
    for one in fields(message):
        sent, got = getattr(message, one.name), getattr(back, one.name)
        if one.name == "arrays":
            assert {name: (array.shape, array.tobytes()) for name, array in sent.items()} == {
                name: (array.shape, array.tobytes()) for name, array in got.items()
            }
        else:
            assert got == sent


@pytest.mark.parametrize("message", ONE_OF_EACH, ids=lambda one: type(one).__name__)
def test_every_message_arrives_as_it_left(message: Message):
    assert from_packet(decode(on_the_wire(to_packet(message, "secret")))) == message


def test_a_frame_arrives_with_its_arrays_and_every_type_is_tried():
    frame = FrameResult("a1", 5, 1 / 6, {"pose": np.arange(6, dtype=">f8").reshape(2, 3)[:, ::2]})
    back = from_packet(decode(on_the_wire(to_packet(frame))))
    assert isinstance(back, FrameResult) and (back.index, back.time) == (5, 1 / 6)
    np.testing.assert_array_equal(back.arrays["pose"], [[0, 2], [3, 5]])
    assert back.arrays["pose"].dtype.str == "<f8", "big-endian and strided arrays travel as plain ones"
    assert {type(one) for one in (*ONE_OF_EACH, *WITH_ARRAYS)} == set(TYPES.values())
    assert PROTOCOL_VERSION == max(CHANGELOG)


def header(**changes: Any) -> bytes:
    good = {"type": "ping", "version": list(PROTOCOL_VERSION), "job": "", "token": "t", "fields": {}, "arrays": []}
    return json.dumps({**good, **changes}).encode()


def claim(dtype: Any = "<f4", shape: Any = (1,), name: Any = "a") -> dict[str, Any]:
    return {"arrays": [{"name": name, "dtype": dtype, "shape": shape}]}


FOUR = b"\0" * 4


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        ([], "malformed"),
        ([b""], "malformed"),
        ([b"[]"], "malformed"),
        ([b"{"], "malformed"),
        ([b"\xff\xfe{\0}\0"], "malformed"),
        ([b"[" * 60_000], "malformed"),
        ([b'{"version":[1,0],"version":[1,0]}'], "malformed"),
        ([header(fields={"a": float("nan")})], "malformed"),
        ([header().replace(b'"t"', b"1e999")], "malformed"),
        ([b" " * 65_537], "too_large"),
        ([header(version=[2, 0])], "version"),
        ([b'{"version":[9,1]}'], "version"),
        ([header(version="1.0")], "malformed"),
        ([header(version=[True, 0])], "malformed"),
        ([header(job="../../etc")], "malformed"),
        ([header(type="Ping!")], "malformed"),
        ([header(**claim()), FOUR, FOUR], "malformed"),
        ([header(**claim())], "malformed"),
        ([header(), FOUR], "malformed"),
        ([header(**claim()), b"\0" * 5], "malformed"),
        ([header(**claim("|O")), FOUR], "malformed"),
        ([header(**claim(">f4")), FOUR], "malformed"),
        ([header(**claim("<M8[s]")), FOUR], "malformed"),
        ([header(**claim(["<f4"])), FOUR], "malformed"),
        ([header(**claim(shape=[-1])), FOUR], "malformed"),
        ([header(**claim(shape=[1.0])), FOUR], "malformed"),
        ([header(**claim(shape=[1] * 7)), FOUR], "malformed"),
        ([header(**claim(shape=[0, 2**40])), b""], "malformed"),
        ([header(**claim(shape=[0] + [2**31 - 1] * 5)), b""], "malformed"),
        ([header(**claim(name="__class__")), FOUR], "malformed"),
        ([header(arrays=claim()["arrays"] * 2), FOUR, FOUR], "malformed"),
        ([header(arrays=claim()["arrays"] * 65), *[FOUR] * 65], "too_large"),
        ([header(**claim(shape=[2_500_000_000 // 2, 2])), FOUR], "too_large"),
        ([header(**claim(shape=[2**31 - 1] * 6)), FOUR], "too_large"),
    ],
)
def test_what_is_refused_and_why(parts: list[bytes], kind: str):
    with pytest.raises(HmdiffError) as caught:
        decode(parts)
    assert caught.value.kind == f"protocol.{kind}"


def test_fields_and_minor_versions_this_side_does_not_know_are_passed_over():
    major, minor = PROTOCOL_VERSION
    assert from_packet(decode([header(version=[major, minor + 3], fields={"nonce": 5, "new": [1]})])) == Ping(5)
    with pytest.raises(HmdiffError, match="'dance' is not known"):
        from_packet(decode([header(type="dance")]))


@pytest.mark.parametrize(
    "fields", [{"nonce": True}, {"nonce": "1"}, {"nonce": None}, {"nonce": [1]}, {"nonce": 1.5}], ids=str
)
def test_a_wrong_field_names_itself(fields: dict[str, Any]):
    with pytest.raises(HmdiffError) as caught:
        from_packet(decode([header(fields=fields)]))
    assert "nonce" in caught.value.detail


def test_what_cannot_travel_is_refused_by_the_sender():
    for bad_arrays, bad_fields in (
        ({"a": np.array([None])}, {}), ({"a": np.array(["text"])}, {}), ({"A b": np.zeros(1)}, {}), ({}, {"x": {1, 2}}),
        ({}, {"x": float("inf")}),
    ):  # fmt: skip
        with pytest.raises(HmdiffError, match="not what the HMDiff protocol says"):
            encode(Packet("x", fields=bad_fields, arrays=bad_arrays))
    small = Limits(header_bytes=400, arrays=1, array_bytes=8, message_bytes=400)
    assert encode(Packet("x", arrays={"a": np.zeros(1)}), small)
    for packet in (Packet("x", arrays={"a": np.zeros(2)}), Packet("x", token="x" * 400),
                   Packet("x", arrays={"a": np.zeros(1), "b": np.zeros(1)})):  # fmt: skip
        with pytest.raises(HmdiffError, match="larger than"):
            encode(packet, small)
