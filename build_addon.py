#!/usr/bin/env python3
"""Makes the extension zips of the Blender add-on, one per platform: ``python3 build_addon.py``. Standard library only.

Each holds the add-on, its wheels (pyzmq for the Pythons of Blender 4.2 to 5.2, and hmdiff_wire) and, for its set-up,
the backend's wheel with body and weights, and the installer uv. Blender's own extension tool, out of the bpy wheel,
builds them; the tool of every Blender at hand checks them. The same sources give the same bytes on every machine.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import dev
from dev import DevError
from tools.wheels import backend_wheel, digest, make_wheel, write_zip

ROOT = Path(__file__).resolve().parent
ADDON, WIRE = ROOT / "blender_addon", ROOT / "shared" / "hmdiff_wire"
CACHE = ROOT / "build" / "wheels"
MANIFEST = "blender_manifest.toml"
PYZMQ = "26.4.0"
PYTHONS = ((3, 11), (3, 13))  # of Blender 4.2 to 5.0 and of 5.1 and later
# What an add-on may consist of; anything else in its folder is a stray file and not to be given to people.
SUFFIXES = {".py", ".toml", ".md", ".txt", ".svg", ".png"}
NAMES = {"LICENSE"}
BLENDERS = ("4.5", *dev.OTHER_BLENDERS)
TOOL = "bpy/*/scripts/addons_core/bl_pkg/cli/blender_ext.py"


# pyzmq's wheels as the package index has them: name after "pyzmq-VERSION-", sha256.
PINNED = {
    "windows-x64": {
        "cp311-cp311-win_amd64": "963977ac8baed7058c1e126014f3fe58b3773f45c78cce7af5c26c09b6823896",
        "cp313-cp313-win_amd64": "23ecc9d241004c10e8b4f49d12ac064cd7000e1643343944a10df98e57bc544b",
    },
    "linux-x64": {
        "cp311-cp311-manylinux_2_28_x86_64": "2f9f7ffe9db1187a253fca95191854b3fda24696f086e8789d1d449308a34b88",
        "cp313-cp313-manylinux_2_28_x86_64": "6332452034be001bbf3206ac59c0d2a7713de5f25bb38b06519fc6967b7cf771",
    },
    "macos-arm64": {
        "cp311-cp311-macosx_10_15_universal2": "bfcf82644c9b45ddd7cd2a041f3ff8dce4a0904429b74d73a439e8cab1bd9e54",
        "cp313-cp313-macosx_10_15_universal2": "c43fac689880f5174d6fc864857d1247fe5cfa22b09ed058a344ca92bf5301e3",
    },
}
# uv, which makes the backend's environment on the user's computer: name after "uv-VERSION-", sha256.
UV = "0.13.9"
UV_PINNED = {
    "windows-x64": ("py3-none-win_amd64", "6a44b2ed8111d2f60d2b92627c5dccda3f7ed7570b18ce115e569cd68c28246b"),
    "linux-x64": (
        "py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64",
        "d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19",
    ),
    "macos-arm64": ("py3-none-macosx_11_0_arm64", "66c512266d633bef48384a1f53003f41f2a8e7b36fe6e7fbfd3e0fd52d96fa63"),
}
NOT_FOR_ARTISTS = ("bench_rendered.npz",)
"""A benchmark of the checkout that `hmdiff eval` measures with."""

# The Mac wheels are for both kinds of Mac. Early Blenders 4.2 know no "universal2" and would leave them out.
SHIPPED_TAGS = {"macosx_10_15_universal2": "macosx_11_0_arm64"}

LICENCES = f"""What is in this extension, and under which licence
--------------------------------------------------
The add-on                 GPL-3.0-or-later, its text is in LICENSE
wheels/hmdiff_wire-*.whl   Apache-2.0, its text is in the wheel (*.dist-info/licenses/)
backend/hmdiff-*.whl       Apache-2.0, the add-on's sources in it GPL-3.0-or-later, body and weights CC BY 4.0; all
                           texts are in the wheel (*.dist-info/licenses/)
