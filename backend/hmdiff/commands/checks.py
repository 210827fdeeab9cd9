"""Checks that cost nothing and come before anything heavy is imported: files, endings, what would be overwritten."""

from __future__ import annotations

import argparse
from pathlib import Path

from hmdiff_wire.errors import HmdiffError

from .arguments import ANIMATE_OUTPUTS, BLENDER_OUTPUTS, POSE_OUTPUTS

PICTURES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".heic"}
VIDEOS = {".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v", ".mpg", ".mpeg", ".mts", ".wmv", ".gif"}


def check_arguments(args: argparse.Namespace) -> None:
    """Raise the error a person should see before a minute is spent. Kinds: usage, input.*, output.*, blender.*."""
    if args.command == "pose":
        check_footage(args, args.image, POSE_OUTPUTS)
    elif args.command == "animate":
        check_animate(args)
    elif args.command == "batch":
        must_be_folder(args.out, "-o")
        if not args.summary_only:
            must_exist(args.footage, "batch")
    elif args.command == "train":
        for path in args.data:
            must_exist(path, "--data")
        must_be_folder(args.out, "--out")
    elif args.command == "eval":
        for out in filter(None, (args.json, args.markdown)):
            must_be_writable(out)
        if args.weights:
            must_exist(args.weights, "--weights")
    elif args.command == "body":
        must_be_writable(args.out)
        must_end_in(args.out, (".npz",) if args.action == "build" else (".png",), f"body {args.action}")
        if args.action == "render" and args.body:
            must_exist(args.body, "--body")


def check_animate(args: argparse.Namespace) -> None:
    for video in args.videos:
        check_footage(args, video, ANIMATE_OUTPUTS)
    if args.views and len(args.videos) < 2:
        raise HmdiffError("usage", "--views needs the videos of two cameras or more.", "Name them all.")
    if not args.views and len(args.videos) > 1:
        raise HmdiffError(
            "usage", f"{len(args.videos)} videos are named.",
            "Add --views if they are cameras on one motion; `hmdiff batch` works on many clips.",
        )  # fmt: skip
    for option in ("calibration", "offsets"):
        if getattr(args, option) and not args.views:
            raise HmdiffError("usage", f"--{option} belongs to --views, which is missing.", "Add --views.")
    if args.calibration:
        must_exist(args.calibration, "--calibration")
    if args.views and (args.resume or args.body or args.keypoints or args.boxes):
        raise HmdiffError(
            "usage", "--resume, --body, --keypoints and --boxes do not go with --views.",
            "Animate each camera by itself with them.",
        )  # fmt: skip


def check_footage(args: argparse.Namespace, source: Path, kinds: tuple[str, ...]) -> None:
    check_source(args.command, source)
    if getattr(args, "resume", False) and not args.take:
        raise HmdiffError("usage", "--resume needs the take to go on with.", "Add --take FOLDER.")
    if not args.out and not args.take:
        raise HmdiffError(
            "usage", "There is nothing to write.", f"Add -o FILE ending in {spoken(kinds)}, or --take FOLDER."
        )
    for path in args.out:
        must_end_in(path, kinds, args.command)
        must_be_writable(path)
        if path.resolve() == source.resolve():
            raise HmdiffError("output.is_input", f"{path} is the footage itself.", "Choose another name after -o.")
    if len({path.resolve() for path in args.out}) < len(args.out):
        raise HmdiffError("output.twice", "The same file is named after -o twice.", "Give every output its own name.")
    check_detector(args)
    for option in ("keypoints", "masks", "body"):
        path = getattr(args, option)
        if path:
            must_exist(path, f"--{option}")
    if args.masks and not args.keypoints:
        raise HmdiffError("usage", "--masks belongs to --keypoints, which is missing.", "Add --keypoints FILE.")
    if args.masks and not args.masks.is_dir():
        raise HmdiffError("input.not_folder", f"{args.masks} is not a folder.", "Give --masks the folder of the masks.")
    if args.take:
        must_be_folder(args.take, "--take")
    if args.blender or any(path.suffix.lower() in BLENDER_OUTPUTS for path in args.out):
        from ..video.blender_process import find_blender

        find_blender(args.blender)


def check_detector(args: argparse.Namespace) -> None:
    if args.detector == "blazepose":
        if args.detector_models or args.allow_download:
            option = "--detector-models" if args.detector_models else "--allow-download"
            raise HmdiffError("usage", f"{option} belongs to the detector rtmlib.", "Add --detector rtmlib.")
        return
    if args.keypoints:
        raise HmdiffError(
            "usage", "--keypoints stands in for a detector, so --detector has nothing to do.", "Leave one of them away."
        )
    if args.detector_models:
        must_exist(args.detector_models, "--detector-models")
    from ..detect.rtm import find_files

    find_files(args.detector, args.detector_models, args.allow_download or None)


def check_source(command: str, source: Path) -> None:
    suffix = source.suffix.lower()
    if "%" in source.name and source.parent.is_dir():
        return  # a numbered sequence such as frame_%04d.png
    if not source.exists():
        raise HmdiffError("input.not_found", f"There is no file {source}.", "Check the name and the folder.")
    if source.is_dir():
        if command == "pose":
            raise HmdiffError("input.is_folder", f"{source} is a folder.", "Name one photo, or use `hmdiff animate`.")
    elif source.stat().st_size == 0:
        raise HmdiffError("input.empty", f"{source} is empty.", "Copy or download it again.")
    elif command == "pose" and suffix in VIDEOS:
        raise HmdiffError("input.is_video", f"{source.name} is a video.", "Use `hmdiff animate` for videos.")
    elif command == "animate" and suffix in PICTURES:
        raise HmdiffError("input.is_picture", f"{source.name} is a single picture.", "Use `hmdiff pose` for photos.")


def must_exist(path: Path, option: str) -> None:
    if not path.exists():
        raise HmdiffError("input.not_found", f"There is no file {path}.", f"Check the path given to {option}.")


def must_be_folder(path: Path, option: str) -> None:
    """The folder itself may be missing, but no file may stand where it, or a folder above it, has to be."""
    for part in (path, *path.parents):
        if part.exists():
            if not part.is_dir():
                raise HmdiffError(
                    "output.not_folder", f"{part} is a file, not a folder.", f"Give {option} another path."
                )
            return


def must_be_writable(path: Path) -> None:
    if path.is_dir():
        raise HmdiffError("output.is_folder", f"{path} is a folder.", "Name a file to write.")
    must_be_folder(path.absolute().parent, "the output")


def must_end_in(path: Path, kinds: tuple[str, ...], command: str) -> None:
    if path.suffix.lower() not in kinds:
        raise HmdiffError(
            "output.unknown_kind", f"`hmdiff {command}` cannot write {path.suffix or 'a file without an ending'}.",
            f"Use a name ending in {spoken(kinds)}.",
        )  # fmt: skip


def spoken(kinds: tuple[str, ...]) -> str:
    return kinds[0] if len(kinds) == 1 else ", ".join(kinds[:-1]) + " or " + kinds[-1]
