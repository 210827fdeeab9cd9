"""`hmdiff pose`: a photo in, posed bodies out."""

from __future__ import annotations

import argparse

from .footage import run_command, run_options


def run(args: argparse.Namespace) -> int:
    return run_command(args, args.image, run_options(args))
