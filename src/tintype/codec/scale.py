"""Scaling down: how far a decoder may scale by itself, and the resize after it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_CUBIC_TO, _LINEAR_TO = 1.3, 1.5  # factors


def scaled_size(width: int, height: int, side_px: int) -> tuple[int, int]:
    """Width and height with a longer side of `side_px`; as they are where they are smaller."""
    longer = max(width, height)
    if longer <= side_px:
        return width, height
    return max(1, round(width * side_px / longer)), max(1, round(height * side_px / longer))


def power_of_two_below(longer: int, side_px: int, largest: int) -> int:
    """The largest of 1, 2, 4, … `largest` by which the longer side can be divided and still be `side_px`."""
    divisor = 1
    while divisor < largest and -(-longer // (divisor * 2)) >= side_px:
        divisor *= 2
    return divisor


def shrink(pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """The pixels scaled down to (height, width, …).

    Down to a bit more than half, by one step that keeps edges: the mean of an area that is hardly larger than a
    pixel would blur them. Below that in two steps that OpenCV has vector code for: bilinear to a whole multiple of
    the size, then the mean of whole blocks; a quarter of the CPU of INTER_AREA at a broken ratio, and as close to a
    Lanczos filter (decisions/0004 has the figures).
    """
    have = pixels.shape[1], pixels.shape[0]
    if have == (width, height):
        return pixels
    factor = max(have[0] / width, have[1] / height)
    if factor <= _LINEAR_TO:
        kernel = cv2.INTER_CUBIC if factor <= _CUBIC_TO else cv2.INTER_LINEAR_EXACT
        return np.asarray(cv2.resize(pixels, (width, height), interpolation=kernel))
    multiple = max(2, round(factor))
    wide = width * multiple, height * multiple
    if have != wide:
        pixels = cv2.resize(pixels, wide, interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA))
