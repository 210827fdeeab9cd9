"""Computing that lets go first whoever waits at a screen."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

NICENESS = 5
_BELOW_NORMAL = 0x4000
"""BELOW_NORMAL_PRIORITY_CLASS of Windows."""


def step_back() -> None:
    """Give this process a lower priority. What the system refuses is left as it is: it is a courtesy.

    Linux weighs sessions before it weighs their processes, so niceness alone would change nothing towards Blender,
    which runs in another one. The session is ours to slow down only where the server leads it.
    """
    with suppress(OSError, AttributeError):
        if sys.platform == "win32":
            import ctypes

            kernel = ctypes.windll.kernel32
            kernel.SetPriorityClass(kernel.GetCurrentProcess(), _BELOW_NORMAL)
            return
        os.nice(NICENESS)
        if os.getsid(0) == os.getppid():
            Path("/proc/self/autogroup").write_text(str(NICENESS), encoding="ascii")
