"""Takes into .npz and back over their footage, through real files."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import av
import numpy as np
import pytest
from hmdiff.video.export_npz import export_npz
from hmdiff.video.overlay import overlay_image, write_overlay
from hmdiff.video.render import mesh_mask
from hmdiff.video.source import open_source
from hmdiff_wire.errors import HmdiffError
from hmdiff_wire.take import TakeWriter, read_take
from PIL import Image
from take_maker import V, body_person, header, person

VARIABLE = [0.0, 0.04, 0.05, 0.2, 0.233, 0.5]


@pytest.fixture
def take(tmp_path, small_body):
    writer = TakeWriter.create(tmp_path / "take", header(4), small_body, chunk_frames=30)
    for frame in range(150):
        people = [person(frame, track, n=4) for track in (2, 7) if track == 2 or 20 <= frame < 100]
        writer.write_frame(frame, frame / 25, 300.0 + frame, people)
    writer.finish()
    return read_take(tmp_path / "take")


@pytest.fixture
def body_take(tmp_path, free_body, make_clip):
    """Two upright people over a clip of odd size with uneven times; in the last frame one of them is held."""
    clip = make_clip(tmp_path / "clip.mp4", VARIABLE, size=(321, 241))
    writer = TakeWriter.create(
        tmp_path / "body take", header(0, source_path=str(clip), width=321, height=241, focal=260.0), free_body
    )
    for frame, time in enumerate(VARIABLE):
        people = [body_person(free_body, frame, 0, (-0.6, 0.1, 4.0), 0.1 * frame)]
        people.append(body_person(free_body, frame, 1, (0.6, 0.1, 4.0), status="held" if frame == 5 else "ok"))
        writer.write_frame(frame, time, 260.0, people if frame != 2 else [])
    writer.finish()
    return read_take(tmp_path / "body take"), clip


def expected_shapes(p: int, f: int, n: int) -> dict[str, tuple[int, ...]]:
    return {
        "track_ids": (p,), "times": (f,), "valid": (p, f), "faces": (30, 3), "joints": (p, f, 24, 3),
        "joints_2d": (p, f, 24, 2),
        "global_orient": (p, f, 3), "body_pose": (p, f, 69), "betas": (p, 10), "transl": (p, f, 3),
        "hypotheses_joints": (p, f, n, 24, 3), "hypotheses_pose": (p, f, n, 72), "vertex_std": (p, f, V), "focal": (f,),
        "boxes": (p, f, 4),
    }  # fmt: skip


def test_npz_has_exactly_the_public_names_shapes_and_values(take, tmp_path):
    export_npz(take, tmp_path / "aus gabe.npz")
    with np.load(tmp_path / "aus gabe.npz", allow_pickle=False) as stored:
        data = {name: stored[name] for name in stored.files}
    assert {name: array.shape for name, array in data.items()} == expected_shapes(2, 150, 4)
    kinds = {name: array.dtype for name, array in data.items() if array.dtype != np.float32}
    assert kinds == {"track_ids": np.int32, "faces": np.int32, "valid": np.bool_}
    assert data["track_ids"].tolist() == [2, 7] and data["valid"].sum() == 150 + 80
    np.testing.assert_allclose(data["times"], np.arange(150) / 25, atol=1e-6)
    told = person(77, 7, n=4)
    np.testing.assert_array_equal(data["joints"][1, 77], np.float32(told.joints))
    np.testing.assert_array_equal(data["hypotheses_pose"][1, 77], np.float32(told.hypotheses_pose))
    np.testing.assert_array_equal(data["body_pose"][1, 77], np.float32(told.pose[3:]))
    np.testing.assert_array_equal(data["boxes"][1, 77], np.float32(told.box))
    np.testing.assert_array_equal(data["vertex_std"][1, 77], np.float16(told.vertex_std))
    assert np.isnan(data["transl"][~data["valid"]]).all() and np.isfinite(data["transl"][data["valid"]]).all()
    assert not list(tmp_path.glob(".*"))


def test_npz_with_vertices_holds_the_skinned_body(take, tmp_path):
    export_npz(take, tmp_path / "a.npz", with_vertices=True)
    with np.load(tmp_path / "a.npz") as stored:
        assert stored["vertices"].shape == (2, 150, V, 3)
        np.testing.assert_array_equal(stored["vertices"][1, 20:30], take.decode(1, slice(20, 30)))
        assert np.isnan(stored["vertices"][1, 5]).all()


def test_npz_of_nobody_and_without_hypotheses(tmp_path, small_body):
    writer = TakeWriter.create(tmp_path / "t", header(0), small_body)
    writer.write_frame(0, 0.0, 300.0, [])
    writer.finish()
    export_npz(read_take(tmp_path / "t"), tmp_path / "a.npz", with_vertices=True)
    with np.load(tmp_path / "a.npz") as stored:
        assert {name: stored[name].shape for name in stored.files} == expected_shapes(0, 1, 0) | {
            "vertices": (0, 1, V, 3)
        }


def test_npz_is_written_in_slices(tmp_path, small_body):
    peaks = []
    for count in (96, 384):
        writer = TakeWriter.create(tmp_path / str(count), header(4), small_body)
        for frame in range(count):
            writer.write_frame(frame, frame / 25, 300.0, [person(frame, 0, n=4)])
        writer.finish()
        take = read_take(tmp_path / str(count))
        _ = take.body, take.betas
        tracemalloc.start()
        export_npz(take, tmp_path / f"{count}.npz", with_vertices=True)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < (tmp_path / "384.npz").stat().st_size / 8


def test_npz_into_a_folder_that_cannot_be(take, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(HmdiffError) as error:
        export_npz(take, tmp_path / "file" / "a.npz")
    assert error.value.kind == "output.not_writable"


def read_video(path: Path) -> tuple[list[float], list[np.ndarray]]:
    with av.open(str(path)) as container:
        assert container.streams.video[0].codec_context.name == "h264"
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"
        frames = [
            (float(frame.pts * frame.time_base), frame.to_ndarray(format="rgb24"))
            for frame in container.decode(video=0)
        ]
    return [time for time, _ in frames], [image for _, image in frames]


def test_overlay_keeps_times_and_paints_the_bodies_where_they_are(body_take, tmp_path):
    take, clip = body_take
    calls = []
    assert (
        write_overlay(take, clip, tmp_path / "out" / "ein film.mp4", lambda done, total: calls.append((done, total)))
        == 6
    )
    times, images = read_video(tmp_path / "out" / "ein film.mp4")
    np.testing.assert_allclose(times, VARIABLE, atol=2e-5)
    assert calls == [(done, 6) for done in range(1, 7)] and images[0].shape == (242, 322, 3)
    plain = [frame.image_rgb for frame in open_source(clip)]
    changed = np.abs(images[1][:241, :321].astype(int) - plain[1]).max(-1) > 25
    mask = np.zeros((241, 321), bool)
    for place in range(2):
        mask |= mesh_mask(take.decode(place, 1)[0], take.body.faces, 260.0, take.center, (321, 241))
    # The legend lies in the top left corner.
    changed[:80, :110] = mask[:80, :110] = False
    assert (changed & mask).sum() / (changed | mask).sum() > 0.85
    nobody = np.abs(images[2][:241, :321].astype(int) - plain[2]).max(-1) > 25
    assert nobody[80:].mean() < 0.01
    held, sure = (
        mesh_mask(take.decode(place, 5)[0], take.body.faces, 260.0, take.center, (321, 241))
        for place in (1, 0)
    )  # fmt: skip
    dark = np.abs(images[5][:241, :321].astype(int) - plain[5]).mean(-1)
    assert dark[held][dark[held] > 0].mean() < dark[sure].mean()


def test_overlay_of_a_part_of_the_clip(tmp_path, free_body, make_clip):
    clip = make_clip(tmp_path / "clip.mp4", VARIABLE, size=(320, 240))
    writer = TakeWriter.create(tmp_path / "t", header(0, focal=260.0), free_body)
    for frame in (2, 3, 5):
        writer.write_frame(frame, VARIABLE[frame], 260.0, [body_person(free_body, frame, 0, (0, 0.1, 4))])
    writer.finish()
    assert write_overlay(read_take(tmp_path / "t"), clip, tmp_path / "o.mp4") == 3
    np.testing.assert_allclose(read_video(tmp_path / "o.mp4")[0], [0, 0.15, 0.45], atol=2e-5)


def test_overlay_over_the_wrong_clip_leaves_no_file(tmp_path, free_body, make_clip):
    writer = TakeWriter.create(tmp_path / "t", header(0), free_body)
    writer.write_frame(90, 3.0, 260.0, [])
    writer.finish()
    with pytest.raises(HmdiffError) as error:
        write_overlay(read_take(tmp_path / "t"), make_clip(tmp_path / "c.mp4", VARIABLE), tmp_path / "o.mp4")
    assert error.value.kind == "overlay.no_frames" and sorted(p.suffix for p in tmp_path.glob("*.*")) == [".mp4"]


def test_overlay_image_of_a_turned_photo(tmp_path, free_body):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.full((320, 240, 3), 70, np.uint8)).save(tmp_path / "p.jpg", exif=exif)
    writer = TakeWriter.create(tmp_path / "t", header(0, source_kind="image"), free_body)
    writer.write_frame(0, 0.0, 260.0, [body_person(free_body, 0, 0, (0, 0.1, 4))])
    writer.finish()
    overlay_image(read_take(tmp_path / "t"), tmp_path / "p.jpg", tmp_path / "o.png")
    with Image.open(tmp_path / "o.png") as out:
        image = np.asarray(out).astype(int)
    assert (
        image.shape == (240, 320, 3)
        and np.abs(image[150, 160] - 70).max() > 20
        and np.abs(image[-1, -1] - 70).max() < 3
    )
