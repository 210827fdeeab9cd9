"""Any exception as a sentence and a fix."""

from __future__ import annotations

import errno
import shutil
import sys
import traceback
from pathlib import Path

from hmdiff_wire.errors import HmdiffError

_HARDLY_ANY = 16 * 1024**2
_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


def as_error(error: Exception, folder: Path | None = None) -> HmdiffError:
    """The traceback of what nobody foresaw goes to the backend's log and into the detail. folder: what was written."""
    if _is_disk_full(error, folder) or _is_disk_full(error.__cause__, folder):
        return disk_full(repr(error.__cause__ or error))
    if isinstance(error, HmdiffError):
        return error
    trace = "".join(traceback.format_exception(error))
    print(trace, file=sys.stderr, flush=True)
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return HmdiffError(
            "memory", "The computer ran out of memory.", "Try fewer hypotheses or a shorter range of frames.",
            trace[-2500:],
        )  # fmt: skip
    if isinstance(error, ModuleNotFoundError):
        return HmdiffError(
            "install.incomplete", f"The Python package {error.name} is not installed.",
            "`hmdiff doctor` says how to get what is missing.", trace[-2500:],
        )  # fmt: skip
    return HmdiffError(
        "internal", f"Something broke inside hmdiff ({type(error).__name__}: {error}).",
        "Please report it with the backend's log.", trace[-2500:],
    )  # fmt: skip


def _is_disk_full(error: BaseException | None, folder: Path | None) -> bool:
    if not isinstance(error, OSError) or error.errno is not None:
        return isinstance(error, OSError) and error.errno in _FULL
    # numpy tells of an array that was not written whole, but not why.
    try:
        return folder is not None and shutil.disk_usage(folder).free < _HARDLY_ANY
    except OSError:
        return False


def disk_full(detail: str) -> HmdiffError:
    return HmdiffError("disk.full", "The disk is full.", "Make some room and go on: what was finished is kept.", detail)


def malformed(detail: str) -> HmdiffError:
    return HmdiffError(
        "protocol.malformed", "A message is not what the HMDiff protocol says.",
        "Use the client and the backend of the same HMDiff release; docs/protocol.md describes the messages.", detail,
    )  # fmt: skip


def unknown_job(job: str) -> HmdiffError:
    return HmdiffError("job.unknown", f"There is no job {job}.", "It may have ended already.")
