"""Where the detector's two models come from: the ``mediapipe`` 0.10.21 wheel (Apache-2.0), which still carries them."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from hmdiff_wire.errors import HmdiffError

POSE_DETECTION = "pose_detection.tflite"
POSE_LANDMARK = "pose_landmark_full.tflite"
MEDIAPIPE_VERSION = "0.10.21"
_MEMBERS = {
    POSE_DETECTION: "mediapipe/modules/pose_detection/pose_detection.tflite",
    POSE_LANDMARK: "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
}
_SHA256 = {
    POSE_DETECTION: "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
    POSE_LANDMARK: "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
}
# The wheel is opened as an archive, never installed, so its platform need not be this machine's.
_WHEEL_PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
_FIX = "Run `hmdiff doctor --install` while connected to the internet."


def cache_dir() -> Path:
    """The user's folder for files this project fetches: $HMDIFF_CACHE or the platform's usual place."""
    if chosen := os.environ.get("HMDIFF_CACHE"):
        return Path(chosen)
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "hmdiff"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "hmdiff"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "hmdiff"


def models_dir() -> Path:
    return cache_dir() / "detector"


def find_model(name: str) -> Path | None:
    """The model's file if it is on this machine and is the right one: in an installed mediapipe, then in the cache."""
    candidates = [models_dir() / name]
    spec = importlib.util.find_spec("mediapipe")
    if spec is not None and spec.submodule_search_locations:
        candidates[:0] = [Path(place).parent / _MEMBERS[name] for place in spec.submodule_search_locations]
    return next((path for path in candidates if path.is_file() and _sha256(path.read_bytes()) == _SHA256[name]), None)


def model_path(name: str, install: bool | None = None) -> Path:
    """The file of POSE_DETECTION or POSE_LANDMARK, fetched on first use.

    install: whether it may be fetched now; None asks the environment variable HMDIFF_OFFLINE (set = no).
    Errors: ``detector.missing``, and those of ``install_models``.
    """
    if found := find_model(name):
        return found
    if install is None:
        install = not os.environ.get("HMDIFF_OFFLINE")
    if not install:
        raise HmdiffError("detector.missing", "The person detector's models are not on this machine yet.", _FIX, name)
    print("hmdiff: fetching the person detector (35 MB, once) ...", file=sys.stderr, flush=True)
    install_models()
    return models_dir() / name


def install_models(wheel: Path | None = None) -> list[Path]:
    """Put the two models into the cache, from a mediapipe wheel at hand or fetched with pip.

    Errors: ``detector.download_failed``, ``detector.bad_wheel``, ``detector.cache_not_writable``.
    """
    if wheel is not None:
        return _extract(Path(wheel))
    with tempfile.TemporaryDirectory(prefix="hmdiff-") as folder:
        return _extract(_download(Path(folder)))


def _download(folder: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--python-version", "311"]
    command += [part for name in _WHEEL_PLATFORMS for part in ("--platform", name)]
    command += ["--disable-pip-version-check", "--quiet", "--dest", str(folder), f"mediapipe=={MEDIAPIPE_VERSION}"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("mediapipe-*.whl"))
    if result.returncode or not wheels:
        raise HmdiffError(
            "detector.download_failed", "The person detector's models could not be fetched.",
            "Check the internet connection and run `hmdiff doctor --install`, or give it a downloaded "
            f"mediapipe {MEDIAPIPE_VERSION} wheel.", result.stderr[-2000:],
        )  # fmt: skip
    return wheels[0]


def _extract(wheel: Path) -> list[Path]:
    try:
        with zipfile.ZipFile(wheel) as archive:
            contents = {name: archive.read(member) for name, member in _MEMBERS.items()}
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise HmdiffError(
            "detector.bad_wheel", f"{wheel.name} is not a mediapipe {MEDIAPIPE_VERSION} wheel.", _FIX, repr(error)
        ) from error
    for name, data in contents.items():
        if _sha256(data) != _SHA256[name]:
            raise HmdiffError(
                "detector.bad_wheel", f"{name} in {wheel.name} is not the file of mediapipe {MEDIAPIPE_VERSION}.",
                _FIX, f"sha256 {_sha256(data)}",
            )  # fmt: skip
    folder = models_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return [_write_whole(folder / name, data) for name, data in contents.items()]
    except OSError as error:
        raise HmdiffError(
            "detector.cache_not_writable", f"The folder {folder} cannot be written.",
            "Set the environment variable HMDIFF_CACHE to a folder that can.", repr(error),
        ) from error  # fmt: skip


def _write_whole(path: Path, data: bytes) -> Path:
    """Through a temporary file, so that a second process never sees half a model."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
