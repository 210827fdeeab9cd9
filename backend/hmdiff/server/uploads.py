"""Files that clients send in chunks. They lie in a folder of the server's own and go when it ends.

A file is known by its checksum and name, so that whoever sends it again goes on where it broke off, or need not send
it at all. ``begin`` and ``write`` run in the background thread, the rest in the
router.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.messages import Chunk, Upload, Uploaded

from .failures import as_error, disk_full, malformed

CHUNK_BYTES = 512 * 1024
WINDOW_BYTES = 8 * CHUNK_BYTES
LARGEST_UPLOAD = 64 * 1024**3
MOST_FILES = 32
MOST_JOBS = 1000
SPARE_BYTES = 1024**2
_PREFIX = "hmdiff-uploads-"


@dataclass
class _File:
    path: Path
    size: int
    sha256: str
    received: int = 0
    complete: bool = False
    used: float = 0.0
    users: set[str] = field(default_factory=set)
    hasher: Any = field(default_factory=hashlib.sha256)
    handle: BinaryIO | None = None

    def close(self) -> None:
        if self.handle:
            with suppress(OSError):
                self.handle.close()
            self.handle = None


class Uploads:
    def __init__(self, folder: Path | None) -> None:
        """folder: where the server's own folder goes, None for the temporary one."""
        self._above = folder
        self._folder: Path | None = None
        self._files: dict[tuple[str, str], _File] = {}
        self._jobs: OrderedDict[str, _File | None] = OrderedDict()
        self._lock = threading.Lock()

    def begin(self, asked: Upload) -> Iterator[Uploaded]:
        """Errors: ``upload.bad``, ``upload.too_large``, ``disk.full``, ``server.busy``."""
        name = _safe_name(asked.name)
        if not re.fullmatch(r"[0-9a-f]{64}", asked.sha256) or asked.size < 1:
            raise HmdiffError(
                "upload.bad", "The upload says no size or no SHA-256 checksum.", "Send both; docs/protocol.md says how."
            )
        if asked.size > LARGEST_UPLOAD:
            raise HmdiffError(
                "upload.too_large", f"{name} is larger than {LARGEST_UPLOAD >> 30} GB.", "Cut the clip into pieces."
            )
        with self._lock:
            file = self._files.get((asked.sha256, name))
            if file is None or file.size != asked.size:
                file = self._new(name, asked)
            self._jobs[asked.job] = file
            self._jobs.move_to_end(asked.job)
            while len(self._jobs) > MOST_JOBS:
                self._jobs.popitem(last=False)
            file.used = time.monotonic()
        yield Uploaded(asked.job, file.received, WINDOW_BYTES, file.complete)

    def write(self, chunk: Chunk) -> Iterator[Uploaded]:
        """Errors: ``upload.unknown``, ``upload.checksum``, ``disk.full``, ``protocol.malformed``. After an error the
        upload's further chunks are passed over until it begins anew.
        """
        data = chunk.arrays.get("data")
        if data is None or data.dtype != "u1" or data.ndim != 1 or not 0 < len(data) <= CHUNK_BYTES:
            raise malformed(f"a chunk brings `data` of 1 to {CHUNK_BYTES} bytes")
        if chunk.job not in self._jobs:
            raise HmdiffError("upload.unknown", f"No upload is going on for {chunk.job}.", "Say Upload first.")
        file = self._jobs[chunk.job]
        if file is None:
            return
        if not file.complete and chunk.offset == file.received:
            try:
                self._append(file, data.data)
            except HmdiffError:
                self._remove(file)
                raise
        yield Uploaded(chunk.job, file.received, WINDOW_BYTES, file.complete)

    def path_of(self, job: str) -> Path:
        """The job's complete file. Errors: ``upload.unknown``, ``upload.incomplete``."""
        file = self._jobs.get(job)
        if file is None:
            raise HmdiffError("upload.unknown", f"Nothing was uploaded for {job}.", "Upload the file first.")
        if not file.complete:
            raise HmdiffError(
                "upload.incomplete", f"Only {file.received} of {file.size} bytes have arrived.",
                "Submit when the backend has said that the upload is complete.",
            )  # fmt: skip
        return file.path

    def claim(self, job: str) -> None:
        """The job's file stays until ``release``."""
        with self._lock:
            file = self._jobs.get(job)
            if file:
                file.users.add(job)

    def release(self, job: str) -> None:
        """The job has ended. Its file is kept, for a resumed one, until its room is needed."""
        with self._lock:
            file = self._jobs.get(job)
            if file:
                file.users.discard(job)

    def close(self) -> None:
        for file in self._files.values():
            file.close()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _new(self, name: str, asked: Upload) -> _File:
        if self._folder is None:
            self._folder = _own_folder(self._above)
        while len(self._files) >= MOST_FILES or shutil.disk_usage(self._folder).free < asked.size + SPARE_BYTES:
            idle = [one for one in self._files.values() if not one.users]
            if not idle:
                if len(self._files) < MOST_FILES:
                    raise disk_full(f"{asked.size} bytes do not fit into {self._folder}")
                raise HmdiffError("server.busy", f"{MOST_FILES} uploads are in use.", "Try again later.")
            self._remove(min(idle, key=lambda one: one.used))
        path = self._folder / asked.sha256[:16] / name
        file = _File(path, asked.size, asked.sha256)
        try:
            path.parent.mkdir(exist_ok=True)
            file.handle = open(path, "wb")
        except OSError as error:
            raise _unwritable(error) from error
        self._files[asked.sha256, name] = file
        return file

    def _append(self, file: _File, data: memoryview) -> None:
        if file.received + len(data) > file.size:
            raise malformed("more bytes than the upload said")
        assert file.handle
        try:
            file.handle.write(data)
            file.hasher.update(data)
            file.received += len(data)
            file.used = time.monotonic()
            if file.received == file.size:
                file.handle.close()
        except OSError as error:
            raise _unwritable(error) from error
        if file.received == file.size:
            file.handle = None
            if file.hasher.hexdigest() != file.sha256:
                raise HmdiffError(
                    "upload.checksum", f"{file.path.name} did not arrive as it was sent.",
                    "Send it again; if the file was still being written, wait until that is done.",
                )  # fmt: skip
            file.complete = True

    def _remove(self, file: _File) -> None:
        file.close()
        self._files = {key: one for key, one in self._files.items() if one is not file}
        for job, one in self._jobs.items():
            if one is file:
                self._jobs[job] = None
        shutil.rmtree(file.path.parent, ignore_errors=True)


