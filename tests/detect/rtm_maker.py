"""Networks that read people made of coloured dots, in the formats of YOLOX, RTMPose and ViTPose, and such pictures."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
SHIRTS = ((0, 0, 110), (0, 110, 0), (110, 0, 0))
"""RGB; the third kind of person is one the detector is hardly sure of."""
SCORES = (0.9, 0.8, 0.2)
COLOURS = np.array([(r, g, b) for r in (240, 150, 60) for g in (60, 150, 240) for b in (60, 150, 240)][:26], float)
RADIUS = 6


def dots(x: float, y: float, height: float, turn: float = 0.0) -> np.ndarray:
    """(26,2) pixel indices: a person's joints in four columns and seven rows of a box at (x, y)."""
    index = np.arange(26)
    places = np.stack([(index % 4 + 0.5) / 4 * height / 2, (index // 4 + 0.5) / 7 * height], -1)
    return np.round(places + [x, y] + turn * np.stack([np.sin(index), np.cos(index)], -1))


def draw(image: np.ndarray, x: int, y: int, height: int, shirt: int = 0, hidden: tuple[int, ...] = ()) -> np.ndarray:
    """A person into image (H,W,3) RGB; returns the true joints (26,2), px from the image's corner."""
    places = dots(x, y, height)
    cv2.rectangle(image, (x, y), (x + height // 2 - 1, y + height - 1), SHIRTS[shirt], -1)
    for joint, (px, py) in enumerate(places.astype(int)):
        if joint not in hidden:
            cv2.circle(image, (int(px), int(py)), RADIUS, COLOURS[joint].tolist(), -1)
    return places + 0.5


def _save(
    path: Path, nodes: list, inputs: list[int], outputs: dict[str, list], constants: dict[str, np.ndarray]
) -> Path:
    kinds = {"labels": TensorProto.INT64}
    graph = helper.make_graph(
        nodes, "tiny", [helper.make_tensor_value_info("input", TensorProto.FLOAT, inputs)],
        [helper.make_tensor_value_info(k, kinds.get(k, TensorProto.FLOAT), shape) for k, shape in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def _f(*values: float) -> np.ndarray:
    return np.array(values, np.float32)


def detector(path: Path, side: int = 320) -> Path:
    """YOLOX with its choice of boxes inside: BGR (1,3,S,S) -> dets (1,3,5) around the pixels of each shirt."""
    constants = {"limit": _f(15.0), "one": _f(1.0), "axis1": np.array([1]), "flat": np.array([1, 1])}
    nodes, rows = [], []
    for p, (shirt, score) in enumerate(zip(SHIRTS, SCORES, strict=True)):
        constants[f"shirt{p}"] = np.array(shirt[::-1], np.float32).reshape(1, 3, 1, 1)
        constants[f"score{p}"] = _f(score)
        nodes += [
            helper.make_node("Sub", ["input", f"shirt{p}"], [f"d{p}"]),
            helper.make_node("Abs", [f"d{p}"], [f"a{p}"]),
            helper.make_node("ReduceMax", [f"a{p}"], [f"m{p}"], axes=[1], keepdims=0),
            helper.make_node("Less", [f"m{p}", "limit"], [f"l{p}"]),
            helper.make_node("Cast", [f"l{p}"], [f"on{p}"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMax", [f"on{p}"], [f"any{p}"], axes=[1, 2], keepdims=0),
            helper.make_node("Mul", [f"any{p}", f"score{p}"], [f"s{p}"]),
        ]
        parts = []
        for name, axis in (("x", 1), ("y", 2)):
            line = f"{name}line{p}"
            nodes.append(helper.make_node("ReduceMax", [f"on{p}"], [line], axes=[axis], keepdims=0))
            for last in (0, 1):
                end = f"{name}{last}_{p}"
                nodes += [
                    helper.make_node("ArgMax", [line], [f"{end}i"], axis=1, keepdims=0, select_last_index=last),
                    helper.make_node("Cast", [f"{end}i"], [f"{end}f"], to=TensorProto.FLOAT),
                ]
                if last:
                    nodes.append(helper.make_node("Add", [f"{end}f", "one"], [end]))
                parts.append(end if last else f"{end}f")
        order = [parts[0], parts[2], parts[1], parts[3], f"s{p}"]
        for name in order:
            nodes.append(helper.make_node("Reshape", [name, "flat"], [f"{name}r{p}"]))
        nodes.append(helper.make_node("Concat", [f"{name}r{p}" for name in order], [f"row{p}"], axis=1))
        rows.append(f"row{p}")
    constants["shape"] = np.array([1, 3, 5])
    constants["kinds"] = np.zeros((1, 3), np.int64)
    nodes += [
        helper.make_node("Concat", rows, ["rows"], axis=1),
        helper.make_node("Reshape", ["rows", "shape"], ["dets"]),
        helper.make_node("Identity", ["kinds"], ["labels"]),
    ]
    constants.pop("axis1")
    return _save(path, nodes, [1, 3, side, side], {"dets": [1, "found", 5], "labels": [1, "found"]}, constants)


def detector_of_everything(path: Path) -> Path:
    """YOLOX with 80 classes and all its cells: always a person, a dog, and somebody it is not sure of."""
    rows = np.zeros((1, 84, 85), np.float32)
    for cell, (x, y), (width, height), kind, sure in (
        (20, (0.5, 0.5), (16, 32), 0, 0.9), (18, (0.5, 0.5), (24, 16), 16, 0.95), (3, (0, 0), (8, 8), 0, 0.5),
    ):  # fmt: skip
        rows[0, cell, :5] = x, y, np.log(width / 8), np.log(height / 8), sure
        rows[0, cell, 5 + kind] = 0.9
    nodes = [
        helper.make_node("ReduceMean", ["input"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "nothing"], ["none"]),
        helper.make_node("Add", ["rows", "none"], ["output"]),
    ]
    return _save(path, nodes, [1, 3, 64, 64], {"output": [1, 84, 85]}, {"rows": rows, "nothing": _f(0.0)})


def pose(path: Path, count: int = 26, heatmaps: bool = False, declared: bool = True) -> Path:
    """RTMPose (SimCC) or ViTPose (heatmaps): normalised RGB (1,3,256,192) -> where each dot's colour is.

    declared False: the file only names the number of keypoints, as exported files do.
    """
    reach = np.arange(-6, 7)
    kernel = np.exp(-(reach[:, None] ** 2 + reach**2) / (2 * 2.5**2))
    kernel /= kernel[np.hypot(*np.meshgrid(reach, reach)) <= 3].sum()
    constants = {
        "std": np.array(STD, np.float32).reshape(1, 3, 1, 1), "mean": np.array(MEAN, np.float32).reshape(1, 3, 1, 1),
        "colours": np.resize(COLOURS, (count, 3)).astype(np.float32).reshape(count, 3, 1, 1), "near": _f(40.0),
        "one": _f(1.0), "kernel": kernel.astype(np.float32)[None, None],
    }  # fmt: skip
    nodes = [
        helper.make_node("Mul", ["input", "std"], ["scaled"]),
        helper.make_node("Add", ["scaled", "mean"], ["rgb"]),
        helper.make_node("Sub", ["rgb", "colours"], ["off"]),
        helper.make_node("Abs", ["off"], ["far"]),
        helper.make_node("ReduceSum", ["far", "axes"], ["sum"], keepdims=1),
        helper.make_node("Div", ["sum", "near"], ["ratio"]),
        helper.make_node("Sub", ["one", "ratio"], ["alike"]),
        helper.make_node("Relu", ["alike"], ["on"]),
        helper.make_node("Conv", ["on", "kernel"], ["peaks"], pads=[6, 6, 6, 6]),
    ]
    constants["axes"] = np.array([1])
    k = count if declared else "keypoints"
    if heatmaps:
        constants["shape"] = np.array([1, count, 64, 48])
        nodes += [
            helper.make_node("AveragePool", ["peaks"], ["small"], kernel_shape=[4, 4], strides=[4, 4]),
            helper.make_node("Reshape", ["small", "shape"], ["heatmaps"]),
        ]
        return _save(path, nodes, [1, 3, 256, 192], {"heatmaps": [1, k, 64, 48]}, constants)
    constants["scales"] = _f(1, 1, 2)
    constants["roi"] = np.zeros(0, np.float32)
    for name, axis, length in (("x", 2, 192), ("y", 3, 256)):
        constants[f"shape_{name}"] = np.array([1, count, length])
        nodes += [
            helper.make_node("ReduceMax", ["peaks"], [f"max_{name}"], axes=[axis], keepdims=0),
            helper.make_node("Reshape", [f"max_{name}", f"shape_{name}"], [f"line_{name}"]),
            helper.make_node(
                "Resize", [f"line_{name}", "roi", "scales"], [f"simcc_{name}"], mode="nearest",
                coordinate_transformation_mode="asymmetric", nearest_mode="floor",
            ),
        ]  # fmt: skip
    return _save(path, nodes, [1, 3, 256, 192], {"simcc_x": [1, k, 384], "simcc_y": [1, k, 512]}, constants)
