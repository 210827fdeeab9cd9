"""`python -m hmdiff.refine.train`: the score denoiser on synthetic people; goes on from what the folder holds."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ..models.weights import load_model
from ..synthesis.bank import MixedStream, load_bank
from ..training.assemble import Assembly, held_out_batch, make_stream
from ..training.loop import LoopConfig, Stream, run_loop
from ..training.score_task import ScorePool, ScoreReader, ScoreTask
from ..training.stages import last_report
from .condition import ConditionMaps
from .denoiser import Parametrisation, ScoreConfig, ScoreDenoiser
from .pose_code import BetaRange
from .weights import SCORE_FILE, load_score, save_score


@dataclass(frozen=True)
class ScoreOptions:
    """data: mocap; out: folder of state, curve and packed weights; bank: rendered people mixed in, ``bank_share`` of
    all; regressor: weights whose regressor answers, None for the shipped ones; begin: score weights to go on from, with
    their own statistics.
    """

    data: Path
    out: Path
    minutes: float = 20.0
    batch: int = 1024
    people: int = 20_000
    fresh: int = 64
    with_betas: bool = False
    parametrisation: Parametrisation = "preconditioned"
    bank: Path | None = None
    bank_share: float = 0.25
    regressor: Path | None = None
    begin: Path | None = None
    seed: int = 0


def train_score(options: ScoreOptions, say: Callable[[str], None] = print) -> Path:
    """Train or go on training, and write ``score_default.safetensors`` into options.out. Returns its path.

    Errors: those of the mocap file, the weights and the bank.
    """
    loaded = load_model(path=options.regressor)
    parts = Assembly(loaded.body, loaded.hierarchy, loaded.maps)
    simulated = make_stream(parts, options.data, "train", "cpu", heatmaps=False)
    stream: Stream = simulated
    if options.bank is not None:
        stream = MixedStream(simulated, load_bank(options.bank, simulated.setup, heatmaps=False), options.bank_share)
    generator = torch.Generator().manual_seed(options.seed + 11)
    betas = None
    if options.with_betas:
        betas = BetaRange.of(stream.draw(2000, generator).people.betas)
    torch.manual_seed(options.seed)
    config = ScoreConfig(betas=betas, parametrisation=options.parametrisation)
    maps = ConditionMaps.of(torch.from_numpy(parts.maps.coarse_joints), torch.from_numpy(parts.maps.coarse_landmarks))
    reader = ScoreReader(loaded.model.regressor, maps, config.code)
    model = ScoreDenoiser(config)
    say(f"{options.people} people to start with")
    pool = ScorePool(stream, reader, generator, options.people, options.fresh)
    everybody = pool.all()
    if options.begin is None:
        model.measure(everybody.code, everybody.condition)
    else:
        model.load_state_dict(load_score(options.begin).model.state_dict())
    held_out = reader.read(held_out_batch(make_stream(parts, options.data, "test", "cpu", heatmaps=False), 512))
    task = ScoreTask(model, reader, parts.body, held_out)
    loop = LoopConfig(
        minutes=options.minutes, batch=options.batch, learning_rate=1e-3 if options.begin is None else 4e-4, ema=0.998,
        seed=options.seed, validate_every_s=300.0,
    )  # fmt: skip
    found = run_loop(task, pool, options.out, loop, say)
    target = options.out / SCORE_FILE.name
    save_score(target, model, {
        "data": {"mocap": options.data.name, "split": "train subjects only", "bank": options.bank is not None,},
        "training": last_report(options.out, task.name), "held_out": found, "licence": "CC BY 4.0",
    })  # fmt: skip
    say(f"wrote {target}")
    return target


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m hmdiff.refine.train", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="motion capture bundle or folder")
    parser.add_argument("--out", type=Path, required=True, help="folder for the state, the curve and the weights")
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--people", type=int, default=20_000, help="in the pool at the start")
    parser.add_argument("--fresh", type=int, default=64, help="new people with every batch")
    parser.add_argument("--with-betas", action="store_true", help="let the code hold the body shape too")
    parser.add_argument("--parametrisation", choices=("preconditioned", "epsilon"), default="preconditioned")
    parser.add_argument("--bank", type=Path, help="rendered people (hmdiff synth pack) to mix in")
    parser.add_argument("--bank-share", type=float, default=0.25)
    parser.add_argument("--regressor", type=Path, help="weights whose regressor answers (the shipped ones)")
    parser.add_argument("--begin", type=Path, help="score weights to go on from")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--install", action="store_true", help="put the result where HMDiff looks for it")
    args = vars(parser.parse_args(arguments))
    threads, install = args.pop("threads"), args.pop("install")
    if threads:
        torch.set_num_threads(threads)
    path = train_score(ScoreOptions(**args), lambda line: print(line, flush=True))
    if install:
        for suffix in (".safetensors", ".json"):
            shutil.copyfile(path.with_suffix(suffix), SCORE_FILE.with_suffix(suffix))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
