"""An export in a second process: what it is told, what it says, how its files come in, what is left of a failed one."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest
from hmdiff_blender_core.export_child import ORDER, RESULT, ExportChild
from hmdiff_blender_core.export_rules import Order, Progress, command, parse, share, words, written_words
from hmdiff_wire.errors import HmdiffError

PROGRAM = """
import json, os, pathlib, sys, time
order = json.loads(pathlib.Path("order.json").read_text())
path = pathlib.Path(order["path"])
beside = path.with_name(order["token"] + path.name)
beside.write_text("half")
print("Blender says something", flush=True)
print('noise HMDIFF-EXPORT ["reading", 3, 10]', flush=True)
WHAT
beside.write_text("whole")
pathlib.Path("result.json").write_text(json.dumps({"written": [str(beside)]}))
"""


def begin(folder: Path, what: str = "") -> tuple[ExportChild, Order]:
    work = folder / "work"
    work.mkdir()
    (work / "program.py").write_text(PROGRAM.replace("WHAT", what), encoding="utf-8")
    order = Order(str(folder / "walk.fbx"), clip="c1")
    (work / ORDER).write_text(order.to_json(), encoding="utf-8")
    child = ExportChild()
    child.start([sys.executable, "program.py"], order, work)
    return child, order


def ended(child: ExportChild, seconds: float = 20.0) -> None:
    until = time.monotonic() + seconds
    while not child.poll():
        assert time.monotonic() < until
        time.sleep(0.01)


def left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_complete_file_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "walk.fbx").write_text("old", encoding="utf-8")
    child, order = begin(tmp_path)
    ended(child)
    assert child.problem is None and child.written == [order.target] and not child.running
    assert order.target.read_text(encoding="utf-8") == "whole" and left(tmp_path) == {"walk.fbx"}
    assert child.progress == Progress("reading", 3, 10)


def test_cancelled_at_once_and_the_old_file_stays(tmp_path: Path) -> None:
    (tmp_path / "walk.fbx").write_text("old", encoding="utf-8")
    child, order = begin(tmp_path, "time.sleep(60)")
    until = time.monotonic() + 20
    while not order.beside.exists() and time.monotonic() < until:
        time.sleep(0.01)
    began = time.monotonic()
    child.stop()
    assert time.monotonic() - began < 5 and not child.running and not child.poll()
    assert order.target.read_text(encoding="utf-8") == "old" and left(tmp_path) == {"walk.fbx"}


def test_a_death_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    child, _ = begin(tmp_path, "os._exit(7)")
    ended(child)
    assert child.problem is not None and child.problem.kind == "export.died"
    assert "Blender says something" in child.problem.detail and "exit code 7" in child.problem.detail
    assert left(tmp_path) == set()


def test_its_own_error_is_told(tmp_path: Path) -> None:
    error = HmdiffError("export.nothing", "There is nothing.", "Load a take.").to_dict()
    child, _ = begin(tmp_path, f"pathlib.Path({RESULT!r}).write_text(json.dumps({{'error': {error!r}}})); sys.exit(0)")
    ended(child)
    assert child.problem is not None and (child.problem.kind, child.problem.fix) == ("export.nothing", "Load a take.")


def test_no_program(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    child = ExportChild()
    with pytest.raises(HmdiffError, match="second Blender"):
        child.start([str(tmp_path / "no blender")], Order(str(tmp_path / "a.fbx")), work)
    assert not child.running and left(tmp_path) == set()


def test_orders_come_back_from_their_text() -> None:
    order = Order("/a/walk.glb", "CHARACTER", item="Rig", fps=23.976, addons=("io_scene_gltf2",), scripts=True)
    assert Order.from_json(order.to_json()) == order
    assert order.beside.parent == order.target.parent and order.beside.name.endswith("walk.glb")


def test_progress_in_words_and_numbers() -> None:
    for line in ("Info: saved", 'HMDIFF-EXPORT ["reading", 3', "HMDIFF-EXPORT 7"):
        assert parse(line) is None
    steps = [Progress(), Progress("opening"), *(Progress(stage, frame, 1000) for stage in ("reading", "writing")
                                                for frame in (1, 500, 1000))]  # fmt: skip
    assert all(parse(step.line()) == step for step in steps)
    shares = [share(step) for step in steps]
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] == 1
    assert words(steps[3]) == "Reading, frame 500 of 1,000" and "Blender" in words(steps[0])


def test_the_command_reaches_the_script_without_the_users_scripts() -> None:
    told = command("/opt/blender", Path("/a/__main__.py"), Path("/w"), Path("/o/order.json"))
    assert told[:3] == ["/opt/blender", "-b", "--disable-autoexec"]
    assert told[told.index("--") :] == ["--", "--wire", "/w", "--export", "/o/order.json"]


def test_what_was_written_is_said_with_its_size(tmp_path: Path) -> None:
    files = [tmp_path / f"{name}.pc2" for name in "abcd"]
    for path in files:
        path.write_bytes(bytes(2_000_000))
    assert written_words(files) == "Wrote a.pc2, b.pc2, c.pc2 ... (8.0 MB)."
