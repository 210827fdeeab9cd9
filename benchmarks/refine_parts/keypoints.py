"""Single frames: HMDiff's estimate pulled to true and to detected keypoints; tau and dt; keypoints that are wrong."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from hmdiff.refine.guide import GuideOptions
from hmdiff.refine.refiner import (
    DOUBT,
    DOUBTED,
    FAST,
    LITERAL,
    PUBLISHED,
    TRUSTED,
    Bodies,
    Refiner,
    Wishes,
    refine_bodies,
)

from .common import Setting, change, table

DETECTED = DOUBTED
EXACT = replace(TRUSTED, reprojection=0.06)
FITTED = Wishes(reprojection=LITERAL.reprojection, scale=0.06)
"""SMPLify on detected keypoints, its robust scale as ours."""


def _measure(
    setting: Setting, refiner: Refiner, bodies: Bodies, truth: np.ndarray, wishes: Wishes, options: GuideOptions
):
    began = time.perf_counter()
    found = refine_bodies(refiner, bodies, wishes, options)
    seconds = time.perf_counter() - began
    return setting.pa(found.pose, found.betas, truth), 1000 * seconds / len(bodies)


def keypoints(setting: Setting) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for bench, starts in setting.starts.items():
        before = setting.pa(starts.bodies.pose, starts.bodies.betas, starts.truth)
        shown = starts.people.visible[:, [11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28]].sum(1)
        subsets = {"in sight": shown >= 8, "occluded": shown < 8}
        rows: list[list[object]] = []
        block: dict[str, Any] = {"start": float(before.mean())}
        for kind, bodies, wishes, fast, fitted in (
            ("true", starts.with_truth(), EXACT, FAST, LITERAL), ("detected", starts.bodies, DETECTED, DOUBT, FITTED)
        ):  # fmt: skip
            for name, refiner, wish, options in (
                ("ScoreHMR, ours", setting.score, wishes, fast),
                ("ScoreHMR, as published", setting.score, LITERAL, PUBLISHED),
                ("ScoreHMR, without features", setting.score, wishes, fast),
                ("SMPLify", setting.smplify, fitted, FAST),
            ):  # fmt: skip
                given = replace(bodies, condition=None) if "without" in name else bodies
                after, ms = _measure(setting, refiner, given, starts.truth, wish, options)
                parts = {
                    label: change(after[who], before[who]) for label, who in subsets.items() if who.any()
                }  # fmt: skip
                block[f"{kind}: {name}"] = {
                    "pa_mm": float(after.mean()), "change_percent": change(after, before), **parts,
                    "worse_by_a_tenth": float((after > 1.1 * before).mean()), "ms": ms,
                }  # fmt: skip
                rows.append([
                    f"{kind}: {name}", float(after.mean()), f"{change(after, before):+.1f} %",
                    *(f"{parts[label]:+.1f} %" if label in parts else "-" for label in subsets),
                    f"{100 * (after > 1.1 * before).mean():.0f} %", ms,
                ])  # fmt: skip
        print(f"\n{bench}: start {before.mean():.1f} mm PA-MPJPE, {len(starts)} people")
        table(["keypoints, method", "PA mm", "change", *subsets, "10 % worse", "ms a person"], rows)
        result[bench] = block
    return result


def sweep(setting: Setting) -> dict[str, Any]:
    """tau and dt, the published way and ours, S = 4, as in the supplement."""
    result: dict[str, Any] = {}
    starts = setting.starts["synthetic"]
    before = setting.pa(starts.bodies.pose, starts.bodies.betas, starts.truth)
    for kind, bodies, wishes in (("true", starts.with_truth(), EXACT), ("detected", starts.bodies, DETECTED)):
        rows = []
        for tau in (25, 50, 100, 200):
            row: list[object] = [f"tau {tau}"]
            for dt in (2, 5, 10, 25):
                if dt > tau:
                    row.append("-")
                    continue
                options = GuideOptions(tau=tau, dt=dt, outer=4, step="gauss_newton")
                after, ms = _measure(setting, setting.score, bodies, starts.truth, wishes, options)
                row.append(f"{change(after, before):+.1f} % ({ms:.0f} ms)")
                result[f"{kind} tau {tau} dt {dt}"] = {"change_percent": change(after, before), "ms": ms}
            rows.append(row)
        print(f"\nsynthetic, {kind} keypoints, Gauss-Newton steps, S = 4: change of PA-MPJPE (time a person)")
        table(["", "dt 2", "dt 5", "dt 10", "dt 25"], rows)
    return result


def outliers(setting: Setting) -> dict[str, Any]:
    """A fifth of the detected keypoints thrown by 30 % of the box."""
    result: dict[str, Any] = {}
    rows = []
    for bench, starts in setting.starts.items():
        bodies = starts.bodies
        generator = torch.Generator().manual_seed(1)
        bad = torch.rand(bodies.confidence.shape, generator=generator) < 0.2
        angle = 6.2832 * torch.rand(bad.shape, generator=generator)
        way = torch.stack([angle.cos(), angle.sin()], -1) * 0.3 * bodies.side[:, None, None]
        thrown = replace(bodies, points=torch.where(bad[..., None], bodies.points + way, bodies.points))
        before = setting.pa(bodies.pose, bodies.betas, starts.truth)
        for name, refiner, wishes in (
            ("ScoreHMR, ours", setting.score, DETECTED), ("SMPLify", setting.smplify, FITTED)
        ):  # fmt: skip
            after, _ = _measure(setting, refiner, thrown, starts.truth, wishes, DOUBT)
            ratio = after / before
            block = {
                "change_percent": change(after, before), "ratio_mean": float(after.mean() / before.mean()),
                "ratio_p95": float(np.percentile(ratio, 95)), "ratio_max": float(ratio.max()),
                "share_over_1.1": float((ratio > 1.1).mean()),
            }  # fmt: skip
            result[f"{bench}: {name}"] = block
            rows.append([
                f"{bench}: {name}", f"{block['ratio_mean']:.3f}", f"{block['ratio_p95']:.2f}", f"{ratio.max():.2f}",
                f"{100 * block['share_over_1.1']:.0f} %",
            ])  # fmt: skip
    table(["", "mean after / before", "95th percentile", "largest", "over 1.1"], rows)
    return result
