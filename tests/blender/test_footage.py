"""The footage behind the camera: there, upright, in time."""

from __future__ import annotations

import struct
from pathlib import Path
from types import SimpleNamespace

import bpy
import numpy as np
import pytest
from blender_look import go_to
from blender_takes import Clip
from hmdiff_blender.core.source import resolve
from hmdiff_blender.overlays import stage
from hmdiff_blender.scene.build import BuildOptions, build_scene
from hmdiff_blender.scene.footage import EXIF_TURNS, exif_orientation
from mathutils import Quaternion, Vector

OWN = BuildOptions(own_scene=True, hypotheses=0)
SIZE = (64, 48)


def write_image(path: Path, size: tuple[int, int] = SIZE, format: str = "PNG") -> Path:
    image = bpy.data.images.new("made", *size)
    image.filepath_raw = str(path)
    image.file_format = format
    image.save()
    bpy.data.images.remove(image)
    return path


def write_jpeg(path: Path, orientation: int, order: str) -> Path:
    """A JPEG whose EXIF block names an orientation."""
    data = write_image(path, format="JPEG").read_bytes()
    mark = b"II" if order == "<" else b"MM"
    tiff = mark + struct.pack(order + "HIHHHIHHI", 42, 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    block = b"Exif\0\0" + tiff
    path.write_bytes(data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:])
    return path


def write_movie(path: Path, times: list[float], rate: int, turn: int = 0) -> Path:
    av = pytest.importorskip("av", reason="PyAV is in the main environment only")
    from fractions import Fraction

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 9000)
        for index, time in enumerate(times):
            frame = av.VideoFrame.from_ndarray(np.full((SIZE[1], SIZE[0], 3), index, np.uint8), format="rgb24")
            frame.pts, frame.time_base = round(time * 9000), Fraction(1, 9000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    data = bytearray(path.read_bytes())
    at = data.index(b"tkhd") + 4
    at += 4 + (32 if data[at] else 20) + 8 + 8
    one = 1 << 16
    matrix = {0: (one, 0, 0, one), 180: (-one, 0, 0, -one), 270: (0, one, -one, 0)}[turn]
    data[at : at + 36] = struct.pack(">9i", *matrix[:2], 0, *matrix[2:], 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


def movie_frame(footage) -> int:
    """The movie's frame, from 0, that Blender shows at the scene's present frame (its rule: one per scene frame)."""
    user = footage.image_user
    since = bpy.context.scene.frame_current - user.frame_start + 1
    return min(max(since, 0), user.frame_duration) + user.frame_offset - 1


def test_a_photo_lies_behind_the_camera(make_take, tmp_path):
    take = make_take(Clip(times=(0.0,), kind="image", source=str(tmp_path / "p.png"), size=SIZE))
    write_image(tmp_path / "p.png")
    objects = build_scene(take, OWN)
    assert objects.camera.data.show_background_images
    footage = objects.footage
    assert (footage.image.source, footage.display_depth, footage.alpha) == ("FILE", "BACK", 1.0)
    assert tuple(footage.image.size) == SIZE and footage.rotation == 0 and footage.scale == 1


def test_missing_footage_leaves_a_scene_without_background(make_take):
    objects = build_scene(make_take(Clip()), OWN)
    assert objects.footage is None and not objects.camera.data.background_images


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_read_in_both_byte_orders(tmp_path, orientation, order):
    assert exif_orientation(write_jpeg(tmp_path / "a.jpg", orientation, order)) == orientation


def test_files_without_exif_are_upright(tmp_path):
    assert exif_orientation(write_image(tmp_path / "a.png")) == 1
    (tmp_path / "cut.jpg").write_bytes(b"\xff\xd8\xff\xe1\x00\x10Exif\0\0II*\0")
    assert exif_orientation(tmp_path / "cut.jpg") == 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_make_the_picture_upright(orientation):
    """EXIF's meaning, from its definition: where row 0 and column 0 of the stored picture belong."""
    upright = np.arange(6).reshape(2, 3)
    stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1], 5: upright.T,
        6: np.rot90(upright, 1), 7: np.rot90(upright, 2).T, 8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    degrees, mirrored = EXIF_TURNS[orientation]
    turned = np.rot90(stored, degrees // 90)
    assert (turned[:, ::-1] if mirrored else turned).tolist() == upright.tolist()


def test_a_photo_turned_by_exif_fills_the_upright_frame(make_take, tmp_path):
    take = make_take(Clip(times=(0.0,), kind="image", source=str(tmp_path / "p.jpg"), size=SIZE[::-1]))
    write_jpeg(tmp_path / "p.jpg", 6, ">")
    footage = build_scene(take, OWN).footage
    assert np.isclose(footage.rotation, np.radians(-270)) and np.isclose(footage.scale, 64 / 48)


def test_boxes_are_drawn_on_the_upright_picture(tmp_path):
    path = write_jpeg(tmp_path / "p.jpg", 6, ">")
    view = SimpleNamespace(
        view_perspective="PERSP", view_rotation=Quaternion(), view_location=Vector(), view_distance=2.0
    )
    space = SimpleNamespace(region_3d=view, use_local_camera=False, camera=None)
    kept = set(bpy.data.objects), set(bpy.data.images)
    shown = stage.begin(space, bpy.context.scene, resolve("FILE", str(path)), 1)
    footage = bpy.data.objects[shown.camera].data.background_images[0]
    assert shown.size == SIZE[::-1] and np.isclose(footage.rotation, np.radians(-270))
    stage.end(shown, space)
    assert view.view_perspective == "PERSP" and (set(bpy.data.objects), set(bpy.data.images)) == kept


@pytest.mark.parametrize("pattern", ["", "shot_####.png", "shot_%04d.png", "shot_*.png"])
def test_a_sequence_starts_at_its_own_number(make_take, tmp_path, pattern):
    folder = tmp_path / "images"
    folder.mkdir()
    take = make_take(Clip(kind="sequence", source=str(folder / pattern), times=tuple(np.arange(2, 5) / 25), size=SIZE))
    for number in range(101, 106):
        write_image(folder / f"shot_{number:04d}.png")
    footage = build_scene(take, OWN).footage
    assert footage.image.source == "SEQUENCE" and footage.image.filepath.endswith("shot_0101.png")
    for scene_frame, index in ((1, 2), (3, 4)):
        go_to(scene_frame)
        assert movie_frame(footage) + 1 == 101 + index


def test_a_video_runs_in_time_and_is_stored_relative(make_take, tmp_path):
    times = [index / 25 for index in range(30)]
    movie = write_movie(tmp_path / "walk.mp4", times, 25)
    take = make_take(Clip(source=str(movie), times=tuple(times[10:16]), size=SIZE))
    (tmp_path / "out").mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "out" / "a.blend"))
    footage = build_scene(take, OWN).footage
    assert footage.image.source == "MOVIE" and footage.image.filepath == "//../walk.mp4"
    assert tuple(footage.image.size) == SIZE and footage.image_user.use_auto_refresh
    for frame in range(6):
        go_to(1 + frame)
        assert movie_frame(footage) == 10 + frame


