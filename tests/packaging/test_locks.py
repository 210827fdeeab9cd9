"""The pins that the set-up installs: whole, for every Python a Blender may bring, and those the project asks for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

NAMES = ("linux-x64-cpu", "linux-x64-cuda", "windows-x64-cpu", "windows-x64-cuda", "macos-arm64-cpu")


@pytest.mark.parametrize("name", NAMES)
def test_the_pins_are_those_the_project_asks_for(name: str, repo: Path):
    packaging = pytest.importorskip("packaging.requirements")
    locks = repo / "blender_addon" / "locks"
    about = tomllib.loads((locks / "locks.toml").read_text(encoding="utf-8"))[name]
    text = (locks / f"{name}.txt").read_text(encoding="utf-8")
    pins = dict(re.findall(r"(?m)^([\w.-]+)==(\S+)", text))
    if about["torch"]:
        pins["torch"] = about["torch"].partition("==")[2]
    project = tomllib.loads((repo / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for line in project["dependencies"]:
        wanted = packaging.Requirement(line)
        assert pins[wanted.name.lower()] in wanted.specifier, line
    assert "pip" in pins, "the person detector is fetched with it"
    blocks = re.split(r"(?m)^(?=[\w.-]+==)", text)[1:]
    assert blocks and all("--hash=sha256:" in block for block in blocks)
    assert "://" not in text, "no index is named"
    assert about["download"] * 2 < about["disk"] < about["download"] * 4
