"""One wrong limb put right by dragging its two keypoints, through what the server does with edits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from hmdiff.bodies.joint_maps import read_landmark_regressor
from hmdiff.bodies.model import load_free_body
from hmdiff.bodies.rotations import axis_angle_to_matrix
from hmdiff.refine.edit_wishes import edit_case
from hmdiff.refine.figure import Figure
from hmdiff.refine.refiner import FAST, Refiner, refine_bodies
from hmdiff.refine.take_bodies import Seen
from hmdiff.refine.take_refiner import EDIT

from .common import Setting, some, table
from .keypoints import EXACT

LIMBS = {
    "left arm": ((16, 18, 20), (13, 15), (13, 15, 17, 19, 21)),
    "right arm": ((17, 19, 21), (14, 16), (14, 16, 18, 20, 22)),
    "left leg": ((1, 4, 7), (25, 27), (25, 27, 29, 31)),
    "right leg": ((2, 5, 8), (26, 28), (26, 28, 30, 32)),
}
"""Joints that are turned wrong; the landmarks that are dragged; all landmarks of the limb."""
WRONG_MM = 100.0


def limb(setting: Setting) -> dict[str, Any]:
    """The body fits its true keypoints but for one limb, which is somebody else's."""
    body = load_free_body()
    figure = Figure.of(body, torch.from_numpy(read_landmark_regressor(body.data)), with_joints=True)
    result: dict[str, Any] = {}
    rows = []
    for bench, starts in setting.starts.items():
        fitted = refine_bodies(setting.score, starts.with_truth(), EXACT, FAST)
        good = replace(starts.with_truth(), pose=fitted.pose, transl=fitted.transl, condition=None)
        generator = torch.Generator().manual_seed(0)
        names = [list(LIMBS)[int(torch.randint(4, (1,), generator=generator))] for _ in range(len(starts))]
        others = torch.randint(len(starts), (len(starts),), generator=generator)
        pose = good.pose.clone().view(-1, 24, 3)
        for row, name in enumerate(names):
            turned = list(LIMBS[name][0])
            pose[row, turned] = good.pose.view(-1, 24, 3)[others[row], turned]
        truth = torch.from_numpy(starts.people.landmarks).float()

        def miss(angles: torch.Tensor, betas: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
            turns = axis_angle_to_matrix(angles.reshape(-1, 24, 3))
            _, joints, points = figure.pose(figure.tables(betas), turns)
            return 1000 * (points[:, :33] - joints[:, :1] - true).norm(dim=-1)

        wrong = miss(pose.flatten(1), good.betas, truth)
        dragged = torch.tensor([LIMBS[name][1] for name in names])
        chosen = torch.nonzero(wrong.gather(1, dragged)[:, 0] > WRONG_MM).flatten()
        bodies = some(replace(good, pose=pose.flatten(1)), chosen)
        edited = torch.zeros(len(chosen), 57, dtype=torch.bool).scatter(1, dragged[chosen], True)
        points = torch.cat([starts.true_2d[chosen], torch.zeros(len(chosen), 24, 2)], 1)
        seen = Seen(
            points, edited.float(), torch.where(edited, 1.0, 0.06)[..., None], bodies.side, edited,
            torch.zeros_like(edited),
        )  # fmt: skip
        case, wishes = edit_case(figure, replace(bodies, points=points, confidence=edited.float()), seen, False)
        after = refine_bodies(Refiner(figure, setting.score.denoiser), case, wishes, EDIT)
        end = miss(after.pose, bodies.betas, truth[chosen])
        away = torch.ones(len(chosen), 33, dtype=torch.bool)
        for number, row in enumerate(chosen.tolist()):
            away[number, list(LIMBS[names[row]][2])] = False
        worse = ((end - wrong[chosen]) * away).sum(1) / away.sum(1)
        first = wrong[chosen].gather(1, dragged[chosen]).mean(1)
        last = end.gather(1, dragged[chosen]).mean(1)
        base = miss(good.pose, good.betas, truth)[chosen].gather(1, dragged[chosen]).mean(1)
        result[bench] = {
            "limbs": len(chosen), "before_mm": float(first.mean()), "after_mm": float(last.mean()),
            "change_percent": float(100 * (last.mean() / first.mean() - 1)),
            "median_change_percent": float(100 * (last.median() / first.median() - 1)),
            "body_without_the_fault_mm": float(base.mean()), "others_change_mm": float(worse.mean()),
            "others_change_p95_mm": float(worse.quantile(0.95)),
        }  # fmt: skip
        block = result[bench]
        rows.append([
            bench, len(chosen), float(first.mean()), float(last.mean()), f"{block['change_percent']:+.0f} %",
            f"{block['median_change_percent']:+.0f} %", float(base.mean()), float(worse.mean()),
            block["others_change_p95_mm"],
        ])  # fmt: skip
    head = ["", "limbs", "before mm", "after mm", "change", "of the median", "without the fault mm", "others mm", "p95"]
    table(head, rows)
    return result
