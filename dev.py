#!/usr/bin/env python3
"""Two commands on a fresh machine: ``python3 dev.py demo`` and ``python3 dev.py test``. Standard library only.

Both make their environment (.venv) first, or use the one that is there when nothing has changed since. A run that
was interrupted is repaired by the next one.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, Sequence  # noqa: UP035 - an older Python must get as far as the sentence about 3.11

ROOT = Path(__file__).resolve().parent
STAMP = "hmdiff-stamp.json"
BPY_ENVS = ROOT / ".venv-bpy"  # the folder tests/blender/test_versions.py looks into, one environment per version
RTMLIB = ("--no-deps", "rtmlib==0.0.16")  # what it requires would put two other builds of OpenCV beside ours
PYZMQ = "pyzmq==26.4.0"  # as in the add-on's wheels
USUAL = (3, 11)  # the one Python that the backend, bpy 4.5 and most other bpy have in common


@dataclass(frozen=True)
class Blender:
    """A Blender besides 4.5 to test with: its module, the numpy it really carries (bpy alone pulls a newer one)."""

    bpy: str
    numpy: str
    python: tuple[int, int] = USUAL


OTHER_BLENDERS = {
    "4.2": Blender("bpy==4.2.23", "numpy==1.26.4"),
    "5.0": Blender("bpy==5.0.1", "numpy==1.26.4"),
    "5.2": Blender("bpy==5.2.3", "numpy==2.3.4", python=(3, 13)),
}
CORE_PROBE = "numpy scipy torch safetensors ai_edge_litert.interpreter av cv2 PIL.Image zmq hmdiff.cli hmdiff_wire"
EXTRA_PROBES = {
    "blender": "bpy",
    "test": "pytest pytest_timeout xdist hypothesis matplotlib onnx onnxruntime rtmlib",
    "body": "anny roma trimesh",
    "smpl": "smplx",
    "train": "matplotlib",
    "render": "moderngl",
    "rtmlib": "onnxruntime tqdm rtmlib",
}
# Run inside an environment: every file that pip says it installed is there, and the modules named really load.
CHECK = """
import importlib, importlib.metadata, sys
for distribution in importlib.metadata.distributions():
    for file in distribution.files or ():
        if file.suffix != ".pyc" and not file.locate().exists():
            sys.exit(f"{distribution.name} has lost {file}")
for module in sys.argv[1:]:
    importlib.import_module(module)
"""
DETECTOR = """
from hmdiff.detect import assets
if None in map(assets.find_model, (assets.POSE_DETECTION, assets.POSE_LANDMARK)):
    print("dev.py: fetching the person detector (35 MB, once) ...", flush=True)
    assets.install_models()
