"""`hmdiff serve`: the backend for Blender and other clients (docs/protocol.md)."""

from __future__ import annotations

import argparse

from ..server.program import run as serve

REAL_JOBS = "hmdiff.server.jobs:run_job"


def run(args: argparse.Namespace) -> int:
    return serve(args, REAL_JOBS)
