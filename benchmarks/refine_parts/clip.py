"""Time: the demo clip, whose truth ships; every frame estimated by itself, and the finished take."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from hmdiff.evaluation import metrics
from hmdiff.refine.plan import make_plan
from hmdiff.refine.reading import read_request
from hmdiff.refine.take_refiner import refine_take
from hmdiff.video.animate import run
from hmdiff.video.options import RunOptions
from hmdiff_wire.take import Take, read_take

from .common import Setting, table

DEMO = Path(__file__).parents[2] / "assets" / "demo"
FEET = [7, 8, 10, 11]
STANDS_MM = 4.0
"""A foot whose true joint moves less than this from frame to frame stands."""


@contextmanager
def demo_take(raw: bool = False) -> Iterator[Take]:
    with tempfile.TemporaryDirectory(prefix="hmdiff-bench-") as folder:
        run(DEMO / "demo.mp4", RunOptions(), Path(folder) / "demo.take")
        yield read_take(Path(folder) / "demo.take", raw=raw)


def clip(setting: Setting) -> dict[str, Any]:
    with np.load(DEMO / "demo_truth.npz") as data:
        truth = data["joints"].astype(np.float32)
    stands = 1000 * np.linalg.norm(np.diff(truth[:, FEET], axis=0), axis=-1) < STANDS_MM
    result: dict[str, Any] = {}
    rows: list[list[object]] = []

    def note(name: str, joints: np.ndarray) -> None:
        bend = joints[2:] - 2 * joints[1:-1] + joints[:-2] - (truth[2:] - 2 * truth[1:-1] + truth[:-2])
        slide = 1000 * np.linalg.norm(np.diff(joints[:, FEET], axis=0), axis=-1)[stands]
        result[name] = {
            "pa_mm": float(metrics.pa_mpjpe(joints, truth).mean()),
            "acceleration_mm": float(1000 * np.linalg.norm(bend, axis=-1).mean()), "slide_mm": float(slide.mean()),
            "slide_median_mm": float(np.median(slide)), "slide_p95_mm": float(np.percentile(slide, 95)),
        }  # fmt: skip
        rows.append([name, *(f"{value:.2f}" for value in result[name].values())])

    def refined(name: str, take: Take, **options: Any) -> np.ndarray:
        request = read_request(options)
        (one,) = refine_take(take, make_plan(take, request), request).people
        note(name, one.joints)
        return one.joints

    with demo_take(raw=True) as rough:
        finished = read_take(rough.folder)
        assert finished.n_frames == len(truth) and finished.valid[0].all()
        note("frame by frame", rough.joints[0])
        refined("frame by frame, calm 0.1 s", rough, smooth=0.1)
        refined("frame by frame, calm 0.1 s, detections", rough, smooth=0.1, detections=True)
        refined("frame by frame, calm 0.1 s, SMPLify", rough, smooth=0.1, detections=True, method="smplify")
        refined("frame by frame, calm 0.1 s, feet", rough, smooth=0.1, feet=True)
        note("finished take", finished.joints[0])
        refined("finished take, detections", finished)
        refined("finished take, feet", finished, feet=True)
        refined("finished take, calm 0.1 s, feet, floor", finished, smooth=0.1, feet=True, floor=True)
        locked = refined("finished take, calm 0.2 s, frames 30 and 60 locked", finished, smooth=0.2,
                         lock=[{"frame": 30}, {"frame": 60}])  # fmt: skip
        exact = 1000 * np.linalg.norm(locked[[30, 60]] - finished.joints[0, [30, 60]], axis=-1).max()
        result["locked_frames_moved_mm"] = float(exact)
    table(["", "PA mm", "acceleration mm", "slide mm", "median", "95th percentile"], rows)
    print(f"locked frames moved by at most {exact:.4f} mm; {int(stands.sum())} pairs of frames with a standing joint")
    return result
