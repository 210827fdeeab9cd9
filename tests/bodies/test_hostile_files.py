"""Wrong, truncated, corrupted and hostile body files: an error in one sentence, and nothing of the file is run."""

from __future__ import annotations

import builtins
import collections
import functools
import os
import pickle
import struct
import sys
from pathlib import Path
from typing import Any

import body_maker
import numpy as np
import pytest
from hmdiff.bodies.sources import load_body_any
from hmdiff.bodies.unpickle import Shell, as_array, read_pickle
from hmdiff_wire.body import save_body
from hmdiff_wire.errors import HmdiffError


@pytest.fixture
def smplx() -> None:
    """For tests that also read a whole licensed file."""
    pytest.importorskip("smplx", reason="the extra hmdiff[smpl] is not installed")


class Calls:
    """Pickles as a call of a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple:
        return self.call


def refusal(path: Path) -> HmdiffError:
    with pytest.raises(HmdiffError) as caught:
        load_body_any(path)
    assert caught.value.message.endswith(".") and caught.value.fix and path.name in caught.value.message
    return caught.value


def attacks(target: Path) -> dict[str, Any]:
    touch = f"touch {target}"
    return {
        "system": Calls(os.system, touch), "eval": Calls(builtins.eval, f"open({str(target)!r}, 'w')"),
        "exec": Calls(builtins.exec, f"open({str(target)!r}, 'w')"), "open": Calls(open, str(target), "w"),
        "partial": Calls(functools.partial, os.system, touch), "getattr": Calls(getattr, "x", "upper"),
        "import": Calls(builtins.__import__, "os"), "numpy_save": Calls(np.save, str(target), np.zeros(3)),
        "numpy_tofile": Calls(np.ndarray.tofile, np.zeros(3), str(target)), "numpy_load": Calls(np.load, str(target)),
        "bytearray": Calls(bytearray, 10**12), "counter": collections.Counter("abc"), "path": Path("x"),
        "object_array": np.array([Calls(os.system, touch)], dtype=object),
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(attacks(Path("x"))))
@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
def test_a_pickle_that_calls_something_is_refused_and_not_run(name: str, protocol: int, tmp_path: Path) -> None:
    target = tmp_path / "owned"
    content = body_maker.licensed_fields(level=1) | {"v_template": attacks(target)[name]}
    file = body_maker.write_pickle(tmp_path / "SMPL_NEUTRAL.pkl", content, protocol)
    # An object array of harmless things is no attack, only useless; the call inside this one is what is refused.
    assert refusal(file).kind == "body.refused"
    assert not target.exists()


def by_hand(*steps: bytes) -> bytes:
    return b"\x80\x04" + b"".join(steps) + b"."


def test_attacks_written_by_hand(tmp_path: Path) -> None:
    target = tmp_path / "owned"
    touch = b"V" + f"touch {target}".encode() + b"\n"
    empty_array = b"cnumpy.core.multiarray\n_reconstruct\n(tR"
    refused = {
        "instance": by_hand(b"(", touch, b"ios\nsystem\n"),
        "stack_global": by_hand(b"\x8c\x02os\x8c\x06system\x93", touch, b"\x85R"),
        "nested_name": by_hand(b"\x8c\x05numpy\x8c\x0edtype.__init__\x93", b")R"),
        "persistent": by_hand(b"I1\nQ"),
        "extension": by_hand(b"\x82\x01"),
        "call_a_string": by_hand(b"Vx\n)R"),
        "state_of_a_class": by_hand(b"cnumpy\ndtype\n}Vkind\nVx\nsb"),
        "state_of_a_list": by_hand(b"]}b"),
        "encode_elsewhere": by_hand(b"c_codecs\nencode\nVx\nVrot13\n\x86R"),
        "chumpy_dunder": by_hand(b"cchumpy.ch\n__builtins__.eval\n)R"),
        "constructor": by_hand(b"ccopy_reg\n_reconstructor\nVx\n\x85R"),
    }
    damaged = {
        "huge_memo": by_hand(b"}r\xff\xff\xff\x7fq\x00", b"I"),
        "huge_bytes": by_hand(b"\x8e" + struct.pack("<Q", 2**50)),
        "huge_bytearray": by_hand(b"\x96" + struct.pack("<Q", 2**50)),
        "huge_frame": by_hand(b"\x95" + struct.pack("<Q", 2**62)),
        "huge_number": by_hand(b"L" + b"9" * 100_000 + b"L\n"),
        "endless": by_hand(b"]" * 3_000_000),
        "not_a_dictionary": by_hand(b"]"),
        "nothing": b"",
        "text": b"version https://git-lfs.github.com/spec/v1\n",
        "picture": b"\x89PNG\r\n\x1a\n" + bytes(100),
        "dict_of_arrays_by_number": by_hand(b"}I1\n", empty_array, b"s"),
    }
    for kind, files in (("body.refused", refused), ("body.damaged", damaged)):
        for name, data in files.items():
            file = tmp_path / f"{name}.pkl"
            file.write_bytes(data)
            assert refusal(file).kind == kind, name
    assert not target.exists()


@pytest.mark.parametrize(
    "state",
    [
        (1, (10**12,), "f8", False, b"\0" * 8), (1, (2,), "f8", False, b"\0" * 8), (1, (-1,), "O", False, [1]),
        (1, ("x",), "f8", False, b""), (1, (1,), "V8", False, b"\0" * 8), (1, (1,), "f8", False, [1.0]), 7, None,
    ],
)  # fmt: skip
def test_arrays_that_do_not_fit_are_no_arrays(state: Any) -> None:
    shell = Shell("array")
    if isinstance(state, tuple):
        dtype = Shell("dtype", (state[2],))
        state = (*state[:2], dtype, *state[3:])
    shell.state = state
    with pytest.raises((ValueError, TypeError)):
        as_array(shell)


def test_sparse_indices_outside_the_matrix_are_found(tmp_path: Path) -> None:
    for part, value in (("indices", 24), ("indices", -1), ("indptr", 10**6)):
        fields = body_maker.licensed_fields(level=1)
        getattr(fields["J_regressor"], part)[5] = value
        assert refusal(body_maker.write_pickle(tmp_path / "SMPL.pkl", fields)).kind == "body.damaged"


def test_chumpy_that_contains_itself_ends(tmp_path: Path) -> None:
    fields = body_maker.licensed_fields(level=1)
    loop = body_maker.Ch(np.zeros(1))
    loop.x = loop  # type: ignore[assignment]
    file = tmp_path / "SMPL.pkl"
    file.write_bytes(body_maker.python2_pickle(fields | {"weights": loop}))
    assert refusal(file).kind == "body.damaged"


def test_a_file_cut_short_anywhere(smplx: None, tmp_path: Path) -> None:
    fields = body_maker.licensed_fields(level=1)
    whole_pickle = pickle.dumps(fields, protocol=2)
    whole_npz = body_maker.write_npz(tmp_path / "whole.npz", fields).read_bytes()
    save_body(tmp_path / "own.npz", load_body_any(tmp_path / "whole.npz"))
    own = (tmp_path / "own.npz").read_bytes()
    for whole, suffix in ((whole_pickle, ".pkl"), (whole_npz, ".npz"), (own, ".npz")):
        for share in (0.0, 0.001, 0.1, 0.5, 0.9, 0.9999):
            file = tmp_path / f"cut{suffix}"
            file.write_bytes(whole[: int(len(whole) * share)])
            assert refusal(file).kind == "body.damaged", (suffix, share)


def test_flipped_bytes_never_escape_as_another_error(smplx: None, tmp_path: Path) -> None:
    fields = body_maker.licensed_fields(level=1)
    whole_pickle = pickle.dumps(fields, protocol=2)
    whole_npz = body_maker.write_npz(tmp_path / "whole.npz", fields).read_bytes()
    save_body(tmp_path / "own.npz", load_body_any(tmp_path / "whole.npz"))
    own = (tmp_path / "own.npz").read_bytes()
    rng = np.random.default_rng(0)
    found = 0
    for whole, suffix in ((whole_pickle, ".pkl"), (whole_npz, ".npz"), (own, ".npz")):
        for _ in range(60):
            data = bytearray(whole)
            for place in rng.integers(0, len(data), 3):
                data[place] ^= 1 << int(rng.integers(0, 8))
            file = tmp_path / f"flipped{suffix}"
            file.write_bytes(data)
            try:
                load_body_any(file)
            except HmdiffError:
                found += 1
    assert found > 60


def changed(fields: dict, **changes: Any) -> dict:
    return {key: value for key, value in (fields | changes).items() if value is not None}


def test_wrong_content_is_explained(smplx: None, tmp_path: Path) -> None:
    fields = body_maker.licensed_fields(level=1)
    fields["J_regressor"] = fields["J_regressor"].toarray()
    count = len(fields["v_template"])
    broken_tree = fields["kintree_table"].copy()
    broken_tree[0, 4] = 9
    other_tree = fields["kintree_table"].copy()
    other_tree[0, 4] = 0
    nan = fields["v_template"].copy()
    nan[3, 1] = np.nan
    wide = np.zeros((2, 55), np.int64)
    wide[1] = np.arange(55)
    cases = {
        "no weights": changed(fields, weights=None),
        "weights do not sum to 1": changed(fields, weights=fields["weights"] * 0.9),
        "finite": changed(fields, v_template=nan),
        "vertices that do not exist": changed(fields, f=fields["f"] + 1),
        "shape": changed(fields, posedirs=fields["posedirs"][..., :100]),
        "at least 10": changed(fields, shapedirs=fields["shapedirs"][..., :4]),
        "tree": changed(fields, kintree_table=broken_tree),
        "connected as SMPL": changed(fields, kintree_table=other_tree),
        "55 joints, as in SMPL-X": changed(fields, kintree_table=wide),
        "metres": changed(fields, v_template=fields["v_template"] * 1000),
        "J_regressor has shape": changed(fields, J_regressor=np.zeros((count, 24))),
        "numbers": changed(fields, f=np.array([["a", "b", "c"]])),
    }
    for words, content in cases.items():
        error = refusal(body_maker.write_npz(tmp_path / "SMPL_X.npz", content))
        assert error.kind == "body.invalid" and words in error.message, (words, error.message)
        if words != "numbers":
            error = refusal(body_maker.write_pickle(tmp_path / "SMPL_X.pkl", content))
            assert error.kind == "body.invalid" and words in error.message, (words, error.message)


def test_saved_bodies_are_checked_too(smplx: None, tmp_path: Path) -> None:
    load_body_any(body_maker.write_npz(tmp_path / "whole.npz", body_maker.licensed_fields(level=1)))
    save_body(tmp_path / "own.npz", load_body_any(tmp_path / "whole.npz"))
    stored = dict(np.load(tmp_path / "own.npz"))
    broken_parents = stored["parents"].copy()
    broken_parents[5] = 7
    cases: dict[str, Any] = {
        "f": stored["f"] + 40, "parents": broken_parents, "weights_value": stored["weights_value"] * 0,
        "v_template": np.full_like(stored["v_template"], np.inf), "posedirs": stored["posedirs"][..., :9],
    }  # fmt: skip
    for name, value in cases.items():
        np.savez(tmp_path / "bad.npz", **(stored | {name: value}))
        assert refusal(tmp_path / "bad.npz").kind == "body.invalid", name
    np.savez(tmp_path / "bad.npz", **(stored | {"J_col": stored["J_col"] + 1000}))
    assert refusal(tmp_path / "bad.npz").kind == "body.damaged"


def test_an_npz_that_needs_pickle_says_what_to_do(smplx: None, tmp_path: Path) -> None:
    fields = body_maker.licensed_fields(level=1)
    file = tmp_path / "SMPL_NEUTRAL.npz"
    np.savez(file, **fields)  # numpy stores the sparse regressor as a pickled object
    error = refusal(file)
    assert error.kind == "body.refused" and "J_regressor" in error.message and ".pkl" in error.fix
    np.savez(file, **(fields | {"J_regressor": fields["J_regressor"].toarray(), "joint2num": {"pelvis": 0}}))
    assert load_body_any(file).name == "smpl"  # objects nobody asks for are never opened


def test_other_files_and_no_file(tmp_path: Path) -> None:
    (tmp_path / "body.obj").write_text("v 0 0 0")
    assert refusal(tmp_path / "body.obj").kind == "body.unknown_format"
    assert refusal(tmp_path / "missing.pkl").kind == "body.not_found"
    np.savez(tmp_path / "poses.npz", poses=np.zeros((4, 72)))
    assert refusal(tmp_path / "poses.npz").kind == "body.invalid"
    with pytest.raises(HmdiffError):
        read_pickle(tmp_path / "missing.pkl")
    assert "chumpy" not in sys.modules
