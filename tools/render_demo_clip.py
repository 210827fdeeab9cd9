"""Render the clip that ships with the project, with its ground truth: the free body, dressed, dancing to mocap.

    python tools/render_demo_clip.py --mocap mocap_cmu_clips.npz --work FOLDER [--only 0,60,119]

Frames land in FOLDER and are kept, so an interrupted run goes on where it stopped; then assets/demo/demo.mp4 and
assets/demo/demo_truth.npz are written. The motion is a held-out subject's (dance, 5_07): no model
here was trained on it. Needs bpy and av.
"""

from __future__ import annotations

import argparse
import sys
import time
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from scipy.ndimage import gaussian_filter1d, minimum_filter1d

sys.path[:0] = [str(Path(__file__).parents[1] / folder) for folder in ("backend", "shared", "tools")]

import demo_scene  # noqa: E402
import studio  # noqa: E402
from hmdiff_wire.body import BodyData, joint_transforms, load_body, rest_shape, rotation_matrices, skin  # noqa: E402
from render_people import look_at, to_camera  # noqa: E402
from scipy.spatial.transform import Rotation  # noqa: E402
from shoes import make_shoes  # noqa: E402
from wardrobe import face_regions, stand_off, vertex_normals  # noqa: E402

ROOT = Path(__file__).parents[1]
WIDTH, HEIGHT, FPS, FOCAL = 640, 480, 30, 640.0
SEQUENCE, FIRST, COUNT = "5_07", 45, 120
BETAS = np.array([0.9, -0.5, 0.4, -0.6, 0.3, 0.2, -0.3, 0.2, 0.1, -0.1])
_CAMERA_YAW, _CAMERA_PITCH = np.radians(24.0), np.radians(7.0)
_EDGE = 18
"""Smallest distance in px between the person and the picture's edge."""


def load_motion(path: Path, body: BodyData) -> tuple[studio.Floats, studio.Floats]:
    """Poses (F,24,3) and pelvis path (F,3), y-up world, the dance's middle at 0, facing +z on the whole."""
    with np.load(path, allow_pickle=False) as data:
        index = data["seq_name"].tolist().index(SEQUENCE)
        rows = slice(data["seq_start"][index] + FIRST, data["seq_start"][index] + FIRST + COUNT)
        poses, path_3d = data["seq_poses"][rows].astype(float), data["seq_trans"][rows].astype(float)
        mocap_leg = -(data["rest_offsets"][1] + data["rest_offsets"][4] + data["rest_offsets"][7])[1]
    joints = rest_shape(body, BETAS)[1]
    forward = Rotation.from_rotvec(poses[:, 0]).as_matrix()[:, :, 2].mean(0)
    heading = Rotation.from_euler("y", -np.arctan2(forward[0], forward[2]))
    poses[:, 0] = (heading * Rotation.from_rotvec(poses[:, 0])).as_rotvec()
    path_3d = heading.apply(path_3d) * (joints[0, 1] - joints[7, 1]) / mocap_leg
    middle = (path_3d.min(0) + path_3d.max(0)) / 2
    return poses, path_3d - [middle[0], 0, middle[2]]


def clothes_offsets(body: BodyData, regions: np.ndarray) -> studio.Floats:
    """(V,3) from the bare rest shape to the dressed one, body axes."""
    assert body.quads is not None
    normals = vertex_normals(rest_shape(body, BETAS)[0].astype(float), body.quads.astype(np.int64))
    return normals * stand_off(body, regions, demo_scene.CUT)[:, None]


def carry(
    body: BodyData, poses: studio.Floats, transl: studio.Floats, points: studio.Floats, weights: studio.Floats
) -> studio.Floats:
    """Rest points (S,3) with skin weights (S,24) -> (F,S,3), by the linear blend skinning of ``skin``."""
    rest = rest_shape(body, BETAS)[1]
    turns, joints = joint_transforms(body.parents, rest, rotation_matrices(poses.astype(np.float32)))
    shifts = joints - np.einsum("fjab,jb->fja", turns, rest)
    moved = [
        np.einsum("sj,sja->sa", weights, np.einsum("jab,sb->sja", turn, points) + shift)
        for turn, shift in zip(turns, shifts, strict=True)
    ]
    return np.stack(moved) + transl[:, None]


def stage(
    body: BodyData, path: Path, regions: np.ndarray, shoes: studio.Floats, shoe_weights: studio.Floats
) -> tuple[studio.Floats, studio.Floats, studio.Floats]:
    """Poses (F,24,3), transl (F,3) with the soles on the floor, dressed body and shoes (F,V+S,3), y-up world."""
    poses, pelvis = load_motion(path, body)
    transl = pelvis - rest_shape(body, BETAS)[1][0]
    rest = rest_shape(body, BETAS)[0].astype(float) + clothes_offsets(body, regions)
    points, weights = np.concatenate([rest, shoes]), np.concatenate([body.weights.astype(float), shoe_weights])
    vertices = carry(body, poses, transl, points, weights)
    # the mocap's floor is good to a few cm: follow the lowest point
    lowest = vertices[:, :, 1].min(1)
    floor = gaussian_filter1d(minimum_filter1d(lowest, 3, mode="nearest"), 1.0, mode="nearest")
    transl[:, 1] -= floor
    vertices[:, :, 1] -= floor[:, None]
    left = vertices[:, :, 1].min(1)
    print(f"lowest point over the floor: {left.min() * 1000:.0f} .. {left.max() * 1000:.0f} mm")
    return poses, transl, vertices


