"""From a clean picture to a photograph: defocus, white balance, contrast, vignette, noise, JPEG."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[Any]


@dataclass(frozen=True)
class Film:
    """blur: px; balance (3,); contrast, brightness; vignette 0..1; noise: standard deviation in grey values and how
    coarse its grain is; quality: of the JPEG."""

    blur: float
    balance: tuple[float, float, float]
    contrast: float
    brightness: float
    vignette: float
    noise: float
    grain: int
    quality: int


def draw_film(rng: np.random.Generator) -> Film:
    blurs = [rng.uniform(0.35, 0.55), rng.uniform(0.5, 1.0), rng.uniform(1.0, 2.5)]
    blur = float(rng.choice(blurs, p=[0.55, 0.35, 0.10]))
    red, green, blue = np.exp(rng.normal(0, 0.06, 3))
    noise = float(rng.choice([rng.uniform(0, 3), rng.uniform(3, 8), rng.uniform(8, 20)], p=[0.6, 0.3, 0.1]))
    return Film(
        blur, (float(red), float(green), float(blue)), float(np.exp(rng.normal(0, 0.12))), float(rng.normal(0, 8)),
        float(rng.choice([0.0, rng.uniform(0, 0.4)])), noise, int(rng.integers(1, 3)), int(rng.integers(35, 97)),
    )  # fmt: skip


def develop(picture: Picture, film: Film, seed: int) -> Picture:
    """(h,w,3) -> (h,w,3); the noise comes from seed."""
    height, width = picture.shape[:2]
    # a lens is never sharper than this, and what stands still is drawn without smooth edges
    picture = cv2.GaussianBlur(picture, (0, 0), film.blur)
    level = np.arange(256, dtype=np.float32)
    curves = [(level * gain - 128) * film.contrast + 128 + film.brightness for gain in film.balance]
    table = np.stack(curves, -1).clip(0, 255).astype(np.uint8)[None]
    picture = cv2.LUT(picture, table)
    if film.noise or film.vignette:
        noise = np.empty((height // film.grain + 1, width // film.grain + 1, 3), np.int16)
        cv2.setRNGSeed(seed)
        cv2.randn(noise, np.zeros(3), np.full(3, film.noise))
        if film.grain > 1:
            noise = cv2.resize(noise, (width, height), interpolation=cv2.INTER_LINEAR)
        noisy = picture.astype(np.int16) + noise[:height, :width]
        if film.vignette:
            y, x = np.linspace(-1, 1, height, dtype=np.float32), np.linspace(-1, 1, width, dtype=np.float32)
            shade = 1 - film.vignette * 0.5 * (y[:, None] ** 2 + x[None] ** 2)
            noisy = noisy * shade[..., None]
        picture = noisy.clip(0, 255).astype(np.uint8)
    return picture


def to_jpeg(picture: Picture, quality: int) -> bytes:
    """RGB (h,w,3) -> the file's bytes."""
    return cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def from_jpeg(data: bytes) -> Picture:
    return np.ascontiguousarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1])
