"""`hmdiff synth render | detect | reread | sheet | measure | pack`: synthetic people, and what is detected of them."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import torch

from . import checks
from .output import print_json

DEFAULT_DATA = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "mocap_cmu_clips.npz"


def run(args: argparse.Namespace) -> int:
    actions = {"render": render, "detect": detect, "reread": reread, "sheet": sheet, "measure": measure, "pack": pack}
    return actions[args.action](args)


def render(args: argparse.Namespace) -> int:
    from ..synthesis.render.run import RenderOptions, render_dataset

    checks.must_be_folder(args.out, "--out")
    options = RenderOptions(
        data=args.data or DEFAULT_DATA, out=args.out, split=args.split, count=args.count, seed=args.seed,
        views=args.views, frames=args.clip_frames, workers=args.workers, bare=args.bare,
    )  # fmt: skip
    drawn = render_dataset(options, lambda line: print(line, flush=True))
    print(f"{drawn} pictures drawn into {args.out}" if drawn else f"{args.out} holds all pictures already")
    return 0


def detect(args: argparse.Namespace) -> int:
    from ..evaluation.metrics.joints import pa_mpjpe
    from ..synthesis.render.detections import detect_dataset
    from ..synthesis.render.summary import summarise

    detect_dataset(args.folder, args.workers, lambda line: print(line, file=sys.stderr, flush=True), args.level)
    figures = summarise(args.folder, pa_mpjpe)
    if args.json:
        print_json(figures)
    else:
        print(json.dumps(figures, indent=1))
    return 0


def reread(args: argparse.Namespace) -> int:
    from ..synthesis.render.readings import gather_readings, write_readings
    from ..synthesis.render.rereadings import RereadOptions, reread_dataset

    checks.must_be_writable(args.out)
    checks.must_end_in(args.out, (".npz",), "synth reread")
    for folder in args.folders:
        options = RereadOptions(folder, args.times, args.seed, args.workers)
        reread_dataset(options, lambda line: print(line, file=sys.stderr, flush=True))
    readings = gather_readings(tuple(args.folders))
    write_readings(args.out, readings)
    print(f"wrote {args.out}: {len(readings.read['person'])} readings of {len(readings.people['betas'])} people drawn")
    return 0


def sheet(args: argparse.Namespace) -> int:
    from ..synthesis.render.sheet import contact_sheet

    checks.must_be_writable(args.out)
    checks.must_end_in(args.out, (".png", ".jpg"), "synth sheet")
    count = contact_sheet(args.folder, args.out, args.count, args.columns, not args.plain, args.first)
    print(f"wrote {args.out}: {count} pictures")
    return 0


def measure(args: argparse.Namespace) -> int:
    from ..evaluation.metrics.joints import pa_mpjpe
    from ..synthesis.measured.measure import MeasureOptions, summary
    from ..synthesis.measured.measure import measure as measure_noise
    from ..synthesis.measured.sight import Sight
    from ..training.assemble import assemble_body

    checks.must_be_writable(args.out)
    checks.must_end_in(args.out, (".npz",), "synth measure")
    parts = assemble_body()
    sight = Sight(parts.hierarchy.coarse(parts.body), torch.from_numpy(parts.hierarchy.faces[1]))
    options = MeasureOptions(tuple(args.folders), args.out, tuple(args.check), args.reference)
    figures = measure_noise(options, sight, pa_mpjpe)
    if args.plots:
        from ..synthesis.measured.plots import draw_plots

        checks.must_be_folder(args.plots, "--plots")
        args.plots.mkdir(parents=True, exist_ok=True)
        draw_plots(figures, args.plots)
    if args.json:
        print_json(figures)
    else:
        print(summary(figures))
    print(f"wrote {args.out}: {args.out.stat().st_size / 1e6:.2f} MB", file=sys.stderr)
    return 0


def pack(args: argparse.Namespace) -> int:
    from ..synthesis.render.pack import PackOptions
    from ..synthesis.render.pack import pack as pack_folders

    checks.must_be_writable(args.out)
    checks.must_end_in(args.out, (".npz",), "synth pack")
    card = pack_folders(PackOptions(tuple(args.folders), args.out, args.pictures, args.clips))
    print(json.dumps(card, indent=1))
    print(f"wrote {args.out}: {args.out.stat().st_size / 1e6:.1f} MB", file=sys.stderr)
    return 0
