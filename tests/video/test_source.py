"""Real clips made here: time stamps, rotation, sizes, damage; image sequences."""

from __future__ import annotations

import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from hmdiff.video.source import open_source, parse_range
from hmdiff_wire.errors import HmdiffError
from PIL import Image

VARIABLE = [0.0, 0.04, 0.05, 0.2, 0.233, 0.5, 0.51, 1.2]


def count_of(image: np.ndarray) -> int:
    return round((float(image[-3:, -3:].mean()) - 20) / 8)


def kind_of(act) -> str:
    with pytest.raises(HmdiffError) as error:
        act()
    assert error.value.message and error.value.fix
    return error.value.kind


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov"])
def test_variable_frame_rate_keeps_every_time_stamp(tmp_path, make_clip, suffix):
    path = make_clip(tmp_path / f"ein Clip Ä%d:x.{suffix}", VARIABLE, offset=0.7)
    source = open_source(path)
    frames = list(source)
    assert [frame.index for frame in frames] == list(range(8))
    # Matroska counts milliseconds.
    np.testing.assert_allclose([frame.time for frame in frames], VARIABLE, atol=1e-3 if suffix == "mkv" else 2e-5)
    assert [count_of(frame.image_rgb) for frame in frames] == list(range(8))
    assert frames[0].image_rgb.dtype == np.uint8 and frames[0].image_rgb.shape == (48, 64, 3)
    assert source.info.kind == "video" and not source.notes
    assert [frame.time for frame in source] == [frame.time for frame in frames]


