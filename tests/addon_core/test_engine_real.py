"""The engine with the real backend and a real picture: from Run to a take, as in Blender."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from driver import Driver
from hmdiff_blender_core.effects import BeginPreview, ImportTake, ShowFrame, ShowPeople
from hmdiff_blender_core.events import StartAsked
from hmdiff_blender_core.locate import command_environ, find_command
from hmdiff_blender_core.source import resolve, take_folder
from hmdiff_wire.take import read_take

pytest.importorskip("zmq")
pytest.importorskip("torch")


@pytest.fixture
def photo(repo: Path, tmp_path: Path) -> Path:
    """A frame of the shipped clip."""
    av = pytest.importorskip("av")
    path = tmp_path / "frame of the demo.png"
    with av.open(str(repo / "assets" / "demo" / "demo.mp4")) as container:
        next(container.decode(video=0)).to_image().save(path)
    return path


def test_a_photo_from_run_to_take(photo: Path, make_driver: Callable[..., Driver]) -> None:
    driver = make_driver("--device", "cpu", module="hmdiff.cli")
    footage = resolve("FILE", str(photo))
    take = take_folder(None, None, footage)
    driver.run(
        kind=footage.job_kind, source=footage.path, take=str(take), options={"preset": "preview"}, label=footage.name
    )
    done = driver.until_over()
    assert done.phase == "done", done
    assert [type(effect) for effect in driver.seen] == [BeginPreview, ShowFrame, ImportTake]
    frame = driver.of(ShowFrame)[0].arrays
    written = read_take(take, raw=True)
    assert written.n_people == 1 and driver.of(ImportTake)[0].take == str(take)
    np.testing.assert_array_equal(frame["pose"][0], np.asarray(written.pose)[0, 0])
    assert "running" in {phase.split("/")[1] for phase in driver.phases}


def test_who_is_in_a_picture(photo: Path, make_driver: Callable[..., Driver]) -> None:
    driver = make_driver("--device", "cpu", module="hmdiff.cli")
    driver.run(kind="people", source=str(photo))
    found = driver.until_over()
    assert found.phase == "done", found
    assert [type(effect) for effect in driver.seen] == [ShowPeople]
    assert driver.of(ShowPeople)[0].arrays["box"].shape == (1, 4)


def test_the_checkouts_own_command_starts_the_backend(repo: Path, make_driver: Callable[..., Driver]) -> None:
    """No preference, no environment variable: what a developer's Blender does."""
    if not (repo / ".venv").is_dir():
        pytest.skip("this checkout has no .venv")
    driver = make_driver()
    driver.command = find_command("", repo / "blender_addon", {"PATH": ""})
    assert "PYTHONPATH" in command_environ(driver.command)
    driver.engine._environ.clear()

    driver.engine.dispatch(StartAsked())
    driver.until_backend("ready")
    assert "pose" in driver.engine.state.backend.capabilities["kinds"]
