"""`hmdiff animate`: a video in, animated bodies out."""

from __future__ import annotations

import argparse
from pathlib import Path

from hmdiff_wire.take import Take

from ..video.overlay import write_overlay
from .footage import run_command, run_options
from .output import Progress


def run(args: argparse.Namespace) -> int:
    return run_command(args, args.video, run_options(args), _picture)


def _picture(take: Take, footage: Path, out: Path) -> None:
    with Progress(f"Drawing {out.name}", take.n_frames) as bar:
        write_overlay(take, footage, out, lambda done, total: bar.update(done))
