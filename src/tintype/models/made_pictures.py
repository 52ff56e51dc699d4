"""Pictures to compare engines with, where nobody gave any: the same ones on every machine."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

COUNT = 16
_SIZES = ((900, 1200), (600, 800), (375, 500), (1000, 750), (333, 500), (480, 640), (256, 256), (1080, 1440))
_FALL = 1.0  # of amplitude with frequency, as in photos
_SHAPES = 5


def made_pictures(count: int = COUNT) -> list[bytes]:
    """JPEG files of several sizes and shapes: clouds whose detail falls off as in photos, with edges and fine lines."""
    return [_encoded(_picture(number)) for number in range(count)]


def _picture(number: int) -> NDArray[np.uint8]:
    random = np.random.default_rng(number)
    height, width = _SIZES[number % len(_SIZES)]
    mix = np.eye(3) + random.normal(0, 0.6, (3, 3))  # channels of photos go together
    made = 128 + 45 * np.stack([_clouds(random, height, width) for _ in range(3)], axis=-1) @ mix
    for _ in range(_SHAPES):
        top, left = random.integers(height), random.integers(width)
        box = np.s_[top : top + random.integers(height // 8, height // 2), left : left + random.integers(width // 3)]
        made[box] = made[box] * 0.35 + random.integers(0, 256, 3) * 0.65
    top, left = random.integers(height // 2), random.integers(width // 2)
    step = 1 + height // 150
    letters = random.random((height // (2 * step), width // (2 * step), 1)) < 0.5  # as small as print in a scan
    print_ = letters.repeat(step, axis=0).repeat(step, axis=1)
    area = made[top : top + print_.shape[0], left : left + print_.shape[1]]
    area[:] = np.where(print_[: area.shape[0], : area.shape[1]], area * 0.2, area * 0.2 + 190)
    return np.clip(made, 0, 255).astype(np.uint8)


def _clouds(random: np.random.Generator, height: int, width: int) -> NDArray[np.float64]:
    """Noise of mean 0 and deviation 1."""
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :])
    frequency[0, 0] = 1
    waves = np.fft.rfft2(random.normal(size=(height, width))) / frequency**_FALL
    waves[0, 0] = 0
    made = np.fft.irfft2(waves, (height, width))
    scaled: NDArray[np.float64] = made / made.std()
    return scaled


def _encoded(rgb: NDArray[np.uint8]) -> bytes:
    target = io.BytesIO()
    Image.fromarray(rgb).save(target, "JPEG", quality=90)
    return target.getvalue()