backend/uv-*.whl           uv {UV}, Apache-2.0 or MIT, as published by its authors; the texts are in the wheel
wheels/pyzmq-*.whl         pyzmq {PYZMQ}, BSD-3-Clause, as published by its authors; it carries libzmq (MPL-2.0) and
                           libsodium (ISC). The texts are in the wheel (*.dist-info/licenses/).
"""

# Run by the Python of a bpy: what this Blender itself makes of the wheels that a zip names.
ASK = """
import importlib.util, json, sys, tomllib, zipfile
spec = importlib.util.spec_from_file_location("blender_ext", sys.argv[1])
tool = importlib.util.module_from_spec(spec)
sys.modules["blender_ext"] = tool
spec.loader.exec_module(tool)
with zipfile.ZipFile(sys.argv[2]) as archive:
    manifest = tomllib.loads(archive.read("blender_manifest.toml").decode())
wheels = manifest["wheels"]
pythons = tool.python_versions_from_wheels(wheels)
print(json.dumps({
    "pythons": pythons if isinstance(pythons, str) else sorted(pythons),
    "foreign": sorted(set(wheels) - set(tool.paths_filter_wheels_by_platform(wheels, sys.argv[3]))),
    "dropped": sorted(set(wheels) - set(manifest["build"]["generated"]["wheels"])),
}))
"""


@dataclass(frozen=True)
class Tool:
    """Blender's extension tool of one version, and a Python to run it and pip with."""

    blender: str
    python: Path
    script: Path


# --- Blender's tool -------------------------------------------------------------------------------------------------


def environments() -> list[Path]:
    """Folders that may be an environment with bpy: those of dev.py and those of HMDIFF_BPY_ENVS."""
    parents = [os.environ.get("HMDIFF_BPY_ENVS"), dev.BPY_ENVS, Path.home() / ".cache" / "hmdiff-bpy"]
    found = [
        folder for parent in parents if parent and Path(parent).is_dir() for folder in sorted(Path(parent).iterdir())
    ]
    return [ROOT / ".venv", *found]


def find_tools() -> dict[str, Tool]:
    """The extension tools on this machine, by Blender version, the one that builds (4.5 where it is there) first."""
    tools: dict[str, Tool] = {}
    for folder in environments():
        python = dev.Environment(folder, (), "", "").python
        scripts = [*folder.glob(f"lib/python3*/site-packages/{TOOL}"), *folder.glob(f"Lib/site-packages/{TOOL}")]
        if scripts and python.exists():
            version = scripts[0].parents[4].name
            tools.setdefault(version, Tool(version, python, scripts[0]))
    return {version: tools[version] for version in sorted(tools, key=lambda version: (version != "4.5", version))}


def set_up(versions: list[str]) -> None:
    """Make the environments of these Blenders (1 GB each). Errors: DevError."""
    for version in versions:
        env = dev.blender_environment(version) if version in dev.OTHER_BLENDERS else dev.main_environment({"blender"})
        dev.ensure(env)


def use(tool: Tool, *words: str) -> str:
    """Run the tool. Errors: DevError with what it said."""
    command = [str(tool.python), "-B", str(tool.script), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=dev.clean_environ())
    if done.returncode:
        said = (done.stdout + done.stderr).strip()
        raise DevError(
            f"The extension tool of Blender {tool.blender} refuses to {words[0]} the add-on. It says:\n{said}"
        )
    return done.stdout


# --- wheels ---------------------------------------------------------------------------------------------------------


def pyzmq_wheels(platform: str, *, tool: Tool | None, cache: Path = CACHE) -> dict[str, bytes]:
    """pyzmq for one platform, by the file name it ships under, from ``cache`` or else the package index.

    tool: whose pip downloads; None: use only what is in the cache. Errors: DevError.
    """
    wheels = {}
    for tags, sha256 in PINNED[platform].items():
        path = fetched("pyzmq", PYZMQ, tags, sha256, tool=tool, cache=cache)
        tag = tags.split("-")[2]
        wheels[path.name.replace(tag, SHIPPED_TAGS.get(tag, tag))] = path.read_bytes()
    return wheels


