"""dev.py's environments: made once, repaired when half made, never at the cost of somebody else's."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

pytestmark = pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="dev.py makes environments of Python 3.11")


@pytest.fixture(scope="module")
def dev() -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "dev.py"
    spec = importlib.util.spec_from_file_location("hmdiff_dev", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def environment(dev: ModuleType, folder: Path, probe: str = "pip", fingerprint: str = "1"):
    """Nothing to install, so that no network is needed; the venv and the checks are real."""
    return dev.Environment(folder, (), probe, fingerprint)


@pytest.fixture(scope="module")
def made(dev: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("with space") / ".venv"
    dev.ensure(environment(dev, folder))
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A finished environment of its own for each test that harms it."""
    return Path(shutil.copytree(made, tmp_path / "an env", symlinks=True))


@pytest.fixture
def builds(dev: ModuleType, monkeypatch) -> list[str]:
    done: list[str] = []
    real = dev.build

    def counted(env) -> None:
        done.append(env.folder.name)
        real(env)

    monkeypatch.setattr(dev, "build", counted)
    return done


def test_a_finished_environment_is_used_again(dev: ModuleType, made: Path, builds: list[str]):
    assert dev.read_stamp(made)["complete"]
    assert dev.ensure(environment(dev, made)).is_file()
    assert builds == []


def test_changed_requirements_are_installed(dev: ModuleType, folder: Path, builds: list[str]):
    dev.ensure(environment(dev, folder, fingerprint="2"))
    assert builds == ["an env"] and dev.read_stamp(folder)["fingerprint"] == "2"


def test_an_interrupted_one_is_looked_at_closely_and_made_anew(dev: ModuleType, folder: Path, builds: list[str]):
    env = environment(dev, folder)
    dev.write_stamp(env, complete=False)
    (pip,) = folder.rglob("site-packages/pip/_internal/configuration.py")
    pip.unlink()
    assert dev.ensure(env).is_file()
    assert builds == ["an env", "an env"], "tried as it is, then from scratch"
    assert pip.is_file() and dev.read_stamp(folder)["complete"]


def test_half_an_environment_does_not_work(dev: ModuleType, folder: Path):
    python = environment(dev, folder).python
    assert dev.works(python)
    shutil.rmtree(next(folder.rglob("site-packages/pip")))
    assert not dev.works(python), "no pip"
    python.unlink()
    assert not dev.works(python), "no Python"


def test_somebody_else_s_environment_is_never_removed(dev: ModuleType, folder: Path):
    (folder / dev.STAMP).unlink()
    with pytest.raises(dev.DevError, match="Move it away"):
        dev.ensure(environment(dev, folder, probe="no_such_module"))
    assert (folder / "pyvenv.cfg").is_file()


def test_a_new_one_that_does_not_load_is_an_error_and_not_complete(dev: ModuleType, tmp_path: Path, made: Path):
    env = environment(dev, tmp_path / "new", probe="no_such_module")
    with pytest.raises(dev.DevError, match="not whole"):
        dev.ensure(env)
    assert dev.read_stamp(env.folder)["complete"] is False


def test_the_project_s_environment_keeps_the_extras_it_has(dev: ModuleType, tmp_path: Path, monkeypatch):
    for name in ("pyproject.toml", "setup.py"):
        shutil.copy(dev.ROOT / name, tmp_path)
    monkeypatch.setattr(dev, "ROOT", tmp_path)
    first = dev.main_environment({"blender"})
    assert first.installs == (("torch==2.13.0",), ("--editable", ".[blender]")) and "bpy" in first.probe.split()
    first.folder.mkdir()
    dev.write_stamp(dev.main_environment({"test"}), complete=True)
    assert dev.main_environment({"blender"}).extras == {"blender", "test"}
    (first.folder / dev.STAMP).write_text("{ broken", encoding="utf-8")
    assert dev.main_environment({"blender"}).extras == {"blender"}
    with (tmp_path / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write("\n# changed\n")
    assert dev.main_environment({"blender"}).fingerprint != first.fingerprint


def test_without_python_3_11_it_says_how_to_get_it(dev: ModuleType, monkeypatch):
    monkeypatch.setattr(dev.shutil, "which", lambda name: None)
    with pytest.raises(dev.DevError, match=r"Python 3\.11 is needed"):
        dev.find_python()


def test_foreign_paths_do_not_leak_in(dev: ModuleType, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/somebody/else")
    environ = dev.clean_environ(HMDIFF_BPY_ENVS="a")
    assert "PYTHONPATH" not in environ and environ["HMDIFF_BPY_ENVS"] == "a"


def test_every_extra_it_installs_exists(dev: ModuleType):
    import tomllib

    project = tomllib.loads((dev.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(dev.EXTRA_PROBES) == set(project["optional-dependencies"])
    assert json.dumps(project["dependencies"]).count("torch==") == 1
