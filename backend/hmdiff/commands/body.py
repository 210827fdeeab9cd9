"""`hmdiff body build | render`: make the free body anew, or look at any body."""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import torch
from hmdiff_wire.body import save_body, skin
from numpy.typing import NDArray

from ..bodies.hierarchy import build_hierarchy, round_trip_error_mm, write_hierarchy
from ..bodies.joint_maps import fit_joint_maps, read_landmark_regressor, write_joint_maps
from ..bodies.model import body_model
from ..bodies.random_pose import random_rotations
from ..bodies.rotations import matrix_to_axis_angle
from ..bodies.sources import load_body_any
from ..video.render import draw_mesh

SIDE = 480
VIEWS = {"front": 0.0, "side": -np.pi / 2, "back": np.pi}


def run(args: argparse.Namespace) -> int:
    return build(args.out) if args.action == "build" else render(args.out, args.body)


def build(out: Path) -> int:
    from ..bodies.build import build_free_body

    body = build_free_body()
    out.parent.mkdir(parents=True, exist_ok=True)
    save_body(out, body)
    print(f"wrote {out}: {body.n_vertices} vertices, {len(body.faces)} triangles, {body.shapedirs.shape[2]} betas")
    hierarchy = build_hierarchy(body)
    beside = out.with_name(out.stem + "_hierarchy.npz")
    write_hierarchy(beside, hierarchy)
    model = body_model(body)
    maps = out.with_name("joint_maps.npz")
    write_joint_maps(maps, fit_joint_maps(model, hierarchy, read_landmark_regressor(body)))
    print(f"wrote {maps}")
    generator = torch.Generator().manual_seed(99)
    error = round_trip_error_mm(
        model, hierarchy, torch.randn(32, 10, generator=generator), random_rotations(32, generator)
    )
    print(f"wrote {beside}: V -> 1723 -> 431 -> V costs {error.mean():.2f} mm on random shapes and poses")
    return 0


def render(out: Path, path: Path | None) -> int:
    body = load_body_any(path)
    count = len(body.parents)
    generator = torch.Generator().manual_seed(4)
    posed = matrix_to_axis_angle(random_rotations(3, generator)).flatten(1).numpy() if count == 24 else None
    rest = np.zeros((1, count * 3), np.float32)
    none = np.zeros(body.shapedirs.shape[2], np.float32)
    pictures = [
        _picture(skin(body, none, rest, np.zeros((1, 3), np.float32))[0][0], body.faces, turn)
        for turn in VIEWS.values()
    ]
    if posed is not None:
        vertices = skin(body, none, posed, np.zeros((3, 3), np.float32))[0]
        pictures += [_picture(mesh, body.faces, 0.4) for mesh in vertices]
    rows = [np.concatenate(pictures[i : i + 3], 1) for i in range(0, len(pictures), 3)]
    sheet = np.concatenate(rows, 0)
    out.parent.mkdir(parents=True, exist_ok=True)
    encoded = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))[1]
    out.write_bytes(encoded.tobytes())
    print(f"wrote {out}")
    return 0


def _picture(vertices: NDArray[np.float32], faces: NDArray[np.int32], turn: float) -> NDArray[np.uint8]:
    """A body turned about y, seen from the front by a camera that holds all of it."""
    cosine, sine = np.cos(turn), np.sin(turn)
    turned = vertices @ np.array([[cosine, 0, -sine], [0, 1, 0], [sine, 0, cosine]], np.float32)
    middle = (turned.max(0) + turned.min(0)) / 2
    seen = (turned - middle) * np.array([1, -1, -1], np.float32)
    extent = float(np.abs(seen[:, :2]).max())
    distance = 4 * extent
    seen = seen + np.array([0, 0, distance], np.float32)
    canvas = np.full((SIDE, SIDE, 3), 245, np.uint8)
    focal = 0.45 * SIDE * distance / extent * 0.85
    return draw_mesh(canvas, seen.astype(np.float32), faces, focal, (SIDE / 2, SIDE / 2), (150, 175, 200), 1.0)
