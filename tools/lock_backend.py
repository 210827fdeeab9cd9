"""The pins that the add-on's set-up installs: ``python tools/lock_backend.py`` writes blender_addon/locks/.

One list per system and accelerator, resolved by uv from pyproject.toml for all Pythons that a Blender brings (3.11 to
3.13), with the sha256 of every wheel that may be meant, and wheels only. torch stands apart where its build does not
come from the usual index (its files' sums are not known then). Needs ``pip install uv packaging`` and a connection.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.markers import Marker

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "blender_addon" / "locks"
PYTHONS = ("3.11", "3.12", "3.13")
MORE = ("pip",)
"""`hmdiff doctor --install` fetches the person detector with it."""
ONLY_CUDA = re.compile(r"nvidia-|cuda-|triton")
TORCH_UNPACKED = 3.6
UNPACKED = 3.2
"""Bytes on disk for one downloaded, measured with the Linux CPU lists."""


@dataclass(frozen=True)
class System:
    """tag: of its wheels; torch: accelerator -> what uv's --torch-backend is to be, "" for the usual index."""

    marker: dict[str, str]
    tag: str
    torch: dict[str, str]


SYSTEMS = {
    "linux-x64": System(
        {"sys_platform": "linux", "platform_machine": "x86_64", "platform_system": "Linux", "os_name": "posix"},
        r"manylinux\w*_x86_64|-any", {"cpu": "cpu", "cuda": ""},
    ),
    "windows-x64": System(
        {"sys_platform": "win32", "platform_machine": "AMD64", "platform_system": "Windows", "os_name": "nt"},
        r"win_amd64|-any", {"cpu": "", "cuda": "auto"},
    ),
    "macos-arm64": System(
        {"sys_platform": "darwin", "platform_machine": "arm64", "platform_system": "Darwin", "os_name": "posix"},
        r"macosx_\w*(arm64|universal2)|-any", {"cpu": ""},
    ),
}  # fmt: skip


def uv(*words: str, cwd: Path) -> str:
    done = subprocess.run([sys.executable, "-m", "uv", *words], cwd=cwd, text=True, capture_output=True, check=False)
    if done.returncode:
        sys.exit(f"uv {' '.join(words)} says:\n{done.stderr}")
    return done.stdout


def resolve() -> tuple[str, dict[str, Any]]:
    """Everything the backend needs, for all systems at once: requirements with hashes, and uv's own lock."""
    needed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    environments = [
        " and ".join(f"{name} == '{system.marker[name]}'" for name in ("sys_platform", "platform_machine"))
        for system in SYSTEMS.values()
    ]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "pyproject.toml").write_text(
            "[project]\nname = 'pins'\nversion = '0'\nrequires-python = '>=3.11,<3.14'\n"
            f"dependencies = {[*needed, *MORE]!r}\n"
            "[tool.uv]\nno-build = true\nfork-strategy = 'fewest'\n"
            f"environments = {environments!r}\nrequired-environments = {environments!r}\n",
            encoding="utf-8",
        )
        uv("lock", "--quiet", cwd=place)
        text = uv("export", "--quiet", "--no-emit-project", "--no-annotate", "--no-header", cwd=place)
        return text, tomllib.loads((place / "uv.lock").read_text(encoding="utf-8"))


def wheels_of(lock: dict[str, Any]) -> dict[str, tuple[str, int]]:
    """sha256 -> file name and bytes."""
    return {
        wheel["hash"]: (wheel["url"].rsplit("/", 1)[1], wheel["size"])
        for package in lock["package"]
        for wheel in package.get("wheels", [])
    }


def pins(text: str, system: System, wheels: dict[str, tuple[str, int]]) -> dict[str, tuple[str, list[str], int]]:
    """name -> requirement line, the sums of its wheels for this system, bytes of the largest."""
    found: dict[str, tuple[str, list[str], int]] = {}
    for block in re.sub(r"\\\n\s+", " ", text).splitlines():
        line, *sums = re.split(r"\s+--hash=", block.strip())
        pin, _, marker = (part.strip() for part in line.partition(";"))
        if not pin:
            continue
        wanted = [one for one in PYTHONS if not marker or Marker(marker).evaluate({**system.marker, **python(one)})]
        mine = {s: wheels[s] for s in sums if s in wheels and fits(wheels[s][0], system)}
        for version in wanted:
            if not any(serves(name, version) for name, _ in mine.values()):
                sys.exit(f"{pin} has no wheel for Python {version} on {system.marker['sys_platform']}")
        if wanted:
            name = pin.partition("==")[0]
            if name in found or wanted != list(PYTHONS):
                sys.exit(f"{pin} is not for all Pythons alike")
            found[name] = (pin, sorted(mine), max(size for _, size in mine.values()))
    return found


def python(version: str) -> dict[str, str]:
    return {"python_version": version, "python_full_version": f"{version}.0", "implementation_name": "cpython"}


def fits(file: str, system: System) -> bool:
    return bool(re.search(system.tag, file)) and any(serves(file, version) for version in PYTHONS)


def serves(file: str, version: str) -> bool:
    """Whether a wheel's tags are for this Python: its own, a stable ABI of an older one, or any."""
    tags, abi = file.removesuffix(".whl").split("-")[-3:-1]
    minor = int(version[2:])
    own = f"cp3{minor}" in tags.split(".") and abi in (f"cp3{minor}", "none", "abi3")
    older = abi == "abi3" and any(3 <= int(tag[3:]) <= minor for tag in tags.split(".") if tag.startswith("cp3"))
    return own or older or (abi == "none" and "py3" in tags)


def main() -> None:
    text, lock = resolve()
    wheels = wheels_of(lock)
    OUT.mkdir(exist_ok=True)
    about = ["# Made by tools/lock_backend.py; sizes in MB."]
    for name, system in SYSTEMS.items():
        for accelerator, backend in system.torch.items():
            chosen = pins(text, system, wheels)
            if accelerator == "cpu" or backend:
                chosen = {key: value for key, value in chosen.items() if not ONLY_CUDA.match(key)}
            torch = chosen.pop("torch") if backend else None
            lines = [f"# {name}, {accelerator}: made by tools/lock_backend.py"]
            for pin, sums, _ in chosen.values():
                lines += [" \\\n    ".join([pin, *(f"--hash={one}" for one in sums)])]
            file = f"{name}-{accelerator}.txt"
            (OUT / file).write_text("\n".join(lines) + "\n", encoding="utf-8")
            # The build for Linux without a card is 192 MB, that for Windows with one about 2.7 GB.
            apart = {"cpu": 192e6, "auto": 2700e6}[backend] if torch else 0.0
            size = sum(value[2] for value in chosen.values()) + apart
            about += ["", f"[{name}-{accelerator}]", f'torch = "{torch[0] if torch else ""}"']
            about += [f'torch_backend = "{backend}"', f"download = {size / 1e6:.0f}"]
            about += [f"disk = {(apart * TORCH_UNPACKED + (size - apart) * UNPACKED) / 1e6:.0f}"]
            print(f"{file}: {len(chosen)} packages, {size / 1e6:.0f} MB")
    (OUT / "locks.toml").write_text("\n".join(about) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
