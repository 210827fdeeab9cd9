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


@pytest.fixture
def no_python(dev: ModuleType, monkeypatch, tmp_path: Path) -> None:
    """No Python but this very one: none on the PATH, no pyenv, none named."""
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "no pyenv"))
    monkeypatch.delenv("HMDIFF_PYTHON311", raising=False)
    monkeypatch.delenv("HMDIFF_PYTHON313", raising=False)
    monkeypatch.setattr(dev.shutil, "which", lambda name: name if Path(name).is_absolute() else None)


def test_without_python_3_11_it_says_how_to_get_it(dev: ModuleType, no_python, monkeypatch):
    monkeypatch.setattr(dev.shutil, "which", lambda name: None)
    with pytest.raises(dev.DevError, match=r"Python 3\.11 is needed"):
        dev.find_python()


def test_a_python_is_found_by_its_version(dev: ModuleType, no_python, monkeypatch, tmp_path: Path):
    assert dev.find_python((3, 11)) == sys.executable
    with pytest.raises(dev.DevError, match=r"Python 3\.13 is needed"):
        dev.find_python((3, 13))
    script = "#!/bin/sh\necho /a/python3.13\n"  # answers like a Python of the version that is asked for
    for path in (tmp_path / "pyenv/versions/3.13.0/bin/python", tmp_path / "named"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(script.replace("/a/", f"{path.parent}/"), encoding="utf-8")
        path.chmod(0o755)
    if sys.platform != "win32":
        monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
        assert dev.find_python((3, 13)) == str(tmp_path / "pyenv/versions/3.13.0/bin/python3.13")
        monkeypatch.setenv("HMDIFF_PYTHON313", str(tmp_path / "named"))
        assert dev.find_python((3, 13)) == str(tmp_path / "python3.13")
    monkeypatch.setenv("HMDIFF_PYTHON313", sys.executable)
    with pytest.raises(dev.DevError, match=r"Python 3\.13 is needed"):
        dev.find_python((3, 13))


def test_a_blender_whose_python_is_missing_is_left_out(dev: ModuleType, no_python, monkeypatch, capsys):
    made = []
    monkeypatch.setattr(dev, "ensure", lambda env: made.append(env.folder.name))
    dev.other_blenders()
    assert made == ["4.2", "5.0"]
    (line,) = capsys.readouterr().out.splitlines()
    assert "Blender 5.2 is left out" in line and "HMDIFF_PYTHON313" in line


def test_every_other_blender_gets_its_numpy_the_add_on_s_pyzmq_and_its_python(dev: ModuleType):
    environments = {version: dev.blender_environment(version) for version in ("4.2", "5.0", "5.2")}
    assert set(environments) == set(dev.OTHER_BLENDERS)
    for version, env in environments.items():
        (packages,) = env.installs
        assert packages[0].startswith(f"bpy=={version}.") and "pyzmq==26.4.0" in packages and "zmq" in env.probe
        assert env.version == ((3, 13) if version == "5.2" else (3, 11))
    assert len({env.fingerprint for env in environments.values()}) == 3


def test_an_environment_of_another_python_does_not_count(dev: ModuleType, made: Path):
    python = environment(dev, made).python
    assert dev.works(python, (3, 11)) and not dev.works(python, (3, 13))


def test_foreign_paths_do_not_leak_in(dev: ModuleType, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/somebody/else")
    environ = dev.clean_environ(HMDIFF_BPY_ENVS="a")
    assert "PYTHONPATH" not in environ and environ["HMDIFF_BPY_ENVS"] == "a"


def test_every_extra_it_installs_exists(dev: ModuleType):
    import tomllib

    project = tomllib.loads((dev.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(dev.EXTRA_PROBES) == set(project["optional-dependencies"])
    assert json.dumps(project["dependencies"]).count("torch==") == 1
