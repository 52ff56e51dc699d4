"""Boxes in images: how they are written, what their objects are called, and which pixels they stand for."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from blake3 import blake3
from numpy.typing import NDArray

MARK = "#xywh="
"""What stands between the uri of an image and the box. No path or member holds it: their `#` is escaped."""
MAX_PX = 10_000_000
"""The largest number of a box that is taken for a place in an image; ten million in hundredths are exact."""

_SIGNS = pa.array(["", "-"])
_FRACTIONS = pa.array([f"{n / 100:.2f}"[1:].rstrip("0").rstrip(".") for n in range(100)])
_NUMBER = r"-?[0-9]{1,8}(?:\.[0-9]{1,2})?"
_WRITTEN = re.compile(rf"({_NUMBER}),({_NUMBER}),({_NUMBER}),({_NUMBER})(?:&angle=({_NUMBER}))?")


@dataclass(frozen=True)
class Box:
    """A box in the upright image, in px from its upper left corner.

    `x` and `y` are the left and upper edge before the box is turned by `angle` degrees clockwise around its center.
    """

    x: float
    y: float
    width: float
    height: float
    angle: float = 0.0


def hundredths(boxes: NDArray[np.float64]) -> NDArray[np.int64]:
    """Boxes as they are kept, in hundredths: (n, 5) of x, y, width, height in px and angle in degrees.

    Halves go to the even number; angles lie in (-180, 180]. All numbers must be finite and within MAX_PX.
    """
    whole = np.rint(boxes * 100).astype(np.int64)
    angle = whole[:, 4] % 36_000
    whole[:, 4] = np.where(angle > 18_000, angle - 36_000, angle)
    return whole


def texts(boxes: NDArray[np.int64]) -> pa.Array:
    """The one way in which each box is written: `10,20.5,30,40`, and `10,20.5,30,40&angle=-15` where it is turned."""
    x, y, width, height, angle = (_decimals(column) for column in boxes.T)
    upright = pc.binary_join_element_wise(x, y, width, height, ",")
    turned = pc.binary_join_element_wise(upright, angle, "&angle=")
    return pc.if_else(pa.array(boxes[:, 4] == 0), upright, turned)


def percents(shares: NDArray[np.float64]) -> pa.Array:
    """How boxes are written where the size of their image is not known: `percent:12.5,…`, of its width and height."""
    written = (_decimals(column) for column in np.rint(shares[:, :4] * 10_000).astype(np.int64).T)
    return pc.binary_join_element_wise("percent:", pc.binary_join_element_wise(*written, ","), "")


def _decimals(numbers: NDArray[np.int64]) -> pa.Array:
    size = np.abs(numbers)
    sign = _SIGNS.take(pa.array((numbers < 0).astype(np.int64)))
    return pc.binary_join_element_wise(
        sign, pa.array(size // 100).cast(pa.string()), _FRACTIONS.take(pa.array(size % 100)), ""
    )


def split_uri(uri: str) -> tuple[str, str]:
    """The uri of the image and the box as it is written; no text where the uri names no box."""
    image, _, rest = uri.rpartition(MARK)
    return (image, rest.partition("&n=")[0]) if image else (uri, "")


def box_of(text: str) -> Box | None:
    """The box that `texts` wrote; None where the text is none of them."""
    found = _WRITTEN.fullmatch(text)
    return Box(*(float(number) for number in found.groups() if number is not None)) if found else None


def subject_of(digest: bytes, text: str) -> bytes:
    """Who an object is, wherever its image lies: BLAKE3-128 of the image's digest and the box as `texts` writes it."""
    return blake3(digest + text.encode()).digest(16)


def frames(boxes: NDArray[np.float64], sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Which pixels are cut: (n, 4) of left, top, right, bottom; right is left where nothing of the box is inside.

    `boxes` are (n, 5) as in `Box`, `sizes` (n, 2) the images' width and height. For an upright box these are pixels
    of the image: its edges at the nearest pixel borders, at least one pixel, cut at the image's edges. For a turned
    box they are pixels of the turned box, from its own upper left corner, cut where the image ends in all rows or
    columns of it.
    """
    left_top, size = boxes[:, :2], boxes[:, 2:4]
    turned = boxes[:, 4] != 0
    low = np.floor(left_top + 0.5)
    high = np.floor(left_top + size + 0.5)
    thin = high <= low
    low = np.where(thin, np.floor(left_top), low)
    high = np.where(thin, low + 1, high)
    low, high = np.maximum(low, 0), np.minimum(high, sizes)
    if turned.any():
        low[turned], high[turned] = _turned_frames(boxes[turned], sizes[turned])
    outside = (high <= low).any(axis=1) | (size <= 0).any(axis=1)
    edges = np.concatenate([low, high], axis=1)
    edges[outside] = 0
    return edges.astype(np.int64)


def _turned_frames(
    boxes: NDArray[np.float64], sizes: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two rectangles overlap where their shadows do, both on the axes of the one and on those of the other."""
    size = boxes[:, 2:4]
    pixels = np.maximum(np.floor(size + 0.5), 1)
    zero = np.zeros(2)
    corners = np.stack([zero * sizes, sizes * (1, 0), sizes * (0, 1), sizes], axis=1).astype(np.float64)
    seen = turned_points(corners - centers_of(boxes)[:, None], -boxes[:, 4]) + size[:, None] / 2  # from the turned box
    low = np.maximum(np.floor(seen.min(axis=1)), 0)
    high = np.minimum(np.ceil(seen.max(axis=1)), pixels)
    half = np.stack([-size, size * (1, -1), size * (-1, 1), size], axis=1) / 2
    shadow = turned_points(half, boxes[:, 4]) + centers_of(boxes)[:, None]  # the box's corners in the image
    apart = (shadow.max(axis=1) <= 0).any(axis=1) | (shadow.min(axis=1) >= sizes).any(axis=1)
    high[apart] = low[apart]
    return low, high


def centers_of(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centers (n, 2) of boxes (n, 5) or (n, 4)."""
    centers: NDArray[np.float64] = boxes[:, :2] + boxes[:, 2:4] / 2
    return centers


def turned_points(points: NDArray[np.float64], degrees: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (n, k, 2) turned clockwise around the origin; y points down."""
    radians = np.deg2rad(degrees)[:, None]
    cos, sin = np.cos(radians), np.sin(radians)
    x, y = points[..., 0], points[..., 1]
    return np.stack([cos * x - sin * y, sin * x + cos * y], axis=-1)