def _safe_name(name: str) -> str:
    """The last part of a name, without anything a file system or a shell could take for more than a letter."""
    last = re.sub(r"[^\w.-]+", "_", re.split(r"[/\\]", name)[-1]).lstrip(".")
    stem, dot, suffix = last.rpartition(".")
    if not last or len(suffix) > 20:
        raise HmdiffError("upload.bad", f"{name[:100]!r} is no name of a file.", "Send it with name and ending.")
    return f"{stem[:80]}{dot}{suffix}"


def _own_folder(above: Path | None) -> Path:
    """A new folder, after removing those of servers that were killed."""
    place = Path(above or tempfile.gettempdir())
    try:
        place.mkdir(parents=True, exist_ok=True)
        for old in place.glob(f"{_PREFIX}*"):
            pid = old.name.removeprefix(_PREFIX).split("-")[0]
            if pid.isdecimal() and not _alive(int(pid)):
                shutil.rmtree(old, ignore_errors=True)
        return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=place))
    except OSError as error:
        raise _unwritable(error) from error


def _alive(pid: int) -> bool:
    from .orphan import Parent

    return not Parent(pid).gone()


def _unwritable(error: OSError) -> HmdiffError:
    found = as_error(error)
    if found.kind == "disk.full":
        return found
    return HmdiffError(
        "upload.not_writable", "The backend cannot write the uploaded file.",
        "Start it with --uploads and a folder it may write to.", repr(error),
    )  # fmt: skip