def test_a_video_stays_in_time_in_a_scene_of_another_rate(make_take, tmp_path):
    times = [index / 25 for index in range(30)]
    take = make_take(Clip(source=str(write_movie(tmp_path / "walk.mp4", times, 25)), times=tuple(times), size=SIZE))
    bpy.context.scene.render.fps = 60
    objects = build_scene(take, BuildOptions(start=50, hypotheses=0))
    for scene_frame in range(50, 50 + int(29 / 25 * 60)):
        go_to(scene_frame)
        footage = objects.camera.evaluated_get(bpy.context.evaluated_depsgraph_get()).data.background_images[0]
        assert movie_frame(footage) == int((scene_frame - 50) / 60 * 25 + 0.03)


@pytest.mark.parametrize("turn", [180, 270])
def test_a_turned_video_is_upright_in_every_blender(make_take, tmp_path, turn):
    movie = write_movie(tmp_path / "phone.mp4", [0.0, 0.04, 0.08], 25, turn)
    size = SIZE[::-1] if turn == 270 else SIZE
    take = make_take(Clip(source=str(movie), times=(0.0, 0.04, 0.08), size=size, rotation=turn))
    footage = build_scene(take, OWN).footage
    expected = 0.0 if bpy.app.version >= (4, 4, 0) else -np.radians(turn)
    assert np.isclose(footage.rotation, expected)
    assert np.isclose(footage.scale, 64 / 48 if expected and turn == 270 else 1.0)
