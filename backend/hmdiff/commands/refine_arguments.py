"""The arguments of `hmdiff refine`, and what they ask for. Imports no torch."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hmdiff_wire.errors import HmdiffError

from ..refine.reading import read_request
from ..refine.request import METHODS, QUALITIES, SPREAD, RefineRequest
from .arguments import ANIMATE_OUTPUTS, frame_range, not_negative, positive, whole
from .checks import must_be_writable, must_exist

Frames = tuple[int, int]
ESTIMATES = (".npz", ".pkl", ".pt")
"""Results of other programs, which become takes."""


def add_refine(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "take", type=Path, metavar="TAKE",
        help="a take, one of its versions, or another program's result (.npz, .pkl) with --video",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--out", type=Path, action="append", default=[], metavar="TAKE2|FILE",
        help="the new take (default: the next version inside TAKE), and files made of it, by their ending: "
        f"{', '.join(ANIMATE_OUTPUTS)}",
    )  # fmt: skip
    parser.add_argument(
        "--keypoints", type=Path, metavar="FILE",
        help="edits, .json or .csv: frame, track_id, joint, x, y, confidence, remove",
    )  # fmt: skip
    parser.add_argument(
        "--spread", type=whole(0), default=SPREAD, metavar="N",
        help="frames on either side that follow an edit or a choice (%(default)s)",
    )  # fmt: skip
    parser.add_argument("--smooth", type=not_negative, metavar="SECONDS", help="jitter shorter than this goes")
    parser.add_argument("--feet", action="store_true", help="feet that stand do not slide")
    parser.add_argument("--floor", action="store_true", help="nothing is under the floor")
    parser.add_argument(
        "--lock", type=frames, action="append", default=[], metavar="A[-B],...",
        help="frames that stay exactly as they are and hold their neighbours",
    )  # fmt: skip
    parser.add_argument(
        "--choose", type=choice, action="append", default=[], metavar="A[-B]:K",
        help="take hypothesis K in frame A (to B); -1 is the motion before any refinement",
    )  # fmt: skip
    parser.add_argument("--range", type=frame_range, metavar="A:B", help="only frames A to B change, B not included")
    parser.add_argument(
        "--person", type=whole(0), action="append", metavar="ID", help="only this person (a track id) changes"
    )
    parser.add_argument(
        "--detections", action=argparse.BooleanOptionalAction, default=None,
        help="pull every frame to the detected keypoints (default: where nothing else is asked for)",
    )  # fmt: skip
    parser.add_argument("--solve-focal", action="store_true", help="solve for the focal length along")
    parser.add_argument("--method", choices=METHODS, default="score", help="diffusion model or SMPLify (%(default)s)")
    parser.add_argument("--quality", choices=QUALITIES, default="fast", help="steps of the method (%(default)s)")
    parser.add_argument("--forget", action="store_true", help="edits of earlier versions do not count any more")
    parser.add_argument("--video", type=Path, metavar="FILE", help="the footage of another program's result")
    parser.add_argument("--focal", type=positive, metavar="PX", help="its focal length, where the file does not say")
    parser.add_argument("--blender", metavar="PROGRAM", help="the Blender that writes .blend, .glb ... (default: bpy)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def request_of(args: argparse.Namespace) -> RefineRequest:
    """Errors: those of ``read_request``."""
    people: list[int | None] = list(args.person or [None])
    first, end = args.range or (None, None)
    options: dict[str, Any] = {
        "keypoints": str(args.keypoints) if args.keypoints else None,
        "spread": args.spread, "smooth": args.smooth, "feet": args.feet, "floor": args.floor,
        "lock": [{"frame": at} for some in args.lock for a, b in some for at in range(a, b + 1)],
        "choose": [
            {"frame": a, "end": b + 1, "hypothesis": k, "track_id": track}
            for (a, b), k in args.choose for track in people
        ],
        "frame_range": None if first is None and end is None else [first or 0, end],
        "track_ids": args.person, "detections": args.detections, "focal": args.solve_focal, "method": args.method,
        "quality": args.quality, "forget": args.forget,
    }  # fmt: skip
    return read_request(options)


def check_refine(args: argparse.Namespace) -> None:
    """Errors: ``usage``, ``input.*``, ``output.*``."""
    must_exist(args.take, "TAKE")
    for option in ("keypoints", "video"):
        if getattr(args, option):
            must_exist(getattr(args, option), f"--{option}")
    outside = args.take.is_file()
    if outside and args.take.suffix.lower() not in ESTIMATES:
        raise HmdiffError(
            "usage", f"{args.take.name} is neither a take nor a result that can be read.",
            f"Name a take's folder, or a file ending in {', '.join(ESTIMATES)}.",
        )  # fmt: skip
    if outside and not args.video:
        raise HmdiffError("usage", f"{args.take.name} says nothing of its footage.", "Add --video FILE.")
    if len(folders(args)) > 1:
        raise HmdiffError("usage", "More than one new take is named after -o.", "Name one folder; others are files.")
    if outside and not folders(args):
        raise HmdiffError("usage", "There is no take to put the result beside.", "Name a folder: -o TAKE2.")
    for path in args.out:
        if path not in folders(args):
            must_be_writable(path)


def folders(args: argparse.Namespace) -> list[Path]:
    """Outputs that are takes."""
    return [path for path in args.out if path.suffix.lower() not in ANIMATE_OUTPUTS]


def _span(text: str, error: Callable[[], argparse.ArgumentTypeError]) -> Frames:
    found = re.fullmatch(r"\s*(\d+)(?:\s*-\s*(\d+))?\s*", text)
    if not found:
        raise error()
    first = int(found[1])
    last = first if found[2] is None else int(found[2])
    if last < first:
        raise error()
    return first, last


def frames(text: str) -> list[Frames]:
    """`10,20-30`: both ends included."""

    def error() -> argparse.ArgumentTypeError:
        return argparse.ArgumentTypeError(f"'{text}' is not a list of frames like 10,20-30")

    return [_span(part, error) for part in text.split(",")]


def choice(text: str) -> tuple[Frames, int]:
    """`12:3` or `12-30:3`."""

    def error() -> argparse.ArgumentTypeError:
        return argparse.ArgumentTypeError(f"'{text}' is not a choice like 12:3 or 12-30:3")

    span, _, number = text.rpartition(":")
    if not re.fullmatch(r"-1|\d+", number.strip()):
        raise error()
    return _span(span, error), int(number)
