"""The zip of this platform, installed in bare Blenders: only what Blender itself brings is on the path."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

PROBE = Path(__file__).with_name("install_probe.py")
# What a Blender program has in its own Python, as far as the bpy wheel needs it.
BLENDERS_OWN = ("bpy", "numpy", "numpy.libs", "requests", "urllib3", "certifi", "idna", "charset_normalizer")
BLENDERS_OWN += ("cattr", "cattrs", "attr", "attrs", "typing_extensions.py", "zstandard", "Cython")
NEW_WORDS = "The wire package of the next release."


@pytest.fixture(scope="module")
def releases(build_addon: ModuleType, builder, wheels, this_platform: str, tmp_path_factory) -> list[Path]:
    """This release, and one with the same version and another hmdiff_wire."""
    first = build_addon.build(this_platform, builder, tmp_path_factory.mktemp("first"), offline=True)
    changed = shutil.copytree(build_addon.WIRE, tmp_path_factory.mktemp("changed") / "hmdiff_wire")
    (changed / "__init__.py").write_text(f'"""{NEW_WORDS}"""\n', encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(build_addon, "WIRE", changed)
        return [first, build_addon.build(this_platform, builder, tmp_path_factory.mktemp("second"), offline=True)]


def bare_site(tool, folder: Path) -> Path:
    """A folder to import from that holds Blender's own packages and no other, so that ours cannot come from there."""
    folder.mkdir()
    site_packages = tool.script.parents[6]
    try:
        for name in BLENDERS_OWN:
            if (site_packages / name).exists():
                (folder / name).symlink_to(site_packages / name)
    except OSError as error:
        pytest.skip(f"this user may not make symbolic links ({error})")
    return folder


@pytest.mark.parametrize("version", ["4.2", "4.5", "5.0", "5.2"])
def test_installs_turns_off_and_on_and_is_replaced(version: str, tools, releases, repo: Path, tmp_path: Path):
    if version not in tools:
        pytest.skip(f"no bpy {version} on this machine")
    resources = tmp_path / "resources"
    resources.mkdir()
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "BLENDER_"))}
    environ["BLENDER_USER_RESOURCES"] = str(resources)
    environ["HMDIFF_BARE_SITE"] = str(bare_site(tools[version], tmp_path / "bare"))
    # -I -S: no PYTHONPATH, and no site-packages with the checkout's own hmdiff_wire and pyzmq.
    command = [str(tools[version].python), "-I", "-S", "-B", str(PROBE), "--", *map(str, releases)]
    done = subprocess.run(command, capture_output=True, text=True, env=environ, cwd=tmp_path)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said[-4000:]
    assert "Traceback" not in said, said[-4000:]
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["blender"].startswith(version) and len(seen["installs"]) == 2

    addon = repo / "blender_addon"
    modules = {".".join(file.relative_to(addon).with_suffix("").parts) for file in addon.rglob("*.py")}
    modules = {name.removesuffix(".__init__") for name in modules} - {"__init__", "__main__"}
    for report in seen["installs"]:
        assert report["enabled"] == report["on_again"] == [True, True]
        assert report["classes"], "the add-on registers nothing"
        assert report["classes_again"] == report["classes"]
        assert report["classes_when_off"] == [] and report["traces_when_off"] == []
        assert {name.removeprefix("bl_ext.user_default.hmdiff.") for name in report["modules"]} == modules
        assert Path(report["zmq"]).is_relative_to(resources) and report["zmq_version"] == "26.4.0"
        assert Path(report["wire"]).is_relative_to(resources) and len(report["wire_installed"]) == 1
        assert report["heard"] == "hello"
    first, second = seen["installs"]
    assert first["wire_files"] == sorted(file.name for file in (repo / "shared/hmdiff_wire").glob("*.py"))
    assert first["wire_installed"] != second["wire_installed"], "Blender kept the old wheel unpacked"
    assert second["wire_says"] == NEW_WORDS, "the hmdiff_wire of the replaced add-on is still in memory"
