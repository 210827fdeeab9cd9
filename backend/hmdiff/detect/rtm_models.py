"""The models of ``--detector rtmlib``: which, where they are, and fetching them once where the user allows it.

Their addresses are those of the ``rtmlib`` package; this project names none.
"""

from __future__ import annotations

import http.client
import importlib
import importlib.util
import os
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from urllib.parse import urlparse

from hmdiff_wire.errors import HmdiffError

from .assets import cache_dir

RTMLIB_VERSION = "0.0.16"
ALLOW = "HMDIFF_ALLOW_DOWNLOAD"
_MODES = {"rtmlib": ("balanced", 150), "rtmlib-light": ("lightweight", 45), "rtmlib-large": ("performance", 600)}
"""By the detector's name: rtmlib's name of it and about how many MB are fetched (from the networks' sizes)."""
RTM_NAMES = tuple(_MODES)
_PACKAGES = ("rtmlib", "onnxruntime", "tqdm")
_FAILURES = (OSError, RuntimeError, ValueError, NameError, zipfile.BadZipFile, http.client.HTTPException)
"""What rtmlib's download is known to raise; NameError where an archive holds no model."""


@dataclass(frozen=True)
class RtmFiles:
    """detector, pose: ONNX files of the person detector and of the pose network."""

    detector: Path
    pose: Path


def check_packages() -> None:
    """Errors: ``detector.no_package`` where rtmlib or what it needs is not installed."""
    missing = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise HmdiffError(
            "detector.no_package", f"The detector rtmlib needs a package that is not installed: {', '.join(missing)}.",
            f"Run `pip install onnxruntime tqdm`, then `pip install --no-deps rtmlib=={RTMLIB_VERSION}` (without "
            "--no-deps it would bring a second OpenCV and another numpy).",
        )  # fmt: skip


def rtm_files(name: str, folder: Path | None = None, allow: bool | None = None) -> RtmFiles:
    """The files of one of RTM_NAMES: in a folder given by hand, in the cache, or fetched into it.

    allow: whether they may be fetched; None asks the environment (HMDIFF_ALLOW_DOWNLOAD set and HMDIFF_OFFLINE not).
    Errors: ``detector.no_package``, ``detector.bad_folder``, ``detector.consent``, ``detector.download_failed``,
    ``detector.cache_not_writable``.
    """
    check_packages()
    if folder is not None:
        return _in_folder(Path(folder))
    urls = _urls(name)
    paths = [models_dir() / f"{_stem(url)}.onnx" for url in urls]
    wanted = [(url, path) for url, path in zip(urls, paths, strict=True) if not path.is_file()]
    if wanted:
        if not (_allowed() if allow is None else allow):
            raise _no_consent(name, [url for url, _ in wanted])
        for url, path in wanted:
            _fetch(url, path)
    return RtmFiles(*paths)


def models_dir() -> Path:
    return cache_dir() / "rtmlib"


def _allowed() -> bool:
    return os.environ.get(ALLOW, "").lower() in ("1", "true", "yes") and not os.environ.get("HMDIFF_OFFLINE")


def _urls(name: str) -> tuple[str, str]:
    try:
        table = importlib.import_module("rtmlib").BodyWithFeet.MODE[_MODES[name][0]]
        return str(table["det"]), str(table["pose"])
    except (ImportError, AttributeError, KeyError, TypeError) as error:
        raise HmdiffError(
            "detector.no_package", "The installed rtmlib is not one that this program knows.",
            f"Run `pip install --no-deps rtmlib=={RTMLIB_VERSION}`.", repr(error),
        ) from error  # fmt: skip


def _stem(url: str) -> str:
    return Path(urlparse(url).path).stem


def _no_consent(name: str, urls: list[str]) -> HmdiffError:
    hosts = sorted({urlparse(url).netloc or "this machine" for url in [*urls, *_mirrors(urls)]})
    return HmdiffError(
        "detector.consent",
        f"The detector {name} needs two networks that are not on this machine yet, a person detector and RTMPose: "
        f"about {_MODES[name][1]} MB from {' or '.join(hosts)}, under the Apache-2.0 licence.",
        f"Add --allow-download (or set {ALLOW}=1) to have them fetched once, or name a folder that holds them with "
        "--detector-models.",
        "\n".join(urls),
    )


def _mirrors(urls: list[str]) -> list[str]:
    """Where rtmlib looks when the first place does not answer: whoever agrees should know."""
    mirror = getattr(_download_module(), "get_mirror_url", lambda url: None)
    return [found for found in map(mirror, urls) if found]


def _download_module() -> ModuleType:
    return importlib.import_module("rtmlib.tools.file")


def _fetch(url: str, path: Path) -> None:
    """Through a folder of its own, so that a second process never sees half a model."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="fetching-", dir=path.parent) as folder:
            print(f"hmdiff: fetching {path.stem} (once) ...", file=sys.stderr, flush=True)
            try:
                found = Path(_download_module().download_checkpoint(url, dst_dir=folder))
            except _FAILURES as error:
                raise HmdiffError(
                    "detector.download_failed", f"The network {path.stem} could not be fetched.",
                    "Check the internet connection and try again, or fetch it elsewhere and name its folder with "
                    "--detector-models.", f"{url}: {error!r}",
                ) from error  # fmt: skip
            found.replace(path)
    except OSError as error:
        raise HmdiffError(
            "detector.cache_not_writable", f"The folder {path.parent} cannot be written.",
            "Set the environment variable HMDIFF_CACHE to a folder that can.", repr(error),
        ) from error  # fmt: skip


def _in_folder(folder: Path) -> RtmFiles:
    """The one with ``pose`` in its name is the pose network, the other one the person detector."""
    found = sorted(folder.glob("*.onnx")) if folder.is_dir() else []
    pose = [path for path in found if "pose" in path.stem.lower()]
    others = [path for path in found if path not in pose]
    if len(pose) != 1 or len(others) != 1:
        names = ", ".join(path.name for path in found) or "no .onnx file"
        raise HmdiffError(
            "detector.bad_folder", f"{folder} does not hold one person detector and one pose network.",
            "Put exactly two .onnx files there, the pose network with `pose` in its name; from rtmlib's .zip files "
            "take end2end.onnx and rename it.", f"found: {names}",
        )  # fmt: skip
    return RtmFiles(others[0], pose[0])
