"""Has the program that started us ended?"""

from __future__ import annotations

import os
import sys


class Parent:
    """A process by its id. On Windows a handle is held from the start, so that a new process with the same id does not
    pass for it; elsewhere a direct parent is known by ``getppid``, which changes the moment it ends.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._direct = os.getppid() == pid
        self._handle = _open_handle(pid)

    def gone(self) -> bool:
        if sys.platform == "win32":
            return _handle_ended(self._handle)
        if self._direct:
            return os.getppid() != self.pid
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            return False
        return False


def _open_handle(pid: int) -> int:
    if sys.platform == "win32":
        import ctypes

        synchronize = 0x00100000
        return ctypes.windll.kernel32.OpenProcess(synchronize, False, pid)
    return 0


def _handle_ended(handle: int) -> bool:
    if sys.platform == "win32":
        import ctypes

        signalled = 0
        return handle == 0 or ctypes.windll.kernel32.WaitForSingleObject(handle, 0) == signalled
    return False
