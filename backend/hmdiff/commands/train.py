"""`hmdiff train`: the models on synthetic people; every stage goes on from what the folder holds."""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import torch
from hmdiff_wire.errors import HmdiffError

from ..models.variants import check_variant
from ..models.weights import pick_device
from ..training.stages import STAGES, TrainOptions, train
from ..training.variants import train_variant

DEFAULT_DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "mocap_cmu_poses.npz"


def run(args: argparse.Namespace) -> int:
    data = args.data or [DEFAULT_DATA]
    if len(data) > 1:
        raise HmdiffError(
            "usage", "Training reads one bundle or one folder.", "Put the motion files into one folder and name that."
        )
    variant = check_variant(args.variant) if args.variant else None
    if args.fresh and args.out.exists():
        _clear(args.out, STAGES if variant is None else (f"denoiser_{variant.name}",))
    if args.threads:
        torch.set_num_threads(args.threads)
    options = TrainOptions(
        data=data[0],
        out=args.out,
        preset=args.preset,
        stages=STAGES if args.stage == "all" else (args.stage,),
        minutes=args.minutes,
        steps=args.steps,
        batch=args.batch,
        device=str(pick_device(args.device)),
        seed=args.seed,
        bank=args.bank,
        bank_share=args.bank_share,
        init=args.init,
        clips=args.clips,
        rate=args.rate,
    )
    if variant is not None:
        train_variant(variant, options, args.base, _say)
    else:
        train(options, _say)
    return 0


def _say(line: str) -> None:
    print(line, flush=True)


def _clear(folder: Path, stages: tuple[str, ...]) -> None:
    """Remove what training wrote there and nothing else."""
    for stage in stages:
        for suffix in ("safetensors", "jsonl", "part"):
            (folder / f"{stage}.{suffix}").unlink(missing_ok=True)
    if folder.is_dir() and not any(folder.iterdir()):
        shutil.rmtree(folder)
