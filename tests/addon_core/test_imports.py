"""What importing the core brings along: nothing that can fail in register()."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

LOOK = """
import importlib, importlib.util, pathlib, sys
folder = pathlib.Path(sys.argv[1])
class Forbidden:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in ('bpy', 'zmq', 'hmdiff', 'torch'):
            raise ImportError('forbidden ' + name)
sys.meta_path.insert(0, Forbidden())
init, places = folder / '__init__.py', [str(folder)]
spec = importlib.util.spec_from_file_location('a_core', init, submodule_search_locations=places)
package = sys.modules['a_core'] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
names = sorted(path.stem for path in folder.glob('*.py') if path.stem != '__init__')
for name in names:
    importlib.import_module('a_core.' + name)
engine = sys.modules['a_core.engine'].Engine(folder / 'nowhere', lambda: [], [])
engine.tick()
engine.close()
print(len(names), sorted(name for name in ('bpy', 'zmq', 'hmdiff') if name in sys.modules))
try:
    sys.modules['a_core.client'].Client({'port': 1, 'token': ''})
except Exception as error:
    print(type(error).__name__, error.kind)
"""


def test_every_module_without_bpy_and_zmq(repo: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-c", LOOK, str(repo / "blender_addon" / "core")], capture_output=True, text=True,
        env={"PYTHONPATH": str(repo / "shared"), "SYSTEMROOT": "C:\\Windows"}, timeout=60,
    )  # fmt: skip
    lines = result.stdout.splitlines()
    assert result.returncode == 0, result.stderr
    assert int(lines[0].split()[0]) >= 12 and lines[0].endswith("[]")
    assert lines[1] == "HmdiffError client.no_zmq"
    assert not (repo / "blender_addon" / "core" / "nowhere").exists(), "an engine that did nothing wrote something"


def test_imports_inside_are_relative(repo: Path) -> None:
    for path in (repo / "blender_addon" / "core").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert "import bpy" not in text and "blender_addon" not in text and "hmdiff_blender" not in text
        assert len(text.splitlines()) <= 300
