"""What refinement takes: one edited frame through the server's job, a clip, and SMPLify beside it."""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np
import torch
from hmdiff.refine.plan import make_plan
from hmdiff.refine.reading import read_request
from hmdiff.refine.take_refiner import refine_take

from .clip import demo_take
from .common import Setting, table


def times(setting: Setting) -> dict[str, Any]:
    result: dict[str, Any] = {}
    rows = []
    with demo_take() as take:
        x, y = np.asarray(take.joints_2d[0, 40, 20], float)
        edit = {"frame": 40, "joint": "left_wrist", "x": x + 15, "y": y - 10}
        for name, options, repeats in (
            ("one edited frame", {"edits": [edit], "spread": 0}, 5),
            ("one edited frame, 8 on either side follow", {"edits": [edit]}, 5),
            ("one edited frame, SMPLify", {"edits": [edit], "spread": 0, "method": "smplify"}, 3),
            ("120 frames: detections", {}, 1),
            ("120 frames: detections, SMPLify", {"method": "smplify"}, 1),
            ("120 frames: calm, feet, floor", {"smooth": 0.1, "feet": True, "floor": True}, 1),
        ):  # fmt: skip
            for threads in (1, 2):
                torch.set_num_threads(threads)
                shelf: dict = {}
                request = read_request(options)
                plan = make_plan(take, request)
                if repeats > 1:
                    refine_take(take, plan, request, shelf=shelf)
                spent = []
                for _ in range(repeats):
                    began = time.perf_counter()
                    refine_take(take, plan, request, shelf=shelf)
                    spent.append(time.perf_counter() - began)
                result.setdefault(name, {})[f"{threads} threads"] = statistics.median(spent)
            one = result[name]
            rows.append([name, f"{one['1 threads']:.2f} s", f"{one['2 threads']:.2f} s"])
    torch.set_num_threads(1)
    table(["", "1 thread", "2 threads"], rows)
    return result
