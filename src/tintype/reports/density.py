"""Points as a picture: each a small disc of its color, more solid where many lie."""

from __future__ import annotations

import math
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

_AT_ONCE = 65_536  # points; bounds memory
_SOLID = 255  # weight of a point at its middle
_FAINTEST = 110  # weight at which a place is half solid, at least


def drawn(
    x: NDArray[np.int64], y: NDArray[np.int64], rgb: NDArray[np.int64], width: int, height: int
) -> NDArray[np.uint8]:
    """RGBA pixels (height, width, 4) of points at whole places (n,) with colors (n, 3); their order is of no concern.

    All sums are of whole numbers, so that equal points give equal pixels everywhere.
    """
    total = np.zeros(width * height, np.int64)
    colored = np.zeros((3, width * height), np.int64)
    radius = _radius(len(x))
    for start in range(0, len(x), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        _add(total, colored, x[part], y[part], rgb[part], radius, width)
    pixels = np.zeros((width * height, 4), np.uint8)
    covered = np.flatnonzero(total)
    if not len(covered):
        return pixels.reshape(height, width, 4)
    pixels[covered, :3] = (colored[:, covered] // total[covered]).T
    half = max(_FAINTEST, int(np.median(total[covered])))
    pixels[covered, 3] = 255 * total[covered] // (total[covered] + half)
    return pixels.reshape(height, width, 4)


def png(pixels: NDArray[np.uint8]) -> bytes:
    """RGBA pixels (h, w, 4) as a PNG (ISO/IEC 15948)."""
    height, width = pixels.shape[:2]
    rows = np.zeros((height, 1 + 4 * width), np.uint8)  # each row begins with its filter, 0 for none
    rows[:, 1:] = pixels.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 6)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )


def _add(
    total: NDArray[np.int64],
    colored: NDArray[np.int64],
    x: NDArray[np.int64],
    y: NDArray[np.int64],
    rgb: NDArray[np.int64],
    radius: float,
    width: int,
) -> None:
    """Add the discs' weights to `total` (pixels,), and weights times colors to `colored` (3, pixels)."""
    disc_x, disc_y, disc = _disc(radius)
    across, down = x[:, None] + disc_x, y[:, None] + disc_y  # (n, points of the disc)
    inside = (across >= 0) & (across < width) & (down >= 0) & (down < len(total) // width)
    place = (down * width + across)[inside]
    weight = np.broadcast_to(disc, inside.shape)[inside]
    # bincount adds in float64, which is exact for whole numbers of this size.
    total += np.bincount(place, weight, len(total)).astype(np.int64)
    for channel in range(3):
        amount = np.broadcast_to(rgb[:, channel, None], inside.shape)[inside] * weight
        colored[channel] += np.bincount(place, amount, len(total)).astype(np.int64)


def _radius(points: int) -> float:
    """Of a disc in pixels: the more points, the smaller."""
    return max(1.0, 8 - 1.45 * math.log10(max(points, 1)))


def _disc(radius: float) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Places and weights (k,) of a disc with a soft edge of one pixel."""
    reach = math.ceil(radius)
    down, across = np.mgrid[-reach : reach + 1, -reach : reach + 1].reshape(2, -1)
    weight = np.rint(_SOLID * np.clip(radius + 0.5 - np.sqrt(across**2 + down**2), 0, 1)).astype(np.int64)
    return across[weight > 0], down[weight > 0], weight[weight > 0]
