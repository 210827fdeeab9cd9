"""Is a process still there, and ending one that is not our child."""

from __future__ import annotations

import os
import signal
import sys


def is_alive(pid: int) -> bool:
    """False also for a child of ours that has ended without anybody asking for its exit code."""
    if pid <= 0:
        return False
    if sys.platform == "win32":
        return _windows_alive(pid)
    try:
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return False
    except (ChildProcessError, OverflowError):
        pass  # not a child of this process; the next question is for those
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True


def end(pid: int, force: bool) -> None:
    """Ask the process to end, or end it. On Windows both are the same."""
    number = signal.SIGTERM
    if force and sys.platform != "win32":
        number = signal.SIGKILL
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        return  # it has ended, or is not ours to end


def _windows_alive(pid: int) -> bool:
    if sys.platform == "win32":  # os.kill(pid, 0) would end it there
        import ctypes

        synchronize, timed_out = 0x00100000, 0x102
        kernel = ctypes.windll.kernel32
        handle = kernel.OpenProcess(synchronize, False, pid)
        if handle:
            alive = kernel.WaitForSingleObject(handle, 0) == timed_out
            kernel.CloseHandle(handle)
            return alive
    return False
