"""`hmdiff pose`: a photo in, posed bodies out."""

from __future__ import annotations

import argparse
from pathlib import Path

from hmdiff_wire.take import Take

from ..video.overlay import overlay_image
from .footage import run_command, run_options


def run(args: argparse.Namespace) -> int:
    return run_command(args, args.image, run_options(args), _picture)


def _picture(take: Take, footage: Path, out: Path) -> None:
    overlay_image(take, footage, out)
