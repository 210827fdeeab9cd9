"""`hmdiff serve`: the backend for Blender and other clients (docs/protocol.md)."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys

from hmdiff_wire.version import PROTOCOL_VERSION

from .. import __version__
from ..server.access import check_roots
from ..server.app import REAL_JOBS, Server, Settings


def run(args: argparse.Namespace) -> int:
    """Serve until a signal or the end of --parent-pid. The only line on stdout says how to connect."""
    roots = check_roots(args.root)
    jobs = args.jobs or REAL_JOBS
    server = Server(Settings(roots, args.port, args.device, args.parent_pid, jobs))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: server.stop())
    ready = {
        "ready": True, "port": server.port, "token": server.token, "protocol": list(PROTOCOL_VERSION),
        "pid": os.getpid(), "version": __version__,
    }  # fmt: skip
    print(json.dumps(ready), flush=True)
    if sys.stderr.isatty():
        print("Ctrl-C ends it.", file=sys.stderr, flush=True)
    server.serve()
    return 0