# Where the red quarter lands when the player turns the picture counter-clockwise by so much: (row, column) halves.
@pytest.mark.parametrize(("rotation", "corner"), [(90, (1, 0)), (180, (1, 1)), (-90, (0, 1)), (270, (0, 1))])
def test_rotation_metadata_turns_the_picture_upright(tmp_path, make_clip, rotation, corner):
    source = open_source(make_clip(tmp_path / "a.mp4", [0, 0.1], size=(64, 32), rotation=rotation))
    image = next(iter(source)).image_rgb
    quarter = rotation % 180 != 0
    assert image.shape[:2] == ((64, 32) if quarter else (32, 64))
    assert (source.info.height, source.info.width) == image.shape[:2] and source.info.rotation == rotation % 360
    height, width = image.shape[:2]
    # A point well inside the quarter, clear of the counting stripe at the stored picture's bottom.
    red = {(r, c): image[height * (1 + 2 * r) // 4, width * (1 + 2 * c) // 4, 0] > 150 for r in (0, 1) for c in (0, 1)}
    assert [place for place, is_red in red.items() if is_red] == [corner]


def test_odd_sizes_and_wide_pixels(tmp_path, make_clip):
    odd = open_source(make_clip(tmp_path / "odd.mp4", [0, 0.1], size=(65, 47)))
    assert next(iter(odd)).image_rgb.shape == (47, 65, 3)
    wide = open_source(make_clip(tmp_path / "wide.mp4", [0, 0.1], size=(48, 48), aspect=Fraction(4, 3)))
    assert (wide.info.width, wide.info.height) == (64, 48) and next(iter(wide)).image_rgb.shape == (48, 64, 3)


def test_a_range_has_the_clips_own_indices_and_times(tmp_path, make_clip):
    path = make_clip(tmp_path / "a.mp4", VARIABLE)
    part = open_source(path, (2, 5))
    assert part.n_frames == 3
    assert [(frame.index, round(frame.time, 3)) for frame in part] == [(2, 0.05), (3, 0.2), (4, 0.233)]
    assert [frame.index for frame in part.starting_at(4)] == [4]
    assert [frame.index for frame in part.starting_at(0)] == [2, 3, 4]
    assert [frame.index for frame in open_source(path, (6, None))] == [6, 7]
    assert list(open_source(path, (50, 60))) == []
    assert parse_range("3:9") == (3, 9) and parse_range(":4") == (0, 4) and parse_range("2:") == (2, None)
    for text in ("5", "a:b", "4:4", "-1:3", "1:2:3"):
        assert kind_of(lambda text=text: parse_range(text)) == "input.range"
    assert kind_of(lambda: open_source(path, (3, 3))) == "input.range"


def test_focal_length_in_quicktime_metadata(tmp_path, make_clip):
    key = "com.apple.quicktime.camera.focal_length.35mm_equivalent"
    options = {"movflags": "use_metadata_tags"}
    path = make_clip(tmp_path / "a.mov", [0, 0.1], size=(640, 480), metadata={key: "26"}, options=options)
    assert open_source(path).info.focal_px == pytest.approx(26 / 43.2666 * 800, rel=1e-4)
    assert open_source(make_clip(tmp_path / "b.mov", [0, 0.1])).info.focal_px is None


def test_what_is_no_footage_is_said_in_one_sentence(tmp_path, make_clip):
    clip = make_clip(tmp_path / "a.mp4", [k / 30 for k in range(20)])
    (tmp_path / "text.mp4").write_text("this is not a video " * 50)
    (tmp_path / "text.jpg").write_text("this is not a photo")
    (tmp_path / "zero.mp4").write_bytes(b"")
    (tmp_path / "no_index.mp4").write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    (tmp_path / "folder").mkdir()
    assert kind_of(lambda: open_source(tmp_path / "none.mp4")) == "input.not_found"
    assert kind_of(lambda: open_source(tmp_path / "none.jpg")) == "input.not_found"
    assert kind_of(lambda: open_source(tmp_path / "text.mp4")) == "input.unreadable"
    assert kind_of(lambda: open_source(tmp_path / "text.jpg")) == "input.unreadable"
    assert kind_of(lambda: open_source(tmp_path / "zero.mp4")) == "input.empty"
    assert kind_of(lambda: open_source(tmp_path / "no_index.mp4")) == "input.unreadable"
    assert kind_of(lambda: open_source(tmp_path / "folder")) == "input.empty"
    assert kind_of(lambda: open_source(tmp_path / "nowhere" / "a_%04d.png")) == "input.not_found"


def test_a_file_with_sound_only(tmp_path):
    import av

    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert kind_of(lambda: open_source(tmp_path / "sound.mp4")) == "input.unreadable"


def test_a_truncated_clip_gives_its_frames_and_a_note(tmp_path, make_clip):
    times = [k / 30 for k in range(60)]
    whole = make_clip(tmp_path / "a.mp4", times, size=(320, 240), gop=5, options={"movflags": "+faststart"})
    half = tmp_path / "half.mp4"
    half.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    source = open_source(half)
    frames = list(source)
    assert 5 < len(frames) < 60 and source.notes
    assert all(later.time > earlier.time for earlier, later in zip(frames[:-1], frames[1:], strict=True))


def test_damage_in_the_middle_is_skipped(tmp_path, make_clip):
    path = make_clip(
        tmp_path / "a.mp4", [k / 30 for k in range(60)], size=(320, 240), gop=5, options={"movflags": "+faststart"}
    )
    data = bytearray(path.read_bytes())
    middle = len(data) * 6 // 10
    data[middle : middle + 1500] = np.random.default_rng(0).bytes(1500)
    path.write_bytes(bytes(data))
    frames = list(open_source(path))
    assert len(frames) > 30
    assert all(later.time > earlier.time for earlier, later in zip(frames[:-1], frames[1:], strict=True))


def test_memory_does_not_grow_with_the_clip(tmp_path, make_clip):
    peaks = []
    for count in (20, 160):
        path = make_clip(tmp_path / f"{count}.mp4", [k / 30 for k in range(count)], size=(320, 240))
        tracemalloc.start()
        assert sum(1 for _ in open_source(path)) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 320 * 240 * 3 * 4


def test_image_sequences_in_counting_order(tmp_path):
    for index in (0, 1, 2, 9, 10, 11, 100):
        Image.fromarray(np.full((20, 30, 3), index, np.uint8)).save(tmp_path / f"bild {index}.png")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / ".hidden.png").write_text("x")
    for path in (tmp_path, tmp_path / "bild %d.png", tmp_path / "bild ###.png", tmp_path / "*.png"):
        source = open_source(path, fps=25.0)
        frames = list(source)
        shown = [frame.image_rgb[0, 0, 0] for frame in frames if frame.image_rgb[0, 0, 0] or frame.index == 0]
        assert shown == [0, 1, 2, 9, 10, 11, 100]
        assert frames[3].time == pytest.approx(3 / 25) and source.info.kind == "sequence" and source.n_frames == 7
    assert [frame.index for frame in open_source(tmp_path, (2, 4))] == [2, 3]
    assert kind_of(lambda: open_source(tmp_path, (7, None))) == "input.range"
    assert kind_of(lambda: open_source(tmp_path, fps=0.0)) == "input.fps"
    Image.fromarray(np.zeros((10, 30, 3), np.uint8)).save(tmp_path / "bild 101.png")
    assert kind_of(lambda: list(open_source(tmp_path))) == "input.unreadable"


def test_every_sample_opens_and_tells_its_length(sample_videos):
    for path in sample_videos:
        source = open_source(path, (0, 6))
        frames = list(source)
        assert len(frames) == 6 and frames[5].time == pytest.approx(5 / source.info.fps, rel=0.02), path.name
        assert source.info.n_frames and source.info.n_frames >= 100
