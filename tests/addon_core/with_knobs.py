"""``with_knobs.py MODULE KNOBS... serve ARGUMENTS``: a backend program with options of its own before ``serve``."""

from __future__ import annotations

import runpy
import sys

if __name__ == "__main__":
    at = sys.argv.index("serve")
    module, knobs, arguments = sys.argv[1], sys.argv[2:at], sys.argv[at + 1 :]
    sys.argv[1:] = [*arguments, *knobs] if module.startswith("hmdiff.server") else ["serve", *arguments, *knobs]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