def uv_wheel(platform: str, *, tool: Tool | None, cache: Path = CACHE) -> tuple[str, bytes]:
    """uv for one platform: file name and bytes. Errors: DevError."""
    path = fetched("uv", UV, *UV_PINNED[platform], tool=tool, cache=cache)
    return path.name, path.read_bytes()


def fetched(name: str, version: str, tags: str, sha256: str, *, tool: Tool | None, cache: Path) -> Path:
    """A wheel in the cache that is the one this script knows. Errors: DevError."""
    path = cache / f"{name}-{version}-{tags}.whl"
    if not path.is_file() or digest(path.read_bytes()) != sha256:
        if tool is None:
            raise DevError(f"{path.name} is not in {cache}. Run this again with a connection, without --offline.")
        download(tool, path, sha256)
    return path


def download(tool: Tool, path: Path, sha256: str) -> None:
    """Fetch one wheel to ``path``; it gets there whole and checked, or not at all. Errors: DevError."""
    say(f"downloading {path.name} (once)")
    path.parent.mkdir(parents=True, exist_ok=True)
    name, version, python, _, tags = path.stem.split("-")
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        command = [str(tool.python), "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]
        command += ["--no-deps", "--only-binary=:all:", "--python-version", "311" if python == "py3" else python[2:]]
        command += [word for tag in tags.split(".") for word in ("--platform", tag)]
        command += ["--dest", folder, f"{name}=={version}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=dev.clean_environ())
        there = Path(folder) / path.name
        if done.returncode or not there.is_file():
            said = (done.stderr.strip().splitlines() or ["pip gave another file"])[-1]
            raise DevError(
                f"{path.name} could not be downloaded ({said}). Check the internet connection and run this again."
            )
        if digest(there.read_bytes()) != sha256:
            raise DevError(f"The {path.name} that was downloaded is not the one this script knows, so it is not used.")
        os.replace(there, path)


def wire_wheel(version: str) -> tuple[str, bytes]:
    """File name and bytes of the hmdiff_wire wheel."""
    about = (
        "Summary: What the HMDiff backend and its Blender add-on agree on\n"
        "License-Expression: Apache-2.0\nLicense-File: LICENSE\n"
        "Requires-Python: >=3.11\nRequires-Dist: numpy>=1.26,<3\n"
    )
    entries = {f"hmdiff_wire/{name}": data for name, data in sources(WIRE).items()}
    return make_wheel("hmdiff_wire", version, entries, about, {"LICENSE": (ROOT / "LICENSE").read_bytes()})


# --- files ----------------------------------------------------------------------------------------------------------


def sources(folder: Path) -> dict[str, bytes]:
    """What belongs in a package made from ``folder``, by path inside it. Errors: DevError for a stray file."""
    found = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.is_dir() or any(part == "__pycache__" or part.startswith(".") for part in inside.parts):
            continue
        if path.suffix not in SUFFIXES and path.name not in NAMES:
            raise DevError(
                f"{path} does not belong in the add-on. Move it away, or allow its kind in "
                f"SUFFIXES of {Path(__file__).name}."
            )
        found[inside.as_posix()] = path.read_bytes()
    return found


def manifest_for(source: str, platform: str, wheels: list[str]) -> str:
    """The manifest of one zip: that of the checkout with this platform alone and its wheels. Errors: DevError."""
    lists = [f'platforms = ["{platform}"]', "wheels = [", *(f'  "./wheels/{name}",' for name in wheels), "]"]
    made, count = re.subn(r"(?m)^platforms = \[[^\]]*\]$", "\n".join(lists), source)
    if count != 1:
        raise DevError(
            f"{MANIFEST} has no line that begins with `platforms = [`. Get the file again with `git checkout`."
        )
    return made


# --- the zips -------------------------------------------------------------------------------------------------------


def build(name: str, builder: Tool, out: Path, *, offline: bool) -> Path:
    """Make the zip of one platform in ``out``. Errors: DevError."""
    entries = sources(ADDON)
    manifest = entries[MANIFEST].decode()
    version = re.search(r'(?m)^version = "([^"]+)"$', manifest)
    if version is None:
        raise DevError(f"{MANIFEST} names no version. Get the file again with `git checkout`.")
    wheels = dict([*pyzmq_wheels(name, tool=None if offline else builder).items(), wire_wheel(version.group(1))])
    entries[MANIFEST] = manifest_for(manifest, name, sorted(wheels)).encode()
    entries["LICENCES.txt"] = LICENCES.encode()
    entries.update({f"wheels/{file}": data for file, data in wheels.items()})
    set_up = [uv_wheel(name, tool=None if offline else builder), backend_wheel(version.group(1), NOT_FOR_ARTISTS)]
    entries.update({f"backend/{file}": data for file, data in set_up})
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        stage, made = Path(folder) / "stage", Path(folder) / "made"
        for file, data in entries.items():
            (stage / file).parent.mkdir(parents=True, exist_ok=True)
            (stage / file).write_bytes(data)
        made.mkdir()
        use(builder, "build", "--split-platforms", "--source-dir", str(stage), "--output-dir", str(made))
        (zipped,) = made.glob("*.zip")
        with zipfile.ZipFile(zipped) as archive:
            packed = {file: archive.read(file) for file in archive.namelist()}
        if set(packed) != set(entries):
            raise DevError(f"Blender packed other files than it was given: {sorted(set(packed) ^ set(entries))}.")
        write_zip(zipped, packed)
        return Path(shutil.move(zipped, out / zipped.name))


def check(path: Path, name: str, tool: Tool) -> None:
    """Have one Blender's own code judge a zip. Errors: DevError."""
    use(tool, "validate", str(path))
    command = [str(tool.python), "-B", "-c", ASK, str(tool.script), str(path), name]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=dev.clean_environ())
    if done.returncode:
        raise DevError(f"Blender {tool.blender} could not be asked about the wheels in {path.name}:\n{done.stderr}")
    answer = json.loads(done.stdout)
    if answer != {"pythons": [list(python) for python in PYTHONS], "foreign": [], "dropped": []}:
        raise DevError(f"Blender {tool.blender} takes the wheels in {path.name} for something else: {answer}")


def say(text: str) -> None:
    print(f"build_addon.py: {text}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--platform",
        nargs="+",
        choices=list(PINNED),
        default=list(PINNED),
        metavar="NAME",
        help=f"only these: {', '.join(PINNED)}",
    )
    parser.add_argument("--out", type=Path, default=ROOT / "dist", help="the folder for the zips (dist)")
    parser.add_argument("--offline", action="store_true", help="download nothing")
    parser.add_argument(
        "--all-blenders",
        action="store_true",
        help="make the missing environments (1 GB each) and check with every Blender",
    )
    args = parser.parse_args()
    try:
        tools = find_tools()
        missing = [version for version in BLENDERS if version not in tools]
        if missing and not args.offline and (args.all_blenders or not tools):
            set_up(missing if args.all_blenders else ["5.0"])
            tools = find_tools()
        if not tools:
            raise DevError("No Blender's extension tool is here. Run this again with a connection, without --offline.")
        for name in args.platform:
            path = build(name, next(iter(tools.values())), args.out, offline=args.offline)
            for tool in tools.values():
                check(path, name, tool)
            say(f"{path}  {path.stat().st_size / 1e6:.1f} MB  sha256 {digest(path.read_bytes())}")
        say(f"checked by Blender {', '.join(sorted(tools))}")
        unasked = [version for version in BLENDERS if version not in tools]
        if unasked:
            say(f"not checked by Blender {', '.join(unasked)}, which is not here; --all-blenders fetches it")
    except DevError as error:
        print(f"build_addon.py: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
