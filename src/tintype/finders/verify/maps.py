"""Affine maps between two pictures, in shares of their width and height or in pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tintype.core.hashes import TURNS

Map = NDArray[np.float64]
"""(2, 3): x' = m[0, 0] x + m[0, 1] y + m[0, 2], y' = m[1, 0] x + m[1, 1] y + m[1, 2]. In shares, (0, 0) is the upper
left corner of a picture and (1, 1) the lower right one; in pixels, the center of the first pixel is (0, 0)."""

_TURN_ROWS = {
    "upright": ((1, 0, 0), (0, 1, 0)),
    "mirrored": ((-1, 0, 1), (0, 1, 0)),
    "turned_180": ((-1, 0, 1), (0, -1, 1)),
    "flipped": ((1, 0, 0), (0, -1, 1)),
    "transposed": ((0, 1, 0), (1, 0, 0)),
    "turned_90": ((0, -1, 1), (1, 0, 0)),
    "transversed": ((0, -1, 1), (-1, 0, 1)),
    "turned_270": ((0, 1, 0), (-1, 0, 1)),
}
TURN_MAPS: NDArray[np.float64] = np.array([_TURN_ROWS[turn] for turn in TURNS], np.float64)
"""(8, 2, 3): where the points of a picture lie, in shares, after each of TURNS."""


def applied(mapping: Map, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Where (n, 2) points come to lie."""
    return points @ mapping[:, :2].T + mapping[:, 2]


def inverted(mapping: Map) -> Map:
    """The way back. The map must not be flat."""
    (a, b, c), (d, e, f) = mapping.tolist()
    scale = 1 / (a * e - b * d)
    back = np.array([[e, -b], [-d, a]]) * scale
    return np.column_stack([back, -back @ (c, f)])


def composed(outer: Map, inner: Map) -> Map:
    """First `inner`, then `outer`."""
    return np.column_stack([outer[:, :2] @ inner[:, :2], outer[:, :2] @ inner[:, 2] + outer[:, 2]])


def in_pixels(shares: Map, size: tuple[int, int], other: tuple[int, int]) -> Map:
    """A map in shares as one in pixels, from a picture of (width, height) to one of `other`."""
    scale = np.array(other, np.float64)
    linear = shares[:, :2] * scale[:, None] / np.array(size, np.float64)
    return np.column_stack([linear, shares[:, 2] * scale + linear.sum(axis=1) * 0.5 - 0.5])


def in_shares(pixels: Map, size: tuple[int, int], other: tuple[int, int]) -> Map:
    """The other way round."""
    scale = np.array(other, np.float64)
    linear = pixels[:, :2]
    offset = pixels[:, 2] + 0.5 - linear.sum(axis=1) * 0.5
    return np.column_stack([linear * np.array(size, np.float64) / scale[:, None], offset / scale])


def placed(left: float, top: float, right: float, bottom: float) -> Map:
    """From shares of a part of a picture to shares of the whole."""
    return np.array([[right - left, 0.0, left], [0.0, bottom - top, top]])


def overlap(shares: Map) -> tuple[float, float]:
    """Shares of the two pictures' areas that show what both show, by a map in shares from the first to the second."""
    area = _clipped_area(applied(shares, np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])))
    flat = abs(float(np.linalg.det(shares[:, :2])))
    return (min(area / flat, 1.0) if flat else 0.0), area


def cells_shown(maps: NDArray[np.floating]) -> NDArray[np.uint64]:
    """Which of 8 × 8 cells of the first picture the second shows, as bits: of (n, 6) maps in shares."""
    across = (np.arange(8) + 0.5) / 8
    x, y = np.tile(across, 8), np.repeat(across, 8)
    rows = np.asarray(maps, np.float64).reshape(-1, 2, 3, 1)
    there = rows[:, :, 0] * x + rows[:, :, 1] * y + rows[:, :, 2]  # (n, 2, 64)
    inside = ((there >= 0) & (there <= 1)).all(axis=1)
    return np.asarray(np.packbits(inside, axis=1).view(np.uint64).ravel(), np.uint64)


def frame(shares: Map) -> tuple[float, float, float, float]:
    """Left, top, width and height of the first picture within the second, in shares of the second, cut at its edges."""
    corners = np.clip(applied(shares, np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])), 0, 1)
    left, top = corners.min(axis=0).tolist()
    right, bottom = corners.max(axis=0).tolist()
    return left, top, right - left, bottom - top


def _clipped_area(corners: NDArray[np.float64]) -> float:
    """Area of a convex polygon within the unit square (Sutherland and Hodgman, "Reentrant polygon clipping", 1974)."""
    polygon = corners.tolist()
    for axis in (0, 1):
        for bound, side in ((0.0, 1), (1.0, -1)):
            polygon = _cut(polygon, axis, bound, side)
    if len(polygon) < 3:
        return 0.0
    points = np.array(polygon)
    x, y = points[:, 0], points[:, 1]
    return float(abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2)


def _cut(polygon: list[list[float]], axis: int, bound: float, side: int) -> list[list[float]]:
    kept: list[list[float]] = []
    for at, point in enumerate(polygon):
        before = polygon[at - 1]
        inside, was_inside = (point[axis] - bound) * side >= 0, (before[axis] - bound) * side >= 0
        if inside != was_inside:
            share = (bound - before[axis]) / (point[axis] - before[axis])
            kept.append([before[0] + share * (point[0] - before[0]), before[1] + share * (point[1] - before[1])])
        if inside:
            kept.append(point)
    return kept
