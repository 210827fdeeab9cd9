"""`hmdiff doctor`: what is installed, on which device it would run, what is missing and how to get it."""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import os
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from hmdiff_wire.body import load_body
from hmdiff_wire.errors import HmdiffError

from .. import __version__
from ..video.blender_process import find_blender
from .output import print_json

DATA = Path(__file__).resolve().parent.parent / "data"
# (distribution, module) of everything the main job imports.
CORE = (
    ("numpy", "numpy"), ("scipy", "scipy"), ("torch", "torch"), ("safetensors", "safetensors.torch"),
    ("ai-edge-litert", "ai_edge_litert.interpreter"), ("av", "av"), ("opencv-python-headless", "cv2"),
    ("pillow", "PIL.Image"), ("pyzmq", "zmq"),
)  # fmt: skip
OPTIONAL = (
    ("anny", "body", "building the free body anew"),
    ("moderngl", "render", "drawing synthetic people"),
    ("matplotlib", "train", "drawing training curves"),
    ("smplx", "smpl", "your licensed SMPL or MANO files; for non-commercial research only"),
)
MARKS = {"ok": "ok", "missing": "MISSING", "broken": "BROKEN", "absent": "-"}


@dataclass(frozen=True)
class Check:
    """One line of the report. state: ok, missing or broken (both stop the main job), absent (optional, not there)."""

    name: str
    state: str
    found: str
    fix: str = ""


def run(args: argparse.Namespace) -> int:
    """0 when the main job can run, 1 when something it needs is missing."""
    if args.install:
        install_detector(args.install)
    report = check_all()
    healthy = all(check.state in ("ok", "absent") for check in report)
    if args.json:
        print_json({"version": __version__, "ok": healthy, "checks": [asdict(check) for check in report]})
    else:
        print(as_text(report))
    return 0 if healthy else 1


def install_detector(wheel: str | bool) -> None:
    """Fetch the detector's models if they are missing; ``wheel`` may name a mediapipe wheel to take them from."""
    from ..detect import assets

    if isinstance(wheel, str):
        assets.install_models(Path(wheel))
    elif any(assets.find_model(name) is None for name in (assets.POSE_DETECTION, assets.POSE_LANDMARK)):
        print("Fetching the person detector (35 MB, once) ...", file=sys.stderr, flush=True)
        assets.install_models()


def check_all() -> list[Check]:
    return [
        check_python(),
        *(check_package(distribution, module) for distribution, module in CORE),
        check_device(),
        check_detector(),
        check_body(DATA / "body.npz"),
        check_weights(DATA),
        check_blender(),
        *(check_optional(*entry) for entry in OPTIONAL),
    ]


def check_python() -> Check:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if (3, 11) <= sys.version_info < (3, 14):
        return Check("python", "ok", found)
    return Check("python", "broken", found, "Install Python 3.11 and make the environment again.")


def check_package(distribution: str, module: str) -> Check:
    """Import it for real: half an installation has a version but does not load."""
    try:
        version = importlib.metadata.version(distribution)
        importlib.import_module(module)
    except (importlib.metadata.PackageNotFoundError, ModuleNotFoundError):
        return Check(distribution, "missing", "", f"pip install {distribution}")
    except (ImportError, OSError, RuntimeError) as error:
        return Check(distribution, "broken", str(error), f"pip install --force-reinstall --no-deps {distribution}")
    return Check(distribution, "ok", version)


def check_device() -> Check:
    try:
        import torch
    except (ImportError, OSError) as error:
        return Check("device", "missing", str(error), "pip install torch")
    if torch.cuda.is_available():
        return Check("device", "ok", f"cuda: {torch.cuda.get_device_name(0)}")
    if torch.backends.mps.is_available():
        return Check("device", "ok", "mps: the graphics part of this Mac")
    return Check("device", "ok", f"cpu: {os.cpu_count()} cores, {torch.get_num_threads()} threads used")


def check_detector() -> Check:
    try:
        from ..detect import assets
    except ImportError as error:  # a package above is missing; this report is what says which
        return Check(
            "detector models", "missing", f"cannot be looked for: {error}", "Install the packages above first."
        )
    places = [assets.find_model(name) for name in (assets.POSE_DETECTION, assets.POSE_LANDMARK)]
    if None in places:
        return Check("detector models", "missing", f"not in {assets.models_dir()}", "hmdiff doctor --install")
    return Check("detector models", "ok", str(places[0]))


def check_body(path: Path) -> Check:
    try:
        body = load_body(path)
    except HmdiffError as error:
        return Check("body", "broken" if path.exists() else "missing", error.message, "hmdiff body build")
    return Check("body", "ok", f"{body.name}, {body.n_vertices} vertices")


def check_weights(folder: Path) -> Check:
    shards = sorted(folder.rglob("*.safetensors"))
    if not shards:
        return Check("weights", "missing", f"none in {folder}", "They ship with the project: get its files again.")
    size = sum(shard.stat().st_size for shard in shards) / 1e6
    return Check("weights", "ok", f"{len(shards)} file{'s' * (len(shards) > 1)}, {size:.1f} MB")


def check_blender() -> Check:
    try:
        command = find_blender()
    except HmdiffError as error:
        return Check("blender", "absent", f"{error.message} The rest works without.", error.fix)
    if command[0] == sys.executable:
        return Check("blender", "ok", f"the bpy package {importlib.metadata.version('bpy')}")
    return Check("blender", "ok", f"{command[0]} ({version_of(command[0])})")


def version_of(program: str) -> str:
    try:
        answer = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"does not answer: {error}"
    return next(iter(answer.stdout.splitlines()), "says nothing about its version")


def check_optional(distribution: str, extra: str, purpose: str) -> Check:
    try:
        return Check(distribution, "ok", f"{importlib.metadata.version(distribution)}, for {purpose}")
    except importlib.metadata.PackageNotFoundError:
        return Check(distribution, "absent", f"only for {purpose}", f"pip install hmdiff[{extra}]")


def as_text(report: list[Check]) -> str:
    width = max(len(check.name) for check in report)
    lines = [f"hmdiff {__version__}"]
    for check in report:
        lines.append(f"  {MARKS[check.state]:<8}{check.name:<{width}}  {check.found}".rstrip())
        if check.fix:
            lines.append(f"  {'':<8}{'':<{width}}  -> {check.fix}")
    bad = [check.name for check in report if check.state in ("missing", "broken")]
    lines.append(f"Not ready: {', '.join(bad)}." if bad else "Ready.")
    return "\n".join(lines)
