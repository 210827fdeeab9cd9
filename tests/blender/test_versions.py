"""The same tests in the other Blenders: each environment of HMDIFF_BPY_ENVS (default ~/.cache/hmdiff-bpy) runs them.

``python3 dev.py test -- tests/blender/test_versions.py`` makes the environments (5.2 where there is a Python 3.13, or
HMDIFF_PYTHON313 names one) and runs this.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = Path(os.environ.get("HMDIFF_BPY_ENVS") or Path.home() / ".cache" / "hmdiff-bpy")
SUITES = (
    "test_scene.py",
    "test_run_in_scene.py",
    "test_edited_clip.py",
    "test_doubt.py",
    "test_exports.py",
    "test_exports_round_trip.py",
    "test_exports_second.py",
    "test_exports_character.py",
    "test_footage.py",
    "../addon/test_runs.py",
    "../addon/test_buttons.py",
    "../addon/test_export_button.py",
    "../addon/test_sources.py",
    "../addon/test_queue.py",
    "../addon/test_set_up_panel.py",
    "test_retarget.py",
    "test_retarget_export.py",
    "../addon/test_character.py",
)
INSIDE = "HMDIFF_INSIDE_VERSIONS"
ONE_TEST_S, ALL_S = 150, 700
"""After so long one test in another Blender, and all of them, count as hanging (they take seconds, and minutes)."""


@pytest.mark.skipif(INSIDE in os.environ, reason="already inside")
@pytest.mark.timeout(2 * ALL_S + 60)
@pytest.mark.parametrize("version", ["4.2", "5.0", "5.2"])
def test_scene_exports_and_runs_in_blender(version, tmp_path):
    python = ENVIRONMENTS / version / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        pytest.skip(f"no bpy {version} in {ENVIRONMENTS}")
    check = "import bpy, pytest, sys; sys.exit(bpy.app.version_string[:3] != sys.argv[1])"
    if subprocess.run([python, "-c", check, version], capture_output=True, timeout=ONE_TEST_S).returncode:
        pytest.skip(f"{python} has no bpy {version} with pytest")
    # The bpy 4.2 module crashes in its own tear-down after a glTF export, so the result must come before it.
    run = "import os, pytest, sys; code = pytest.main(sys.argv[1:]); sys.stdout.flush(); os._exit(code)"
    # Where a test hangs its stacks are printed, and the whole is ended from here.
    hang = ["-o", f"faulthandler_timeout={ONE_TEST_S}", "-o", "faulthandler_exit_on_timeout=false"]
    options = ["-v", "-x", "-p", "no:cacheprovider", *hang]
    command = [python, "-c", run, *options, *(str(HERE / name) for name in SUITES)]
    code, said = run_whole(command, tmp_path / "said.txt")
    if code is None or code < 0:
        # CI saw bpy as a module stand still once, in dozens of runs; one that does so twice fails.
        fate = "hung" if code is None else f"died of signal {-code}"
        warnings.warn(f"bpy {version} {fate} and is tried again:\n{said[-6000:]}", stacklevel=1)
        code, said = run_whole(command, tmp_path / "said_again.txt")
    assert code == 0, said[-6000:]


def run_whole(command: list[object], log: Path) -> tuple[int | None, str]:
    """Run in a process group of its own, which ends with it: exit code (None: it hung) and what was said.

    A file takes the words, because a pipe stays open as long as any backend that a crashed Blender left behind.
    """
    environ = {**os.environ, INSIDE: "1", "HMDIFF_BACKEND_PYTHON": sys.executable}
    with log.open("w") as out:
        child = subprocess.Popen(
            [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=environ,
            cwd=HERE.parents[1], start_new_session=True,
        )  # fmt: skip
        try:
            code = child.wait(ALL_S)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            end_group(child)
    return code, log.read_text(errors="replace")


def end_group(child: subprocess.Popen[bytes]) -> None:
    if os.name == "nt":
        child.kill()
        return
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    child.wait(10)


@pytest.mark.skipif(os.name == "nt", reason="process groups are POSIX")
def test_run_whole_is_not_held_by_what_a_crash_leaves_behind(tmp_path):
    script = "import subprocess, sys, os; subprocess.Popen(['sleep', '60']); print('said', flush=True); os._exit(3)"
    started = time.monotonic()
    assert run_whole([sys.executable, "-c", script], tmp_path / "said.txt") == (3, "said\n")
    assert time.monotonic() - started < 30