"""


class DevError(Exception):
    """One sentence and what to do about it."""


@dataclass(frozen=True)
class Environment:
    """A virtual environment: where, what goes in (one pip call per entry), what must import, what it was made from."""

    folder: Path
    installs: tuple[tuple[str, ...], ...]
    probe: str
    fingerprint: str
    extras: frozenset[str] = frozenset()
    version: tuple[int, int] = USUAL

    @property
    def name(self) -> str:
        return str(self.folder.relative_to(ROOT) if ROOT in self.folder.parents else self.folder)

    @property
    def python(self) -> Path:
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


# --- environments ---------------------------------------------------------------------------------------------------


def find_python(version: tuple[int, int] = USUAL) -> str:
    """A Python of this version: named by HMDIFF_PYTHON313, this one, one on the PATH or one that pyenv has."""
    spoken = "{}.{}".format(*version)
    candidates = [[sys.executable], [f"python{spoken}"], ["py", f"-{spoken}"], ["python3"], ["python"]]
    named = os.environ.get("HMDIFF_PYTHON{}{}".format(*version))
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    candidates += [[str(path)] for path in sorted(pyenv.glob(f"{spoken}.*/bin/python"))]
    question = f"import sys; print(sys.executable if sys.version_info[:2] == {version} else '')"
    for candidate in [[named]] if named else candidates:
        if shutil.which(candidate[0]):
            answer = subprocess.run([*candidate, "-c", question], capture_output=True, text=True, check=False)
            if answer.returncode == 0 and answer.stdout.strip():
                return answer.stdout.strip()
    raise DevError(
        f"Python {spoken} is needed and was not found. Install it (Windows: `winget install Python.Python.{spoken}`, "
        f"macOS: `brew install python@{spoken}`, Debian and Ubuntu: `apt install python{spoken}-venv`) and run this "
        "again."
    )


def digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]


def main_environment(extras: set[str]) -> Environment:
    """The project itself, editable, with ``extras`` and those it already has."""
    folder = ROOT / ".venv"
    everything = frozenset(extras | set(read_stamp(folder).get("extras", [])))
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    torch = re.search(r'"(torch==[^"]+)"', project)
    if torch is None:
        raise DevError("pyproject.toml names no exact torch version. Get the file again with `git checkout`.")
    # An editable installation remembers where the checkout lies, so that a moved one is set up again.
    fingerprint = digest(project, (ROOT / "setup.py").read_text(encoding="utf-8"), str(ROOT))
    # torch goes first: settled, it cannot be exchanged for another build by what the rest asks for.
    installs = ((torch.group(1),), ("--editable", f".[{','.join(sorted(everything))}]"))
    if everything & {"rtmlib", "test"}:
        installs = (*installs, RTMLIB)
    probe = " ".join([CORE_PROBE, *(EXTRA_PROBES[extra] for extra in sorted(everything))])
    return Environment(folder, installs, probe, fingerprint, everything)


def blender_environment(version: str) -> Environment:
    blender = OTHER_BLENDERS[version]
    packages = (blender.bpy, blender.numpy, PYZMQ, "pytest")
    probe = "bpy numpy zmq pytest"
    return Environment(BPY_ENVS / version, (packages,), probe, digest(*packages[:3]), version=blender.python)


def read_stamp(folder: Path) -> dict:
    try:
        return json.loads((folder / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def write_stamp(env: Environment, *, complete: bool) -> None:
    stamp = {"fingerprint": env.fingerprint, "extras": sorted(env.extras), "complete": complete}
    (env.folder / STAMP).write_text(json.dumps(stamp), encoding="utf-8")


def ensure(env: Environment) -> Path:
    """Make or repair ``env`` unless its stamp says that it is whole, and return its Python."""
    stamp = read_stamp(env.folder)
    whole = stamp.get("complete") and stamp.get("fingerprint") == env.fingerprint
    if whole and env.extras <= set(stamp["extras"]) and works(env.python, env.version):
        return env.python
    existed, ours = env.folder.exists(), bool(stamp)
    try:
        build(env)
    except DevError:
        if not existed:
            raise
        if not ours:
            raise DevError(
                f"{env.name} was not made by dev.py and cannot be used. Move it away and run this again."
            ) from None
        say(f"{env.name} is damaged and is made anew")
        shutil.rmtree(env.folder)
        build(env)
    return env.python


def build(env: Environment) -> None:
    if not works(env.python, env.version):
        with step(f"making {env.name}"):
            call(
                [find_python(env.version), "-m", "venv", "--clear", str(env.folder)],
                "The environment could not be made.",
            )
    write_stamp(env, complete=False)
    for packages in env.installs:
        with step(f"installing {' '.join(packages)} into {env.name} (downloads once; this can take minutes)"):
            pip = [str(env.python), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", *packages]
            call(pip, "Something could not be installed; pip says above what and why.")
    with step(f"checking {env.name}"):
        call([str(env.python), "-c", CHECK, *env.probe.split()], f"{env.name} is not whole.")
    write_stamp(env, complete=True)


def works(python: Path, version: tuple[int, int] = USUAL) -> bool:
    """Whether this environment has a Python of this version with pip; a half-made one has not."""
    if not python.exists():
        return False
    question = [str(python), "-c", f"import sys, pip; sys.exit(sys.version_info[:2] != {version})"]
    return subprocess.run(question, capture_output=True, check=False, env=clean_environ()).returncode == 0


# --- running --------------------------------------------------------------------------------------------------------


def clean_environ(**more: str) -> dict[str, str]:
    """Our environment variables without those that would lead a Python of ours to somebody else's packages."""
    foreign = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__", "PIP_USER", "PIP_TARGET")
    kept = {name: value for name, value in os.environ.items() if name not in foreign}
    return {**kept, "PYTHONNOUSERSITE": "1", **more}


def run(command: Sequence[str], **environ: str) -> int:
    sys.stdout.flush()
    return subprocess.run(command, cwd=ROOT, env=clean_environ(**environ), check=False).returncode


def call(command: Sequence[str], complaint: str) -> None:
    if run(command):
        raise DevError(f"{complaint} Check the internet connection and the free disk space, then run this again.")


def say(text: str) -> None:
    print(f"dev.py: {text}", flush=True)


@contextlib.contextmanager
def step(text: str) -> Iterator[None]:
    say(f"{text} ...")
    started = time.monotonic()
    yield
    say(f"  took {time.monotonic() - started:.0f} s")


