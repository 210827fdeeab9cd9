"""Photos: upright pixels and the focal length their EXIF tells."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps, UnidentifiedImageError

from .frames import Image, check_size, not_footage, not_found, too_large

FULL_FRAME_DIAGONAL_MM = math.hypot(36.0, 24.0)
MM_PER_UNIT = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}
EXIF_IFD = 0x8769
FOCAL_LENGTH, FOCAL_LENGTH_35MM = 0x920A, 0xA405
PLANE_X_RESOLUTION, PLANE_UNIT = 0xA20E, 0xA210
PIXEL_WIDTH, PIXEL_HEIGHT = 0xA002, 0xA003


@dataclass(frozen=True, eq=False)
class Photo:
    """image_rgb (H,W,3) uint8, upright; focal_px: pixels of that image, None where the file does not tell."""

    image_rgb: Image
    focal_px: float | None


def read_photo(path: Path) -> Photo:
    """Read an image, turn it upright by its EXIF orientation, lay transparency over white.

    Errors: ``input.not_found``, ``input.unreadable``, ``input.empty``, ``input.too_large``.
    """
    path = Path(path)
    if not path.is_file():
        raise not_found(path)
    try:
        with Pillow.open(path) as picture:
            check_size(path, *picture.size)
            focal = focal_from_exif(_exif_values(picture), *picture.size)
            upright = ImageOps.exif_transpose(picture)
            return Photo(_rgb(upright if upright is not None else picture), focal)
    except Pillow.DecompressionBombError as error:
        raise too_large(path, 0, 0) from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise not_footage(path, repr(error)) from error


def photo_size(path: Path) -> tuple[int, int]:
    """(width, height) of the upright image without decoding its pixels. Errors as ``read_photo``."""
    path = Path(path)
    if not path.is_file():
        raise not_found(path)
    try:
        with Pillow.open(path) as picture:
            check_size(path, *picture.size)
            width, height = picture.size
            return (height, width) if picture.getexif().get(0x0112, 1) in (5, 6, 7, 8) else (width, height)
    except Pillow.DecompressionBombError as error:
        raise too_large(path, 0, 0) from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise not_footage(path, repr(error)) from error


def focal_from_exif(values: dict[int, Any], width: int, height: int) -> float | None:
    """EXIF values of a picture of width x height stored pixels -> focal length in pixels, or None.

    FocalLengthIn35mmFilm is tied to the diagonal (CIPA DCG-001), which also holds for 4:3 sensors. A picture whose
    sides no longer have the ratio EXIF names was cropped, and then no figure in it can be trusted.
    """
    stored_width, stored_height = _number(values.get(PIXEL_WIDTH)), _number(values.get(PIXEL_HEIGHT))
    if stored_width and stored_height:
        ratio = max(stored_width, stored_height) / min(stored_width, stored_height)
        if abs(ratio / (max(width, height) / min(width, height)) - 1) > 0.02:
            return None
    equivalent = _number(values.get(FOCAL_LENGTH_35MM))
    if equivalent:
        return equivalent / FULL_FRAME_DIAGONAL_MM * math.hypot(width, height)
    focal_mm, resolution = _number(values.get(FOCAL_LENGTH)), _number(values.get(PLANE_X_RESOLUTION))
    unit_mm = MM_PER_UNIT.get(int(_number(values.get(PLANE_UNIT)) or 2))
    if focal_mm and resolution and unit_mm:
        scale = max(width, height) / max(stored_width, stored_height) if stored_width and stored_height else 1.0
        pixels = focal_mm * resolution / unit_mm * scale
        # Some cameras write the print resolution here; no lens sees less than 6 or more than 170 degrees.
        return pixels if 0.05 < pixels / max(width, height) < 10 else None
    return None


def _exif_values(picture: Pillow.Image) -> dict[int, Any]:
    try:
        return dict(picture.getexif().get_ifd(EXIF_IFD))
    except (OSError, ValueError, SyntaxError, KeyError, TypeError):
        return {}  # damaged EXIF is common in edited photos and costs only the focal length


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if math.isfinite(number) and number > 0 else None


def _rgb(picture: Pillow.Image) -> Image:
    if picture.mode.startswith("I") or picture.mode == "F":
        values = np.asarray(picture, np.float64)
        top = 65535.0 if values.max(initial=0) > 255 else 255.0
        grey = np.clip(values * (255.0 / top), 0, 255).astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        white = Pillow.new("RGBA", layer.size, (255, 255, 255, 255))
        picture = Pillow.alpha_composite(white, layer)
    return np.array(picture.convert("RGB"), np.uint8)
