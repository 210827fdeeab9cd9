"""The true error of a take of a rendered clip: ``python -m hmdiff.evaluation.demo TAKE TRUTH.npz [--json FILE]``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import read_take

from .benchmarks.clip_truth import read_clip_truth
from .benchmarks.demo import score_take
from .footage import main_person, observe_person
from .report import markdown, write_json


def main(argv: Sequence[str] | None = None) -> int:
    """Print the figures; the detector runs again over the footage where that is still where the take says."""
    parser = argparse.ArgumentParser(prog="python -m hmdiff.evaluation.demo", description=__doc__)
    parser.add_argument("take", type=Path, metavar="TAKE", help="folder of the take")
    parser.add_argument("truth", type=Path, metavar="TRUTH.npz", help="the truth beside the clip")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file")
    args = parser.parse_args(argv)
    try:
        take, truth = read_take(args.take), read_clip_truth(args.truth)
        person = main_person(take)
        clip = Path(take.header.source_path)
        observed = observe_person(take, person, clip) if clip.is_file() else {}
        result = score_take(take, person, truth, observed)
    except HmdiffError as error:
        print(f"hmdiff: {error}", file=sys.stderr)
        return 2
    if args.json:
        write_json(args.json, result)
    print(markdown(result), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
