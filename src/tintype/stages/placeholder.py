"""ThumbHash: an image in some 25 bytes, as a few cosine waves of lightness and color, and back to pixels.

The format is Evan Wallace's ThumbHash (2023), for opaque images: five bytes of sizes, mean and scales, then the
coefficients of the waves in half a byte each.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

_MOST_WAVES = 7  # of lightness, along the longer side
_COLOR_WAVES = 3
_DECODED_SIDE_PX = 32
_VIVID = 1.25  # the decoder's factor on color waves, against their paling by quantization


def placeholders(rgb: NDArray[np.uint8], sizes: NDArray[np.int64]) -> list[bytes]:
    """ThumbHashes of squeezed images (n, side, side, 3), whose full sizes are (n, 2), width before height."""
    red, green, blue = np.moveaxis(rgb.astype(np.float64), -1, 0)  # whole numbers
    lightness = _coefficients(red + green + blue, _MOST_WAVES) / 765
    yellow = _coefficients(red + green - 2 * blue, _COLOR_WAVES) / 510
    warm = _coefficients(red - green, _COLOR_WAVES) / 255
    return [_encoded(lightness[i], yellow[i], warm[i], *map(int, size)) for i, size in enumerate(sizes)]


def placeholder_to_rgb(placeholder: bytes) -> NDArray[np.uint8]:
    """The blurred image: (h, w, 3) uint8 sRGB, 32 px on the longer side. ValueError where it is no such ThumbHash."""
    if len(placeholder) < 5:
        raise ValueError(f"a ThumbHash has 5 bytes or more, this has {len(placeholder)}")
    first, second = int.from_bytes(placeholder[:3], "little"), int.from_bytes(placeholder[3:5], "little")
    if first >> 23:
        raise ValueError("ThumbHashes with an alpha channel are not read")
    shorter, landscape = second & 7, bool(second >> 15)
    across, down = (_MOST_WAVES, shorter) if landscape else (shorter, _MOST_WAVES)
    width, height = (_half_up(_DECODED_SIDE_PX * max(waves, 1) / _MOST_WAVES) for waves in (across, down))
    nibbles = iter([part for byte in placeholder[5:] for part in (byte & 15, byte >> 4)])
    try:
        lightness = _decoded((first & 63) / 63, (first >> 18 & 31) / 31, (max(3, across), max(3, down)), nibbles)
        yellow = _decoded((first >> 6 & 63) / 31.5 - 1, (second >> 3 & 63) / 63 * _VIVID, (3, 3), nibbles)
        warm = _decoded((first >> 12 & 63) / 31.5 - 1, (second >> 9 & 63) / 63 * _VIVID, (3, 3), nibbles)
    except StopIteration:
        raise ValueError("the ThumbHash is cut off") from None
    planes = [_cosines(height, 7).T @ plane @ _cosines(width, 7) for plane in (lightness, yellow, warm)]
    return _to_rgb(*planes)


def _half_up(value: float) -> int:
    return math.floor(value + 0.5)


def _cosines(length: int, waves: int) -> NDArray[np.float64]:
    """Cosines of 0, 1, … half waves over `length` places: (waves, length)."""
    return np.cos(np.pi / length * np.outer(np.arange(waves), np.arange(length) + 0.5))


def _coefficients(plane: NDArray[np.float64], waves: int) -> NDArray[np.float64]:
    """Mean product of each plane with each wave: (n, side, side) → (n, waves down, waves across)."""
    cosines = _cosines(plane.shape[1], waves)
    means: NDArray[np.float64] = cosines @ plane @ cosines.T / plane.shape[1] ** 2
    return means


def _order(across: int, down: int) -> Iterator[tuple[int, int]]:
    """The waves that are kept, (down, across), in the order of the format: a triangle without the constant one."""
    for y in range(down):
        for x in range(across):
            if (x or y) and x * down < across * (down - y):
                yield y, x


def _encoded(
    lightness: NDArray[np.float64], yellow: NDArray[np.float64], warm: NDArray[np.float64], width: int, height: int
) -> bytes:
    """One ThumbHash, of the coefficients of (r + g + b) / 3, (r + g) / 2 - b and r - g, in units of full scale."""
    across, down = (max(1, _half_up(_MOST_WAVES * side / max(width, height))) for side in (width, height))
    landscape = width > height
    lights, light_scale = _waves(lightness, max(3, across), max(3, down))
    yellows, yellow_scale = _waves(yellow, _COLOR_WAVES, _COLOR_WAVES)
    warms, warm_scale = _waves(warm, _COLOR_WAVES, _COLOR_WAVES)
    first = (
        _half_up(63 * lightness[0, 0])
        | _half_up(31.5 + 31.5 * yellow[0, 0]) << 6
        | _half_up(31.5 + 31.5 * warm[0, 0]) << 12
        | _half_up(31 * light_scale) << 18
    )
    second = (
        (down if landscape else across)
        | _half_up(63 * yellow_scale) << 3
        | _half_up(63 * warm_scale) << 9
        | landscape << 15
    )
    nibbles = [*lights, *yellows, *warms]
    pairs = zip(nibbles[::2], [*nibbles[1::2], 0], strict=False)
    return first.to_bytes(3, "little") + second.to_bytes(2, "little") + bytes(low | high << 4 for low, high in pairs)


def _waves(plane: NDArray[np.float64], across: int, down: int) -> tuple[list[int], float]:
    """Coefficients as 0 to 15 between minus and plus the largest of them, and that largest one."""
    kept = [float(plane[y, x]) for y, x in _order(across, down)]
    scale = max(map(abs, kept))
    return [_half_up(7.5 + 7.5 * wave / scale) if scale else 0 for wave in kept], scale


def _decoded(mean: float, scale: float, waves: tuple[int, int], nibbles: Iterator[int]) -> NDArray[np.float64]:
    """Coefficients by (down, across): (7, 7), those of waves doubled."""
    plane = np.zeros((_MOST_WAVES, _MOST_WAVES))
    plane[0, 0] = mean
    for y, x in _order(*waves):
        plane[y, x] = 2 * scale * (next(nibbles) / 7.5 - 1)
    return plane


def _to_rgb(
    lightness: NDArray[np.float64], yellow: NDArray[np.float64], warm: NDArray[np.float64]
) -> NDArray[np.uint8]:
    blue = lightness - 2 / 3 * yellow
    red = (3 * lightness - blue + warm) / 2
    pixels = np.stack([red, red - warm, blue], axis=-1)
    return np.floor(np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8)
