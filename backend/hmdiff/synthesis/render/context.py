"""An OpenGL context without a window."""

from __future__ import annotations

import importlib
import os
from typing import Any

from hmdiff_wire.errors import HmdiffError

_FIX = "Install the extra with `pip install hmdiff[render]`."


def open_context() -> Any:
    """A standalone moderngl context of OpenGL 3.3 or newer, on EGL where there is EGL.

    Errors: ``install.moderngl`` where the package is missing, ``install.opengl`` where no context can be made.
    """
    # a software OpenGL would else take every core for each worker
    os.environ.setdefault("LP_NUM_THREADS", "1")
    try:
        moderngl: Any = importlib.import_module("moderngl")
    except ImportError as error:
        sentence = "Drawing people needs the package moderngl."
        raise HmdiffError("install.moderngl", sentence, _FIX, repr(error)) from error
    try:
        return moderngl.create_context(standalone=True, backend="egl", require=330)
    except Exception as egl:  # moderngl raises bare Exception; a desktop without EGL still has its own OpenGL
        try:
            return moderngl.create_context(standalone=True, require=330)
        except Exception as error:
            raise HmdiffError(
                "install.opengl", "This computer offers no OpenGL 3.3 to draw people with.",
                "Install a driver, or Mesa's software one (on Debian and Ubuntu: libegl1 and libgl1-mesa-dri).",
                f"{egl!r}; {error!r}",
            ) from error  # fmt: skip
