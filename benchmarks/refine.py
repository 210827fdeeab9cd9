"""Refinement measured: ScoreHMR's guidance, SMPLify and the start side by side, on people with exact truth.

    python benchmarks/refine.py [PART ...] [--people 128] [--json docs/figures/refine.json]

Parts: keypoints (true and detected), sweep (tau and dt), outliers, limb (two dragged keypoints), clip (calm, feet and
locks on the demo clip), views (four synthetic cameras; two real ones), times. Without names all. Figures of a part that
is run replace those in the file. Nothing here passes or fails.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parent))
from refine_parts import clip, keypoints, limb, timing, views
from refine_parts.common import Setting, open_setting

PARTS = {
    "keypoints": keypoints.keypoints, "sweep": keypoints.sweep, "outliers": keypoints.outliers, "limb": limb.limb,
    "clip": clip.clip, "views": views.views, "times": timing.times,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--people", type=int, default=128, help="of each benchmark (%(default)s)")
    parser.add_argument("--threads", type=int, default=1, help="(%(default)s)")
    parser.add_argument("--json", type=Path, help="write the figures to this file too")
    args = parser.parse_args()
    unknown = sorted(set(args.parts) - set(PARTS))
    if unknown:
        parser.error(f"there is no part {unknown[0]}; parts are {', '.join(PARTS)}")
    torch.set_num_threads(args.threads)
    setting: Setting = open_setting(args.people)
    figures: dict[str, Any] = {}
    if args.json and args.json.is_file():
        figures = json.loads(args.json.read_text(encoding="utf-8"))
    for name in args.parts or PARTS:
        print(f"\n## {name}", flush=True)
        figures[name] = PARTS[name](setting)
        figures["setting"] = setting.facts()
        if args.json:
            args.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
