"""The same tests in the other Blenders: each environment of HMDIFF_BPY_ENVS (default ~/.cache/hmdiff-bpy) runs them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ENVIRONMENTS = Path(os.environ.get("HMDIFF_BPY_ENVS") or Path.home() / ".cache" / "hmdiff-bpy")
SUITES = ("test_scene.py", "test_exports.py", "test_footage.py")
INSIDE = "HMDIFF_INSIDE_VERSIONS"


@pytest.mark.skipif(INSIDE in os.environ, reason="already inside")
@pytest.mark.parametrize("version", ["4.2", "5.0"])
def test_scene_and_exports_in_blender(version):
    python = ENVIRONMENTS / version / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    if not python.exists():
        pytest.skip(f"no bpy {version} in {ENVIRONMENTS}")
    check = "import bpy, pytest, sys; sys.exit(bpy.app.version_string[:3] != sys.argv[1])"
    if subprocess.run([python, "-c", check, version], capture_output=True).returncode:
        pytest.skip(f"{python} has no bpy {version} with pytest")
    # The bpy 4.2 module crashes in its own tear-down after a glTF export, so the result must come before it.
    run = "import os, pytest, sys; code = pytest.main(sys.argv[1:]); sys.stdout.flush(); os._exit(code)"
    command = [python, "-c", run, "-q", "-x", "-p", "no:cacheprovider", *(str(HERE / name) for name in SUITES)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, INSIDE: "1"}, cwd=HERE.parents[1])
    sys.stdout.write(done.stdout)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
