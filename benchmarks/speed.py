"""Time per frame of each stage, presets side by side with the regressor alone as the baseline, in one run.

    python benchmarks/speed.py [CLIP] [--frames 64] [--repeats 3]

Stages: decode, detect, model (HMDiff with DAT), and the whole estimate (model, fits, placing). Also the peak memory at
half of the frames and at all of them, which should be alike. Medians over the repeats; nothing here passes or fails.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from hmdiff.detect import Detector
from hmdiff.models.observe import inputs_from_observations
from hmdiff.video.animate import run
from hmdiff.video.estimate import estimate_people, make_estimator
from hmdiff.video.options import RunOptions
from hmdiff.video.source import open_source

DEMO = Path(__file__).parents[1] / "assets" / "demo" / "demo.mp4"
SETTINGS = {
    "preview": RunOptions(preset="preview"),
    "default": RunOptions(),
    "quality": RunOptions(preset="quality"),
}


def median_ms(action: Callable[[], object], repeats: int) -> float:
    """Median wall time in milliseconds after one warm-up."""
    action()
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        action()
        times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", nargs="?", type=Path, default=DEMO)
    parser.add_argument("--frames", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    args = parser.parse_args()
    source = open_source(args.clip, (0, args.frames))
    size = source.info.width, source.info.height
    frames = list(source)
    count = len(frames)
    print(f"{args.clip.name}: {count} frames of {size[0]} x {size[1]}, {torch.get_num_threads()} threads")
    print(f"decode    {median_ms(lambda: list(source), args.repeats) / count:8.1f} ms a frame")

    detector = Detector()

    def detect() -> list:
        detector.reset()
        return [detector.video_step(frame.image_rgb, frame.time) for frame in frames]

    print(f"detect    {median_ms(detect, args.repeats) / count:8.1f} ms a frame")
    people = [person for found in detect() for person in found if person.seen][:16]
    focal, centre = float(max(size)), (size[0] / 2, size[1] / 2)
    inputs = inputs_from_observations(people, [focal] * len(people), centre)
    keys = torch.tensor([person.track_id for person in people])
    for name, options in SETTINGS.items():
        estimator = make_estimator(options)
        model, sampler = estimator.loaded.model, estimator.sampler
        with torch.no_grad():
            alone = median_ms(lambda model=model: model.regressor(inputs), args.repeats)
        sampled = median_ms(lambda model=model, sampler=sampler: model.sample(inputs, keys, 0, sampler), args.repeats)
        whole = median_ms(lambda estimator=estimator: estimate_people(estimator, people, focal, centre), args.repeats)
        each = len(people)
        print(
            f"{name:9s} N={sampler.hypotheses} steps={sampler.steps}: regressor alone {alone / each:.2f}, "
            f"model {sampled / each:.1f}, with fits {whole / each:.1f} ms a person"
        )
    for part in (max(1, count // 2), count):
        with tempfile.TemporaryDirectory() as folder:
            began = time.perf_counter()
            run(args.clip, RunOptions(frame_range=(0, part)), Path(folder) / "take")
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"whole run of {part} frames: {time.perf_counter() - began:.1f} s, peak memory {peak:.0f} MB")


if __name__ == "__main__":
    main()
