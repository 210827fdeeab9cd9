"""Wheels written by hand, so that the same sources give the same bytes on every machine. Standard library only."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = {"hmdiff": "backend/hmdiff", "hmdiff_wire": "shared/hmdiff_wire", "hmdiff_blender": "blender_addon"}
"""As setup.py has them."""
DATA = {".py", ".npz", ".safetensors", ".json", ".toml"}


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def record_digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def write_zip(target: Path | io.BytesIO, entries: dict[str, bytes]) -> None:
    """The same entries give the same bytes: sorted, undated, and stored, since zlibs differ in how they compress."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, data in sorted(entries.items()):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.external_attr = 3, 0o100644 << 16
            archive.writestr(entry, data)


def make_wheel(
    name: str, version: str, entries: dict[str, bytes], about: str, licences: dict[str, bytes], scripts: str = ""
) -> tuple[str, bytes]:
    """File name and bytes of a pure wheel. entries: by path inside; about: METADATA lines after the version; licences:
    by file name; scripts: of entry_points.txt.

    The version ends in a digest of the content: neither Blender nor pip exchange a wheel of a version they have.
    """
    whole = {**entries, **licences, "scripts": scripts.encode()}
    content = b"".join(key.encode() + b"\0" + data + b"\0" for key, data in sorted(whole.items()))
    version = f"{version}+{digest(content)[:8]}"
    info = f"{name}-{version}.dist-info"
    files = dict(entries)
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.4\nName: {name}\nVersion: {version}\n{about}".encode()
    files[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: build_addon\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    files.update({f"{info}/licenses/{file}": data for file, data in licences.items()})
    if scripts:
        files[f"{info}/entry_points.txt"] = scripts.encode()
    record = [f"{file},sha256={record_digest(data)},{len(data)}\n" for file, data in sorted(files.items())]
    files[f"{info}/RECORD"] = "".join([*record, f"{info}/RECORD,,\n"]).encode()
    made = io.BytesIO()
    write_zip(made, files)
    return f"{name}-{version}-py3-none-any.whl", made.getvalue()


def backend_wheel(version: str, skip: tuple[str, ...] = ()) -> tuple[str, bytes]:
    """The whole project as `pip install .` would install it, with body and weights. skip: data files to leave out."""
    entries: dict[str, bytes] = {}
    for package, folder in PACKAGES.items():
        for path in sorted((ROOT / folder).rglob("*")):
            inside = path.relative_to(ROOT / folder)
            hidden = any(part == "__pycache__" or part.startswith(".") for part in inside.parts)
            if path.is_file() and path.suffix in DATA and path.name not in skip and not hidden:
                entries[f"{package}/{inside.as_posix()}"] = path.read_bytes()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = "".join(f"Requires-Dist: {one}\n" for one in project["dependencies"])
    licences = {re.sub(r".*/", "addon-", name): (ROOT / name).read_bytes() for name in project["license-files"]}
    about = f"Summary: {project['description']}\nLicense-Expression: {project['license']}\n"
    about += "".join(f"License-File: {name}\n" for name in licences)
    about += f"Requires-Python: {project['requires-python']}\n{needed}"
    scripts = "[console_scripts]\n" + "".join(f"{key} = {value}\n" for key, value in project["scripts"].items())
    return make_wheel("hmdiff", version, entries, about, licences, scripts)