# --- commands -------------------------------------------------------------------------------------------------------


def setup(extras: set[str]) -> str:
    """The main environment and the detector's models; returns the Python to use."""
    env = main_environment(extras)
    python = str(ensure(env))
    try:
        call([python, "-c", DETECTOR], "The person detector's models could not be fetched.")
    except DevError:
        write_stamp(env, complete=False)  # should the environment be to blame, the next run looks at it closely
        raise
    return python


def demo(_: argparse.Namespace) -> int:
    """The main job on the clip that ships, and how far the result is from the truth."""
    python = setup({"blender"})
    clip, truth, out = ROOT / "assets/demo/demo.mp4", ROOT / "assets/demo/demo_truth.npz", ROOT / "demo_out"
    take = out / "take"
    if (take / "manifest.json").is_file():
        shutil.rmtree(take)  # the take of an earlier demo
    outputs = [out / "demo.blend", out / "demo.mp4"]
    out.mkdir(exist_ok=True)
    with step(f"animating {clip.relative_to(ROOT)}"):
        words = [word for path in outputs for word in ("-o", str(path))]
        code = run([python, "-m", "hmdiff.cli", "animate", str(clip), *words, "--take", str(take)])
    if code:
        return code
    say("how far it is from the truth (the clip is rendered, so the truth is known):")
    code = run([python, "-m", "hmdiff.evaluation.demo", str(take), str(truth)])
    for path in [*outputs, take]:
        say(f"{path.relative_to(ROOT)}{os.sep if path.is_dir() else ''}")
    return code


def test(args: argparse.Namespace) -> int:
    """Style, types and tests; every stage runs even if one before it failed."""
    python = setup({"blender", "body", "render", "test", "train"} | ({"smpl"} if args.smplx else set()))
    chosen = list(args.pytest)
    if args.quick:
        chosen += ["--deselect", "tests/blender/test_versions.py"]
    else:
        other_blenders()
    # One process per core, at most four: each holds torch and bpy (about 1.5 GB). A file's tests stay in one process,
    # since the tests of a file share what is slow to make.
    workers = str(min(os.cpu_count() or 1, 4))
    # The longest test takes three minutes on a busy machine; one that hangs must not hold CI until CI gives up.
    spread = ["-n", workers, "--dist", "loadfile", "--timeout", "600", "--max-worker-restart", "1"]
    stages = {
        "ruff check": ["ruff", "check", "."],
        "ruff format": ["ruff", "format", "--check", "."],
        "pyright": ["pyright", "--pythonpath", python],
        "pytest": ["pytest", *spread, *chosen],
    }
    failed = []
    for name, words in stages.items():
        with step(name):
            if run([python, "-m", *words], HMDIFF_BPY_ENVS=str(BPY_ENVS), OMP_NUM_THREADS="1"):
                failed.append(name)
    say(f"FAILED: {', '.join(failed)}" if failed else "all passed")
    return 1 if failed else 0


def other_blenders() -> None:
    """Their environments. Only the Python that the project itself needs is asked for; without another, one is left
    out and its tests say so."""
    for version, blender in OTHER_BLENDERS.items():
        if blender.python != USUAL:
            try:
                find_python(blender.python)
            except DevError:
                spoken = "{}.{}".format(*blender.python)
                say(f"Blender {version} is left out: no Python {spoken} here (HMDIFF_PYTHON{spoken.replace('.', '')})")
                continue
        ensure(blender_environment(version))


def only_setup(args: argparse.Namespace) -> int:
    python = setup({"blender"} | set(args.extras))
    say(f"ready: {python}")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    commands.add_parser("demo", help="animate the clip that ships; leaves demo_out/").set_defaults(command=demo)
    tests = commands.add_parser("test", help="style, types and tests")
    tests.add_argument("--quick", action="store_true", help="without the other Blenders (4.2, 5.0, 5.2; 1 GB each)")
    tests.add_argument(
        "--smplx", action="store_true", help="install smplx and compare with it; its licence: non-commercial research"
    )
    tests.add_argument("pytest", nargs="*", metavar="-- PYTEST", help="arguments for pytest, after --")
    tests.set_defaults(command=test)
    only = commands.add_parser("setup", help="only make the environment")
    only.add_argument("extras", nargs="*", choices=[[], *sorted(EXTRA_PROBES)], help="extras of pyproject.toml")
    only.set_defaults(command=only_setup)
    args = parser.parse_args()
    try:
        return args.command(args)
    except DevError as error:
        print(f"dev.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndev.py: Stopped. Run it again to go on.", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
