"""What `hmdiff serve` and the fake do with their arguments: start, say how to connect, serve, clean up."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.version import PROTOCOL_VERSION

from .. import __version__
from .access import check_roots
from .app import Server
from .settings import Settings


def run(args: argparse.Namespace, jobs: str) -> int:
    """Serve until a signal, a Shutdown or the end of --parent-pid. The only line on stdout says how to connect."""
    devices = tuple(args.device or ["auto"])
    if len(set(devices)) < len(devices):
        raise HmdiffError("usage", "The same --device is named twice.", "Name every device once.")
    server = Server(
        Settings(
            check_roots(args.root),
            args.jobs or jobs,
            args.port,
            devices,
            args.parent_pid,
            args.address,
            args.curve,
            args.uploads,
        )  # fmt: skip
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: server.stop())
    ready: dict[str, Any] = {
        "ready": True, "port": server.port, "token": server.token, "protocol": list(PROTOCOL_VERSION),
        "pid": os.getpid(), "version": __version__, "address": args.address, "public_key": server.public_key,
    }  # fmt: skip
    with _ready_file(args.ready_file, json.dumps(ready)):
        print(json.dumps(ready), flush=True)
        if sys.stderr.isatty():
            print("Ctrl-C ends it.", file=sys.stderr, flush=True)
        server.serve()
    return 0


@contextmanager
def _ready_file(path: Path | None, line: str) -> Iterator[None]:
    """The line in a file only its owner may read, there in one step and gone at the end (unless it is another's)."""
    if path is None:
        yield
        return
    beside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        beside.unlink(missing_ok=True)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(line + "\n")
        os.replace(beside, path)
    except OSError as error:
        raise HmdiffError(
            "output.not_writable", f"{path} cannot be written.", "Give --ready-file another path.", repr(error)
        ) from error
    try:
        yield
    finally:
        with suppress(OSError):
            if path.read_text(encoding="utf-8").strip() == line:
                path.unlink()
