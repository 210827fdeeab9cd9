"""Photos: orientation, odd pixel formats, the focal length their EXIF tells."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hmdiff.video.photo import focal_from_exif, photo_size, read_photo
from hmdiff.video.source import open_source
from hmdiff_wire.errors import HmdiffError
from PIL import Image, ImageOps

TOP_LEFT = (250, 20, 20)


def upright(width: int = 48, height: int = 32) -> np.ndarray:
    image = np.full((height, width, 3), 30, np.uint8)
    image[: height // 2, : width // 2] = TOP_LEFT
    image[height // 2 :, : width // 2] = (20, 20, 250)
    return image


def save(path, image: Image.Image, exif: dict[int, object] | None = None, orientation: int = 1):
    data = Image.Exif()
    data[0x0112] = orientation
    for key, value in (exif or {}).items():
        data.get_ifd(0x8769)[key] = value
    image.save(path, exif=data, quality=95)
    return path


@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_eight_orientations_come_upright(tmp_path, orientation):
    # What the camera stored, so that showing it by ``orientation`` gives the upright picture again.
    undo = {
        1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]  # fmt: skip
    stored = Image.fromarray(upright())
    path = save(
        tmp_path / "ein Bild ö.jpg", stored if undo is None else stored.transpose(undo), orientation=orientation
    )
    image = read_photo(path).image_rgb
    assert image.shape == (32, 48, 3) and photo_size(path) == (48, 32)
    assert np.abs(image.astype(int) - upright()).mean() < 8
    source = open_source(path)
    frames = list(source)
    assert (source.info.kind, source.info.width, source.info.height, len(frames)) == ("image", 48, 32, 1)
    assert (frames[0].index, frames[0].time) == (0, 0.0)


def test_focal_length_by_35mm_equivalent(tmp_path):
    path = save(tmp_path / "a.jpg", Image.fromarray(upright(400, 300)), {0xA405: 26})
    assert read_photo(path).focal_px == pytest.approx(26 / math.hypot(36, 24) * 500)
    turned = save(tmp_path / "b.jpg", Image.fromarray(upright(400, 300)), {0xA405: 26}, orientation=6)
    assert read_photo(turned).focal_px == pytest.approx(26 / math.hypot(36, 24) * 500)
    assert open_source(turned).info.focal_px == read_photo(turned).focal_px


def test_focal_length_by_sensor_resolution_of_a_resized_photo():
    # A 36 mm wide sensor of 6000 pixels with a 50 mm lens: 8333 px, and a twelfth of it after scaling down.
    exif = {0x920A: 50.0, 0xA20E: 6000 / 3.6, 0xA210: 3, 0xA002: 6000, 0xA003: 4000}
    assert focal_from_exif(exif, 6000, 4000) == pytest.approx(50 / 36 * 6000)
    assert focal_from_exif(exif, 500, 333) == pytest.approx(50 / 36 * 500)


@pytest.mark.parametrize(
    "exif",
    [
        {},
        {0xA405: 0},
        {0xA405: "n/a"},
        {0x920A: 50.0},
        {0x920A: 50.0, 0xA20E: 72.0, 0xA210: 2},
        {0xA405: 26, 0xA002: 4000, 0xA003: 1500},
    ],
)
def test_no_focal_length_rather_than_a_wrong_one(exif):
    assert focal_from_exif(exif, 4000, 3000) is None


def test_odd_pixel_formats_become_rgb(tmp_path):
    grey = np.tile(np.linspace(0, 1, 32), (16, 1))
    Image.fromarray((grey * 65535).astype(np.uint16)).save(tmp_path / "deep.png")
    np.testing.assert_allclose(read_photo(tmp_path / "deep.png").image_rgb[0, :, 1], grey[0] * 255, atol=1.5)
    clear = np.zeros((16, 16, 4), np.uint8)
    clear[:8] = (10, 200, 10, 255)
    Image.fromarray(clear).save(tmp_path / "clear.png")
    image = read_photo(tmp_path / "clear.png").image_rgb
    assert image[0, 0].tolist() == [10, 200, 10] and image[15, 0].tolist() == [255, 255, 255]
    for mode in ("L", "P", "CMYK", "1", "LA"):
        path = tmp_path / f"{mode}.tif" if mode == "CMYK" else tmp_path / f"{mode}.png"
        ImageOps.grayscale(Image.fromarray(upright())).convert(mode).save(path)
        assert read_photo(path).image_rgb.shape == (32, 48, 3)


def test_damaged_photos(tmp_path):
    path = save(tmp_path / "a.jpg", Image.fromarray(np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)))
    (tmp_path / "half.jpg").write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    (tmp_path / "zero.png").write_bytes(b"")
    for name in ("half.jpg", "zero.png"):
        with pytest.raises(HmdiffError) as error:
            read_photo(tmp_path / name)
        assert error.value.kind == "input.unreadable"
