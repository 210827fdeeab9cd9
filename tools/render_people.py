"""Render single pictures of dressed free bodies in mocap poses, with exact truth, for measuring the detector.

    python tools/render_people.py --mocap mocap_cmu_poses.npz --out FOLDER [--count 160] [--seed 0]

Writes FOLDER/000.png.. and FOLDER/truth.npz: pose (N,72), betas (N,10), transl (N,3) in OpenCV camera axes,
focal (N,) px, size (2,) px. Needs bpy.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path[:0] = [str(Path(__file__).parents[1] / folder) for folder in ("backend", "shared", "tools")]

import studio  # noqa: E402
from hmdiff_wire.body import BodyData, load_body, rest_shape, skin  # noqa: E402
from scipy.spatial.transform import Rotation  # noqa: E402
from wardrobe import REGIONS, face_regions, random_cut, stand_off, vertex_normals  # noqa: E402

BODY = Path(__file__).parents[1] / "backend" / "hmdiff" / "data" / "body.npz"
PATTERNS = ("plain", "plain", "stripes", "bands", "checker", "noise", "cells")
WALLS = ("plain", "plain", "noise", "noise", "checker", "cells", "bands")


def upright_poses(path: Path, count: int, rng: np.random.Generator) -> studio.Floats:
    """count training poses (N,24,3), clusters sampled evenly, trunk within 60 degrees of vertical, heading removed."""
    with np.load(path, allow_pickle=False) as data:
        keep = np.flatnonzero(data["pose_split"] == 0)
        cluster, poses = data["pose_cluster"][keep], data["poses"]
    up = Rotation.from_rotvec(poses[keep, 0].astype(float)).as_matrix()[:, :, 1]
    cluster, keep = cluster[up[:, 1] > 0.5], keep[up[:, 1] > 0.5]
    chosen = []
    for label in rng.permutation(np.unique(cluster))[:count]:
        chosen.append(rng.choice(keep[cluster == label]))
    picked = poses[np.array(chosen)].astype(float)
    root = Rotation.from_rotvec(picked[:, 0])
    forward = root.as_matrix()[:, :, 2]
    heading = Rotation.from_rotvec(
        np.stack([0 * forward[:, 0], -np.arctan2(forward[:, 0], forward[:, 2]), 0 * forward[:, 0]], 1)
    )
    picked[:, 0] = (heading * root).as_rotvec()
    return picked


def to_camera(body: BodyData, betas: studio.Floats, pose: studio.Floats, transl: studio.Floats, rotation: studio.Floats,
              translation: studio.Floats) -> tuple[studio.Floats, studio.Floats]:  # fmt: skip
    """World pose (24,3) and transl (3,) -> pose (72,), transl (3,) in camera axes (x_cam = R x_world + t)."""
    root = rest_shape(body, betas.astype(np.float32))[1][0].astype(float)
    turned = pose.copy()
    turned[0] = (Rotation.from_matrix(rotation) * Rotation.from_rotvec(pose[0])).as_rotvec()
    return turned.reshape(-1), rotation @ (root + transl) + translation - root


def look_at(eye: studio.Floats, target: studio.Floats, roll: float = 0.0) -> tuple[studio.Floats, studio.Floats]:
    """World -> OpenCV camera rotation (3,3) and translation (3,), y-up world."""
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    axes = np.stack([right, np.cross(forward, right), forward])
    axes = Rotation.from_euler("z", roll).as_matrix() @ axes
    return axes, -axes @ eye


def colour(rng: np.random.Generator) -> studio.Colour:
    red, green, blue = rng.uniform(0.02, 0.85, 3) ** 1.5
    return float(red), float(green), float(blue)


def random_materials(rng: np.random.Generator) -> dict[str, object]:
    tone = rng.uniform(0, 1)
    skin_colour = tuple(
        float(c) for c in np.array([0.12, 0.06, 0.035]) * (1 - tone) + np.array([0.72, 0.46, 0.36]) * tone
    )
    dark = float(rng.uniform(0.005, 0.25))
    hair = (dark, dark * 0.7, dark * 0.45)
    fixed = {"skin": skin_colour, "hair": hair, "eye": (0.8, 0.8, 0.8), "iris": (0.02, 0.015, 0.01),
             "mouth": (0.15, 0.03, 0.03),
             "lips": (skin_colour[0] * 0.75, skin_colour[1] * 0.45, skin_colour[2] * 0.45),
             "brows": (hair[0] * 0.6, hair[1] * 0.6, hair[2] * 0.6), "sole": (0.6, 0.6, 0.6)}  # fmt: skip
    made: dict[str, object] = {name: studio.material(name, value, 0.6) for name, value in fixed.items()}
    for name in ("shirt", "trousers", "shoes"):
        made[name] = studio.patterned(
            name, str(rng.choice(PATTERNS)), colour(rng), colour(rng), float(rng.uniform(4, 30))
        )
    return {name: made[name] for name in REGIONS}


def furnish(rng: np.random.Generator, sight: studio.Floats) -> None:
    """Floor, wall, a few boxes behind or beside the person, lights and sky. sight (3,): where the camera looks."""
    flat = np.array([sight[0], 0, sight[2]]) / np.hypot(sight[0], sight[2])
    side = np.array([flat[2], 0, -flat[0]])
    turn = float(np.arctan2(flat[0], flat[2]))

    def pick(name: str) -> object:
        return studio.patterned(
            name, str(rng.choice(WALLS)), colour(rng), colour(rng), float(rng.uniform(0.5, 5)), None
        )

    studio.add_box("Floor", np.array([0, -0.05, 0]), np.array([60, 0.1, 60]), pick("floor"))
    if rng.random() < 0.8:
        studio.add_box("Wall", flat * rng.uniform(1.2, 5) + [0, 4, 0], np.array([60, 12, 0.1]), pick("wall"), turn)
    for index in range(rng.integers(0, 4)):
        size = rng.uniform(0.2, 1.5, 3)
        place = flat * rng.uniform(0.8, 1.2) + side * rng.uniform(0.9, 2.5) * rng.choice([-1, 1]) + [0, size[1] / 2, 0]
        studio.add_box(f"Box{index}", place, size, pick(f"box{index}"), float(rng.uniform(0, 6)))
    middle = np.array([0, 1.0, 0])
    toward = -flat * rng.uniform(0.2, 2) + side * rng.uniform(-1.5, 1.5) + [0, rng.uniform(0.8, 2.5), 0]
    studio.add_light("SUN", toward * 5, middle, float(rng.uniform(0.5, 4)), float(rng.uniform(0.01, 0.3)))
    beam = -flat * rng.uniform(1, 3) + side * rng.uniform(-3, 3) + [0, rng.uniform(1.5, 3), 0]
    studio.add_light("AREA", beam, middle, float(rng.uniform(20, 200)), float(rng.uniform(0.3, 2)))
    studio.set_sky((0.8, 0.9, 1.0), float(rng.uniform(0.2, 0.9)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mocap", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=160)
    parser.add_argument("--size", type=int, default=300)
    parser.add_argument("--samples", type=int, default=6)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    body = load_body(BODY)
    assert body.quads is not None
    quads = body.quads.astype(np.int64)
    poses = upright_poses(options.mocap, options.count, np.random.default_rng(options.seed))
    studio.empty_scene(options.size, options.size, options.samples, options.threads)
    rows: dict[str, list[Any]] = {name: [] for name in ("pose", "betas", "transl", "focal")}
    still = np.zeros((1, 3), np.float32)
    started = time.perf_counter()
    for index, pose in enumerate(poses):
        rng = np.random.default_rng([options.seed, index])
        pose[0] = (Rotation.from_euler("y", rng.uniform(-np.pi, np.pi)) * Rotation.from_rotvec(pose[0])).as_rotvec()
        betas = rng.normal(size=10)
        cut = random_cut(rng)
        shape, posed = betas.astype(np.float32), pose.reshape(1, 72).astype(np.float32)
        vertices = skin(body, shape, posed, still)[0][0].astype(float)
        centre = (vertices.min(0) + vertices.max(0)) / 2
        transl = -np.array([centre[0], vertices[:, 1].min(), centre[2]])
        vertices += transl
        fov, pitch = np.radians(rng.uniform(40, 60)), np.radians(rng.uniform(-10, 30))
        radius = np.linalg.norm(vertices - [0, centre[1] + transl[1], 0], axis=1).max()
        distance = float(np.clip(radius / np.sin(fov / 2) * rng.uniform(0.85, 1.3), 2, 6))
        target = np.array([0, centre[1] + transl[1], 0]) + rng.uniform(-0.12, 0.12, 3)
        eye = target + distance * np.array([0, np.sin(pitch), np.cos(pitch)])
        eye[1] = max(eye[1], 0.15)
        rotation, translation = look_at(eye, target, float(rng.normal(0, np.radians(3))))
        focal = options.size / 2 / np.tan(fov / 2)
        camera_pose, camera_transl = to_camera(body, betas, pose, transl, rotation, translation)
        for name, value in zip(rows, (camera_pose, betas, camera_transl, np.float64(focal)), strict=True):
            rows[name].append(value)
        path = options.out / f"{index:03d}.png"
        if path.exists():
            continue
        studio.clear_scene()
        regions = face_regions(body, cut)
        person = studio.add_body(body, regions, random_materials(rng))
        studio.set_vertices(person, vertices + vertex_normals(vertices, quads) * stand_off(body, regions, cut)[:, None])
        furnish(rng, rotation[2])
        studio.add_camera(rotation, translation, focal, options.size)
        studio.render_to(path)
        print(f"{index + 1}/{len(poses)}, {(time.perf_counter() - started) / (index + 1):.2f} s each", flush=True)
    size = np.array([options.size, options.size])
    arrays: dict[str, Any] = {name: np.array(values, np.float32) for name, values in rows.items()}
    np.savez(options.out / "truth.npz", size=size, **arrays)


if __name__ == "__main__":
    main()
