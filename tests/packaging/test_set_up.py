"""The set-up for real, small: uv, environments, the pointer; broken off, killed, upgraded, repaired, taken back."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from hmdiff_blender.core import locate, setup_place
from hmdiff_blender.core.alive import is_alive
from hmdiff_blender.core.events import SetUpEnded, SetUpProgressed
from hmdiff_blender.core.setup_process import SetUpProcess
from hmdiff_blender.core.setup_status import read
from hmdiff_wire.errors import HmdiffError

sys.path.insert(0, str(Path(__file__).parent))
from tiny_backend import TinyExtension

PATIENCE_S = 120.0


class Computer:
    """A user's folder with a space and an umlaut in its name, and the extension."""

    def __init__(self, extension: TinyExtension, base: Path) -> None:
        self.extension, self.base = extension, base
        self.process = SetUpProcess(lambda: base, extension.addon, lambda: "cpu", extension.environ)

    def until(self, true: Callable[[], object]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not true():
            assert time.monotonic() < end, self.process.log_tail()
            time.sleep(0.02)

    def set_up(self, anew: bool = False) -> SetUpEnded:
        self.process.start(anew)
        return self.finish()

    def finish(self) -> SetUpEnded:
        self.told: list[SetUpProgressed] = []
        ended: list[SetUpEnded] = []

        def over() -> bool:
            told = self.process.poll()
            if isinstance(told, SetUpProgressed):
                self.told.append(told)
            elif told is not None:
                ended.append(told)
            return bool(ended)

        self.until(over)
        return ended[0]

    def version(self) -> str:
        """What the environment in use says of itself."""
        command = locate.find_command("", self.extension.addon, {"PATH": ""}, self.base)
        return subprocess.run([*command, "doctor"], capture_output=True, text=True, check=True).stdout

    def problem(self) -> str:
        with pytest.raises(HmdiffError) as caught:
            locate.find_command("", self.extension.addon, {"PATH": ""}, self.base)
        return caught.value.kind


@pytest.fixture
def computer(build_addon: ModuleType, builder, this_platform: str, tmp_path: Path) -> Iterator[Computer]:
    from tools import wheels

    try:
        uv = build_addon.uv_wheel(this_platform, tool=builder)
    except build_addon.DevError as error:
        if "could not be downloaded" not in str(error):
            raise
        pytest.skip(str(error))
    made = Computer(TinyExtension(tmp_path / "ext", wheels, uv, this_platform), tmp_path / "Käthe's Ordner" / "backend")
    yield made
    (made.base / "gate").unlink(missing_ok=True)
    made.process.stop()


def test_from_nothing_to_a_backend_and_on_to_the_next_release_and_back(computer: Computer) -> None:
    assert computer.problem() == "setup.none"
    assert computer.set_up() == SetUpEnded(None)
    shares = [told.share for told in computer.told]
    assert shares == sorted(shares) and {"Checking the backend", "Fetching packages"} & {t.text for t in computer.told}
    assert '"version": "1"' in computer.version()
    first = setup_place.installed(computer.base)
    bundle = setup_place.bundle(computer.extension.addon)
    assert first is not None and bundle is not None and first.stamp == bundle.stamp("cpu") and not first.before

    computer.extension.release("2")
    bundle = setup_place.bundle(computer.extension.addon)
    assert bundle is not None and first.stamp != bundle.stamp("cpu"), "it is seen to be outdated"
    assert computer.set_up() == SetUpEnded(None) and '"version": "2"' in computer.version()
    setup_place.go_back(computer.base)
    assert '"version": "1"' in computer.version()
    setup_place.go_back(computer.base)
    assert '"version": "2"' in computer.version()


def test_a_release_that_does_not_work_leaves_the_old_one_in_use(computer: Computer) -> None:
    assert computer.set_up() == SetUpEnded(None)
    computer.extension.release("2", broken=True)
    ended = computer.set_up()
    assert ended.problem is not None and ended.problem.kind == "setup.check" and "torch" in ended.problem.message
    assert '"version": "1"' in computer.version()


def test_a_broken_download_is_said_and_gone_on_with(computer: Computer) -> None:
    computer.extension.lose("tiny_one")
    ended = computer.set_up()
    assert ended.problem is not None and ended.problem.about_set_up and "tiny-one" in ended.problem.detail
    assert ended.problem.message.endswith(".") and "Go On" in ended.problem.fix
    assert computer.problem() == "setup.interrupted"
    (folder,) = computer.base.glob("env-*")
    kept = list(folder.rglob("tiny_torch.py"))
    assert len(kept) == 1, "what was installed stays"
    before = kept[0].stat().st_mtime_ns
    computer.extension.find_again()
    assert computer.set_up() == SetUpEnded(None) and kept[0].stat().st_mtime_ns == before


def test_it_ends_with_blender_at_any_moment_and_goes_on_later(computer: Computer) -> None:
    computer.base.mkdir(parents=True)
    (computer.base / "gate").touch()
    computer.process.start(False)
    status = computer.base / setup_place.STATUS
    computer.until(lambda: (told := read(status)) is not None and told.text == "Checking the backend")
    told = read(status)
    assert told is not None and is_alive(told.pid)

    other = SetUpProcess(lambda: computer.base, computer.extension.addon)
    other.start(False)  # another Blender watches it and does not begin a second one
    other.stop()
    assert is_alive(told.pid), "nor does it end what is not its own"

    computer.process.stop()
    computer.until(lambda: not is_alive(told.pid))
    assert computer.problem() == "setup.interrupted"
    (computer.base / "gate").unlink()
    assert computer.set_up() == SetUpEnded(None) and '"version": "1"' in computer.version()


def test_repair_makes_it_anew_beside_the_one_in_use(computer: Computer) -> None:
    assert computer.set_up() == SetUpEnded(None)
    first = setup_place.installed(computer.base)
    assert first is not None
    next(first.folder.rglob("tiny_one.py")).unlink()
    assert computer.set_up(anew=True) == SetUpEnded(None) and '"version": "1"' in computer.version()
    second = setup_place.installed(computer.base)
    assert second is not None and second.folder != first.folder
    for name in setup_place.PYTHON_IN:
        (second.folder / name).unlink(missing_ok=True)
    assert computer.problem() == "setup.broken"


def test_a_full_disk_is_said_before_anything_is_fetched(computer: Computer) -> None:
    computer.extension.lock(disk=1e12)
    ended = computer.set_up()
    assert ended.problem is not None and ended.problem.kind == "setup.disk" and "are free" in ended.problem.message
    assert not (computer.base / setup_place.CACHE).exists()


def test_a_folder_that_cannot_be_made_is_said(computer: Computer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    process = SetUpProcess(lambda: tmp_path / "file" / "inside", computer.extension.addon)
    with pytest.raises(HmdiffError) as caught:
        process.start(False)
    assert caught.value.kind == "setup.not_writable"
