"""The extension zips: what is in them, what Blender's own code makes of them, and what goes wrong in plain words."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from io import BytesIO
from pathlib import Path
from types import ModuleType

import pytest

PLATFORMS = ["windows-x64", "linux-x64", "macos-arm64"]


@pytest.fixture(scope="module")
def zips(build_addon: ModuleType, builder, wheels, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    out = tmp_path_factory.mktemp("with space") / "dist"
    return {name: build_addon.build(name, builder, out, offline=True) for name in PLATFORMS}


def manifest_of(path: Path) -> dict:
    with zipfile.ZipFile(path) as archive:
        return tomllib.loads(archive.read("blender_manifest.toml").decode())


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_zip_holds_the_add_on_its_wheels_and_licences_and_nothing_else(name: str, zips, repo: Path):
    addon = repo / "blender_addon"
    sources = {path.relative_to(addon).as_posix() for path in addon.rglob("*.py")}
    with zipfile.ZipFile(zips[name]) as archive:
        inside = set(archive.namelist())
        assert archive.testzip() is None
        for file in sources:
            assert archive.read(file) == (addon / file).read_bytes(), file
        assert b"GNU GENERAL PUBLIC LICENSE" in archive.read("LICENSE")
        assert b"Apache-2.0" in archive.read("LICENCES.txt") and b"MPL-2.0" in archive.read("LICENCES.txt")
    wheels = {file for file in inside if file.startswith("wheels/")}
    set_up = {file for file in inside if file.startswith("backend/")}
    locks = {path.relative_to(addon).as_posix() for path in (addon / "locks").iterdir()}
    assert inside == sources | wheels | set_up | locks | {"LICENSE", "LICENCES.txt", "blender_manifest.toml"}
    assert sorted(file.split("-")[0] for file in set_up) == ["backend/hmdiff", "backend/uv"]
    assert zips[name].stat().st_size < 80e6
    assert zips[name].name == f"hmdiff-{manifest_of(zips[name])['version']}-{name.replace('-', '_')}.zip"
    assert sorted(manifest_of(zips[name])["wheels"]) == sorted(f"./{wheel}" for wheel in wheels)
    assert manifest_of(zips[name])["platforms"] == [name]


def test_a_zip_names_no_folder_of_the_machine_it_was_made_on(zips, repo: Path):
    for path in zips.values():
        with zipfile.ZipFile(path) as archive:
            for file in archive.namelist():
                assert not file.startswith(("/", "..")) and ":" not in file and "\\" not in file
                assert str(repo).encode() not in archive.read(file), file


@pytest.mark.parametrize("name", PLATFORMS)
def test_pyzmq_is_there_for_both_pythons_as_published(name: str, zips, build_addon: ModuleType):
    with zipfile.ZipFile(zips[name]) as archive:
        pyzmq = {file: archive.read(file) for file in archive.namelist() if file.startswith("wheels/pyzmq-26.4.0-")}
    assert sorted(file.split("-")[2] for file in pyzmq) == ["cp311", "cp313"]
    assert {hashlib.sha256(data).hexdigest() for data in pyzmq.values()} == set(build_addon.PINNED[name].values())
    tag = {"windows-x64": "win_amd64", "linux-x64": "x86_64", "macos-arm64": "macosx_11_0_arm64"}[name]
    assert all(file.endswith(f"{tag}.whl") for file in pyzmq)


@pytest.mark.parametrize("version", ["4.2", "4.5", "5.0", "5.2"])
@pytest.mark.parametrize("name", PLATFORMS)
def test_every_blender_accepts_it(version: str, name: str, zips, tools, build_addon: ModuleType):
    if version not in tools:
        pytest.skip(f"no bpy {version} on this machine")
    build_addon.check(zips[name], name, tools[version])


def test_the_check_sees_an_add_on_that_newer_blenders_would_refuse(zips, builder, build_addon: ModuleType, tmp_path):
    """The pyzmq 27 trap: with an abi3 wheel Blender finds that Python 3.13 is not served."""
    spoilt = tmp_path / "spoilt.zip"
    with zipfile.ZipFile(zips["linux-x64"]) as archive:
        entries = {file: archive.read(file) for file in archive.namelist()}
    entries["blender_manifest.toml"] = entries["blender_manifest.toml"].replace(b"cp313-cp313", b"cp312-abi3")
    build_addon.write_zip(spoilt, entries)
    with pytest.raises(build_addon.DevError, match=r"'pythons': \[\[3, 11\]\]"):
        build_addon.check(spoilt, "linux-x64", builder)
    with pytest.raises(build_addon.DevError, match="'foreign': .*manylinux"):
        build_addon.check(zips["linux-x64"], "windows-x64", builder)


def test_blender_refuses_a_broken_manifest_and_its_words_are_passed_on(zips, builder, build_addon, tmp_path: Path):
    entries = {"__init__.py": b"", "blender_manifest.toml": b'schema_version = "1.0.0"\nid = "not an id"\n'}
    build_addon.write_zip(tmp_path / "bad.zip", entries)
    with pytest.raises(build_addon.DevError, match=r"refuses to validate the add-on(.|\n)*id"):
        build_addon.check(tmp_path / "bad.zip", "linux-x64", builder)


def test_the_checkout_is_a_valid_extension_by_itself(tools, build_addon: ModuleType, repo: Path):
    for tool in tools.values():
        build_addon.use(tool, "validate", str(repo / "blender_addon"))
    manifest = tomllib.loads((repo / "blender_addon/blender_manifest.toml").read_text(encoding="utf-8"))
    assert "wheels" not in manifest and manifest["platforms"] == PLATFORMS == list(build_addon.PINNED)
    assert set(manifest["permissions"]) == {"files", "network"}


def test_the_same_sources_give_the_same_bytes(
    zips, build_addon: ModuleType, builder, repo: Path, tmp_path, monkeypatch
):
    copy = Path(shutil.copytree(repo / "blender_addon", tmp_path / "another place"))
    (copy / "__pycache__").mkdir(exist_ok=True)
    (copy / "__pycache__" / "x.pyc").write_bytes(b"junk")
    for path in copy.rglob("*.py"):
        path.chmod(0o600)
    monkeypatch.setattr(build_addon, "ADDON", copy)
    again = build_addon.build("linux-x64", builder, tmp_path / "out", offline=True)
    assert again.read_bytes() == zips["linux-x64"].read_bytes()


def test_the_wire_wheel_is_a_wheel_whose_version_follows_its_content(
    build_addon: ModuleType, repo: Path, tmp_path, monkeypatch
):
    name, data = build_addon.wire_wheel("1.2.3")
    version = re.fullmatch(r"hmdiff_wire-(1\.2\.3\+[0-9a-f]{8})-py3-none-any\.whl", name)
    assert version is not None
    (tmp_path / name).write_bytes(data)
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--no-index",
        "--target",
        str(tmp_path / "in"),
    ]
    subprocess.run([*pip, str(tmp_path / name)], check=True)
    installed = {path.name: path.read_bytes() for path in (tmp_path / "in" / "hmdiff_wire").glob("*.py")}
    assert installed == {path.name: path.read_bytes() for path in (repo / "shared/hmdiff_wire").glob("*.py")}
    with zipfile.ZipFile(BytesIO(data)) as archive:
        info = f"hmdiff_wire-{version.group(1)}.dist-info"
        assert archive.read(f"{info}/licenses/LICENSE") == (repo / "LICENSE").read_bytes()
        assert b"License-Expression: Apache-2.0" in archive.read(f"{info}/METADATA")
    assert build_addon.wire_wheel("1.2.3") == (name, data)

    changed = Path(shutil.copytree(repo / "shared/hmdiff_wire", tmp_path / "hmdiff_wire"))
    with (changed / "errors.py").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    monkeypatch.setattr(build_addon, "WIRE", changed)
    assert build_addon.wire_wheel("1.2.3")[0] != name


def test_a_damaged_wheel_in_the_cache_is_never_used(build_addon: ModuleType, wheels, builder, tmp_path: Path):
    cache = Path(shutil.copytree(build_addon.CACHE, tmp_path / "cache"))
    victim = next(cache.glob("*cp313*win_amd64.whl"))
    victim.write_bytes(victim.read_bytes()[:-1] + b"x")
    with pytest.raises(build_addon.DevError, match="without --offline"):
        build_addon.pyzmq_wheels("windows-x64", tool=None, cache=cache)
    assert build_addon.pyzmq_wheels("windows-x64", tool=builder, cache=cache) == wheels["windows-x64"]


def test_a_download_that_is_another_file_is_not_used(
    build_addon: ModuleType, wheels, builder, tmp_path: Path, monkeypatch
):
    (tags, *_) = build_addon.PINNED["windows-x64"]
    monkeypatch.setitem(build_addon.PINNED, "windows-x64", {tags: "0" * 64})
    with pytest.raises(build_addon.DevError, match="is not the one this script knows"):
        build_addon.pyzmq_wheels("windows-x64", tool=builder, cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_without_a_connection_it_says_so(build_addon: ModuleType, builder, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(build_addon.DevError, match="could not be downloaded .*Check the internet connection"):
        build_addon.pyzmq_wheels("linux-x64", tool=builder, cache=tmp_path / "cache")


def test_a_stray_file_is_named_and_not_shipped(build_addon: ModuleType, repo: Path, tmp_path: Path):
    copy = Path(shutil.copytree(repo / "blender_addon", tmp_path / "copy"))
    (copy / "scene" / "body.py.orig").write_text("", encoding="utf-8")
    with pytest.raises(build_addon.DevError, match=r"body\.py\.orig does not belong in the add-on"):
        build_addon.sources(copy)


def test_a_plain_python_makes_the_zip_of_one_platform(wheels, repo: Path, tmp_path: Path, zips):
    command = [sys.executable, "-I", "-S", str(repo / "build_addon.py"), "--platform", "linux-x64", "--offline"]
    start = "import runpy, sys; sys.path.insert(0, sys.argv[1]); sys.argv[:] = sys.argv[2:]; "
    start += "runpy.run_path(sys.argv[0], run_name='__main__')"
    command = [sys.executable, "-I", "-S", "-c", start, str(repo), *command[3:], "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (made,) = tmp_path.glob("*.zip")
    assert made.read_bytes() == zips["linux-x64"].read_bytes()
    assert hashlib.sha256(made.read_bytes()).hexdigest() in done.stdout and "checked by Blender" in done.stdout
