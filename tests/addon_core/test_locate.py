"""Which command starts the backend, and what is said when a path is wrong."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest
from hmdiff_blender_core.locate import command_environ, find_command
from hmdiff_wire.errors import HmdiffError

NOWHERE = {"PATH": ""}
WORDS = ["-m", "hmdiff.cli"]
unix = pytest.mark.skipif(sys.platform == "win32", reason="programs have other names on Windows")


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    path.chmod(0o755)
    return path


def checkout(folder: Path) -> Path:
    """-> the add-on's folder in something that looks like this repository."""
    for part in ("backend/hmdiff", "shared/hmdiff_wire", "blender_addon"):
        (folder / part).mkdir(parents=True)
    return folder / "blender_addon"


@unix
def test_a_python_an_environment_or_the_program(tmp_path: Path) -> None:
    python = program(tmp_path / "my env ä" / "bin" / "python")
    hmdiff = program(tmp_path / "my env ä" / "bin" / "hmdiff")
    for text in (str(python), str(tmp_path / "my env ä"), f' "{python}" '):
        assert find_command(text, tmp_path, NOWHERE) == [str(python), *WORDS]
    assert find_command(str(hmdiff), tmp_path, NOWHERE) == [str(hmdiff)]


def test_an_environment_made_on_windows(tmp_path: Path) -> None:
    python = program(tmp_path / "env" / "Scripts" / "python.exe")
    assert find_command(str(tmp_path / "env"), tmp_path, NOWHERE) == [str(python), *WORDS]


@unix
def test_the_links_of_an_environment_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "env" / "bin").mkdir(parents=True)
    link = tmp_path / "env" / "bin" / "python"
    link.symlink_to(program(tmp_path / "usr" / "python3"))
    assert find_command(str(link), tmp_path, NOWHERE) == [str(link), *WORDS]


@unix
def test_the_order(tmp_path: Path) -> None:
    addon = checkout(tmp_path / "checkout")
    given, variable = program(tmp_path / "a" / "python"), program(tmp_path / "b" / "python")
    own, on_path = program(tmp_path / "checkout" / ".venv/bin/python"), program(tmp_path / "c" / "hmdiff")
    environ = {"HMDIFF_PYTHON": str(variable), "PATH": str(tmp_path / "c")}
    assert find_command(str(given), addon, environ)[0] == str(given)
    assert find_command("", addon, environ)[0] == str(variable)
    assert find_command(" ", addon, {"PATH": environ["PATH"]})[0] == str(own)
    assert find_command("", tmp_path, {"PATH": environ["PATH"]}) == [str(on_path)]


@unix
def test_an_addon_that_is_a_link_into_a_checkout(tmp_path: Path) -> None:
    addon = checkout(tmp_path / "checkout")
    own = program(tmp_path / "checkout" / ".venv/bin/python")
    (tmp_path / "extensions").mkdir()
    link = tmp_path / "extensions" / "hmdiff"
    link.symlink_to(addon)
    command = find_command("", link, NOWHERE)
    assert command == [str(own), *WORDS]
    packages = [str(tmp_path / "checkout" / part) for part in ("backend", "shared")]
    assert command_environ(command) == {"PYTHONPATH": os.pathsep.join(packages)}


@unix
def test_only_a_checkouts_python_gets_its_packages(tmp_path: Path) -> None:
    assert command_environ([str(program(tmp_path / "env" / "bin" / "python")), *WORDS]) == {}
    assert command_environ(["/usr/bin/hmdiff"]) == {} and command_environ([]) == {}


def test_this_checkout_is_found(repo: Path) -> None:
    if not (repo / ".venv").is_dir():
        pytest.skip("this checkout has no .venv")
    assert Path(find_command("", repo / "blender_addon", NOWHERE)[0]).is_relative_to(repo / ".venv")


@unix
@pytest.mark.parametrize("where", ["the add-on's preferences", "HMDIFF_PYTHON"])
def test_a_wrong_path_is_said_and_not_passed_over(tmp_path: Path, where: str) -> None:
    addon = checkout(tmp_path / "checkout")
    program(tmp_path / "checkout" / ".venv/bin/python")
    (tmp_path / "empty").mkdir()
    (tmp_path / "python").write_text("not to be run", encoding="utf-8")
    program(tmp_path / "blender")
    wrong = {"gone": "nothing", "empty": "folder without", "python": "not a program", "blender": "neither a Python"}
    for name, why in wrong.items():
        path = str(tmp_path / name)
        with pytest.raises(HmdiffError) as caught:
            find_command(*(path, addon, NOWHERE) if "pref" in where else ("", addon, {"HMDIFF_PYTHON": path}))
        assert caught.value.kind == "backend.absent" and caught.value.fix
        assert path in caught.value.message and why in caught.value.message and where in caught.value.message


def test_nothing_anywhere(tmp_path: Path) -> None:
    with pytest.raises(HmdiffError) as caught:
        find_command("", tmp_path, NOWHERE)
    assert caught.value.kind == "backend.absent" and "preferences" in caught.value.fix
    if shutil.which("hmdiff"):
        assert find_command("", tmp_path, os.environ) == [os.path.abspath(shutil.which("hmdiff") or "")]
