"""Objects cut out of their images, as image files of their own."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tintype.codec.decode import decode
from tintype.codec.limits import Limits
from tintype.core.errors import ImageError
from tintype.sources.boxes import Box, box_of, centers_of, frames, turned_points

_LONGEST = 32_000  # px; OpenCV's warp takes no side of 32,767 or more


class Photo:
    """An image that is decoded once, at full size, for all of its objects."""

    def __init__(self, data: bytes, limits: Limits) -> None:
        """Raises ImageError as `decode` does, and where there is too little memory to cut anything."""
        try:
            self._rgb = decode(data, side_px=limits.side_px, limits=limits).rgb
        except MemoryError:
            raise ImageError("rejected", "needs more memory than there is") from None

    def crop(self, text: str) -> bytes:
        """The box that `boxes.texts` wrote, as the bytes of an image. Raises ImageError where nothing can be cut."""
        box = box_of(text)
        try:
            pixels = None if box is None else cut(self._rgb, box)
        except ValueError as error:
            raise ImageError("rejected", str(error)) from None
        except MemoryError:
            raise ImageError("rejected", "needs more memory than there is") from None
        if pixels is None:
            raise ImageError("rejected", "the box lies outside of the image")
        return portable_pixmap(pixels)


def portable_pixmap(rgb: NDArray[np.uint8]) -> bytes:
    """The pixels (h, w, 3) as a PPM file: a header of some bytes, and the pixels as they are.

    Lossless, and a thousandth of the cost of a PNG (decisions/0024-objects.md).
    """
    height, width = rgb.shape[:2]
    return b"P6\n%d %d\n255\n" % (width, height) + rgb.tobytes()


def cut(rgb: NDArray[np.uint8], box: Box) -> NDArray[np.uint8] | None:
    """The pixels of a box, (h, w, 3) uint8, upright; None where nothing of it is inside of the image.

    A turned box is turned back by bilinear interpolation; what of it lies outside repeats the image's edge.
    Raises ValueError for a turned box with a side that OpenCV cannot warp.
    """
    height, width = rgb.shape[:2]
    row = np.array([[box.x, box.y, box.width, box.height, box.angle]])
    left, top, right, bottom = frames(row, np.array([[width, height]]))[0].tolist()
    if right <= left or bottom <= top:
        return None
    if box.angle == 0:
        return rgb[top:bottom, left:right]
    return _cut_turned(rgb, row, left, top, right, bottom)


def _cut_turned(
    rgb: NDArray[np.uint8], row: NDArray[np.float64], left: int, top: int, right: int, bottom: int
) -> NDArray[np.uint8]:
    if max(right - left, bottom - top) > _LONGEST:
        raise ValueError(f"a turned box of more than {_LONGEST:,} px a side")
    corners = np.array([[[left, top], [right, top], [left, bottom], [right, bottom]]], np.float64)
    places = turned_points(corners - row[:, None, 2:4] / 2, row[:, 4])[0] + centers_of(row)[0]  # in the image
    # Only what is looked at, with a pixel around it for the interpolation.
    height, width = rgb.shape[:2]
    begin = np.clip(np.floor(places.min(axis=0)).astype(int) - 2, 0, [width - 1, height - 1])
    end = np.clip(np.ceil(places.max(axis=0)).astype(int) + 2, begin + 1, [width, height])
    part = rgb[begin[1] : end[1], begin[0] : end[0]]
    if max(part.shape) > _LONGEST:
        raise ValueError(f"a turned box over more than {_LONGEST:,} px of its image")
    # Pixel (i, j) of the crop has its center at (left + i + 0.5, top + j + 0.5) of the turned box.
    axes = turned_points(np.eye(2)[None], row[:, 4])[0]  # where one step right and one step down lead
    origin = places[0] + axes.sum(axis=0) / 2 - 0.5 - begin
    there = np.column_stack([axes.T, origin])
    crop = cv2.warpAffine(
        np.ascontiguousarray(part),
        there,
        (right - left, bottom - top),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(crop)
