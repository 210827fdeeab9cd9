"""`hmdiff keys`: CURVE keys for a backend on another computer (docs/protocol.md)."""

from __future__ import annotations

import argparse

from ..server.curve import make_keys


def run(args: argparse.Namespace) -> int:
    """Errors: those of ``make_keys``."""
    first = not (args.folder / "server.key_secret").exists()
    clients = args.client or (["client"] if first else [])
    for path in make_keys(args.folder, clients):
        print(path)
    for name in clients:
        print(f"Carry server.key and {name}.key_secret to the client {name}.")
    if not clients:
        print("The keys are there; --client NAME makes one more.")
    return 0