def choose_camera(vertices: studio.Floats) -> tuple[studio.Floats, studio.Floats]:
    """The nearest camera on a fixed line that sees the whole dance: rotation (3,3), translation (3,)."""
    points = vertices[:, ::25].reshape(-1, 3)
    target = np.array([0.0, 0.93, 0.0])
    line = np.array(
        [
            np.sin(_CAMERA_YAW) * np.cos(_CAMERA_PITCH),
            np.sin(_CAMERA_PITCH),
            np.cos(_CAMERA_YAW) * np.cos(_CAMERA_PITCH),
        ]
    )
    for distance in np.arange(2.0, 9.0, 0.05):
        rotation, translation = look_at(target + distance * line, target)
        seen = points @ rotation.T + translation
        flat = seen[:, :2] / seen[:, 2:] * FOCAL + [WIDTH / 2, HEIGHT / 2]
        if seen[:, 2].min() > 0.3 and flat.min() > _EDGE and (flat < np.array([WIDTH, HEIGHT]) - _EDGE).all():
            print(f"camera at {distance:.2f} m")
            return rotation, translation
    raise SystemExit("The dance does not fit the picture from this side.")


def write_truth(body: BodyData, poses: studio.Floats, transl: studio.Floats, rotation: studio.Floats,
                translation: studio.Floats, path: Path) -> None:  # fmt: skip
    """All in OpenCV camera axes (docs/architecture.md); landmarks by the shipped regressor where there is one."""
    turned = [
        to_camera(body, BETAS, pose, shift, rotation, translation) for pose, shift in zip(poses, transl, strict=True)
    ]
    pose, shift = np.stack([t[0] for t in turned]), np.stack([t[1] for t in turned])
    vertices, joints = skin(body, BETAS.astype(np.float32), pose.astype(np.float32), shift.astype(np.float32))
    truth = {
        "times": np.arange(COUNT) / FPS, "focal": np.array(FOCAL), "width": np.array(WIDTH), "height": np.array(HEIGHT),
        "betas": BETAS, "pose": pose, "transl": shift, "joints": joints,
        "joints_2d": joints[..., :2] / joints[..., 2:] * FOCAL + [WIDTH / 2, HEIGHT / 2],
    }  # fmt: skip
    regressor = ROOT / "backend" / "hmdiff" / "data" / "landmark_regressor.npz"
    if regressor.is_file():
        with np.load(regressor, allow_pickle=False) as data:
            matrix = np.zeros((33, body.n_vertices), np.float32)
            matrix[data["row"], data["col"]] = data["value"]
        truth["landmarks"] = np.einsum("lv,fvc->flc", matrix, vertices, optimize=True)
        truth["landmarks_2d"] = truth["landmarks"][..., :2] / truth["landmarks"][..., 2:] * FOCAL + [
            WIDTH / 2,
            HEIGHT / 2,
        ]
    arrays: dict[str, Any] = {name: value.astype(np.float32) for name, value in truth.items()}
    np.savez_compressed(path, **arrays)


def encode(frames: list[Path], path: Path) -> None:
    """PNG frames -> H.264 that every player reads."""
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as target:
        stream = target.add_stream("libx264", rate=Fraction(FPS), options={"crf": "27", "preset": "veryslow"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index, frame_path in enumerate(frames):
            with av.open(str(frame_path)) as source:
                picture = next(source.decode(video=0)).reformat(format="yuv420p")
            # A decoded PNG brings a clock of its own, which would leave holes in the clip's.
            picture.pts, picture.time_base = index, Fraction(1, FPS)
            for packet in stream.encode(picture):
                target.mux(packet)
        for packet in stream.encode(None):
            target.mux(packet)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mocap", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--only", help="frame numbers to render as a trial, comma-separated")
    parser.add_argument("--samples", type=int, default=6)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    body = load_body(ROOT / "backend" / "hmdiff" / "data" / "body.npz")
    regions = face_regions(body, demo_scene.CUT)
    shoes, shoe_faces, shoe_weights, soles = make_shoes(body, rest_shape(body, BETAS)[0].astype(float))
    poses, transl, vertices = stage(body, options.mocap, regions, shoes, shoe_weights)
    rotation, translation = choose_camera(vertices)
    demo = ROOT / "assets" / "demo"
    demo.mkdir(parents=True, exist_ok=True)
    write_truth(body, poses, transl, rotation, translation, demo / "demo_truth.npz")
    studio.empty_scene(WIDTH, HEIGHT, options.samples, options.threads)
    demo_scene.furnish()
    person = studio.add_body(body, regions, demo_scene.clothes())
    footwear = studio.add_mesh("Shoes", shoes, shoe_faces, demo_scene.shoe_materials(), soles.astype(np.int64))
    studio.add_camera(rotation, translation, FOCAL, WIDTH)
    frames = [options.work / f"{index:04d}.png" for index in range(COUNT)]
    wanted = range(COUNT) if options.only is None else [int(text) for text in options.only.split(",")]
    for index in wanted:
        if frames[index].exists():
            continue
        started = time.perf_counter()
        studio.set_vertices(person, vertices[index, : body.n_vertices])
        studio.set_vertices(footwear, vertices[index, body.n_vertices :])
        studio.render_to(frames[index])
        print(f"frame {index + 1} of {COUNT}: {time.perf_counter() - started:.1f} s", flush=True)
    if options.only is None:
        encode(frames, demo / "demo.mp4")
        print(f"{demo / 'demo.mp4'}: {(demo / 'demo.mp4').stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
