"""The main colors of many images at once: k-means in CIELAB, seeded without chance."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

COLORS = 5

_ROUNDS = 8  # of k-means; more of them change next to nothing (decisions/0009-quality-measures.md)
_POINTS_SIDE = 32  # of the view that is clustered


def _spread(count: int) -> NDArray[np.int64]:
    """Places of points that lie evenly in the view, and in as many columns as rows: (count,)."""
    order = np.arange(count)
    golden = (5**0.5 - 1) / 2
    columns = np.floor(order * golden % 1 * _POINTS_SIDE).astype(np.int64)
    places: NDArray[np.int64] = order * _POINTS_SIDE // count * _POINTS_SIDE + columns
    return places


_SPREAD = _spread(64)


def palettes(rgb: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Five main colors of each image, (n, 64, 64, 3) sRGB: colors (n, 5, 3) uint8 sRGB, and shares (n, 5) float32.

    The largest share comes first. An image of fewer colors ends with shares of 0 and its first color again.
    """
    if len(rgb) == 0:  # OpenCV refuses arrays without pixels
        return np.empty((0, COLORS, 3), np.uint8), np.empty((0, COLORS), np.float32)
    small = _halved(rgb)
    points = _lab(small)  # (n, 3, 1024)
    centers = _seeds(points)
    for _ in range(_ROUNDS):
        centers = _means(_members(points, centers), points, centers)
    members = _members(points, centers)
    colors = _means(members, _channels(small), np.zeros_like(centers))
    return _ordered(np.floor(colors + 0.5).astype(np.uint8), members.mean(axis=2))


def _halved(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Means of 2x2 pixels, (n, 64, 64, 3) → (n, 32, 32, 3): all images as one strip."""
    strip = rgb.reshape(-1, *rgb.shape[2:])
    small: NDArray[np.uint8] = cv2.resize(strip, (_POINTS_SIDE, len(rgb) * _POINTS_SIDE), interpolation=cv2.INTER_AREA)
    return small.reshape(len(rgb), _POINTS_SIDE, _POINTS_SIDE, 3)


def _lab(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """CIELAB in whole units, so that distances and sums are exact: (n, s, s, 3) → (n, 3, s·s)."""
    strip = cv2.cvtColor(rgb.reshape(-1, *rgb.shape[2:]), cv2.COLOR_RGB2LAB)
    lab = _channels(strip.reshape(rgb.shape))
    lab[:, 0] = np.floor(lab[:, 0] * np.float32(100 / 255) + np.float32(0.5))  # OpenCV stretches L* to 255
    return lab


def _channels(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, s, s, 3) → (n, 3, s·s)."""
    planes = pixels.reshape(len(pixels), -1, 3).swapaxes(1, 2)
    return np.ascontiguousarray(planes, np.float32)


def _seeds(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """First centers, (n, 5, 3): of some points, one by one, the one that lowers their total distance most.

    What k-means++ (Arthur and Vassilvitskii, 2007) leaves to chance is tried out for each of them.
    """
    some = points[:, :, _SPREAD]  # (n, 3, 64)
    apart = np.square(some[:, :, :, None] - some[:, :, None, :]).sum(axis=1)  # (n, 64, 64)
    nearest = np.full(some.shape[::2], np.inf, np.float32)  # (n, 64), to a center so far
    rows = np.arange(len(some))
    centers = np.empty((len(some), COLORS, 3), np.float32)
    for k in range(COLORS):
        best = np.minimum(apart, nearest[:, None, :]).sum(axis=2).argmin(axis=1)
        nearest = np.minimum(nearest, apart[rows, best])
        centers[:, k] = some[rows, :, best]
    return centers


def _members(points: NDArray[np.float32], centers: NDArray[np.float32]) -> NDArray[np.float32]:
    """1 where a point belongs to a center, the nearest, of equals the first: (n, 5, points)."""
    distances: NDArray[np.float32] = np.square(centers).sum(axis=2)[:, :, None] - 2 * np.matmul(centers, points)
    nearest: NDArray[np.bool_] = distances == distances.min(axis=1, keepdims=True)
    taken = nearest[:, 0].copy()
    for k in range(1, COLORS):
        nearest[:, k] &= ~taken
        taken |= nearest[:, k]
    return nearest.astype(np.float32)


def _means(
    members: NDArray[np.float32], values: NDArray[np.float32], otherwise: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Mean of the values (n, 3, points) of each center's members: (n, 5, 3); `otherwise` where it has none."""
    counts = members.sum(axis=2)[:, :, None]
    sums = np.matmul(members, values.swapaxes(1, 2))  # whole numbers below 2²⁴, so exact
    return np.where(counts > 0, sums / np.maximum(counts, 1), otherwise)


def _ordered(colors: NDArray[np.uint8], shares: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    order = np.argsort(-shares, axis=1, kind="stable")
    shares = np.take_along_axis(shares, order, axis=1)
    colors = np.take_along_axis(colors, order[:, :, None], axis=1)
    return np.where(shares[:, :, None] > 0, colors, colors[:, :1]), shares
