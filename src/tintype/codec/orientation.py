"""Which way up an image is: EXIF orientation read and applied."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

_ORIENTATION = 0x0112  # tag number, EXIF 2.32, 4.6.4
_SHORT = 3  # EXIF type of a 16-bit unsigned number
_FLIPS = {
    2: 1,
    3: -1,
    4: 0,
    6: 1,
    7: -1,
    8: 0,
}  # after 5 to 8 were transposed: 1 mirrors, 0 turns over, -1 both
_MOST_ENTRIES = 1_000  # of the first directory; a real one has some dozens


def orientation_of(exif: bytes) -> int:
    """EXIF orientation 1 to 8 of an EXIF block (a TIFF header, with or without "Exif\\0\\0" before it).

    1 where there is none, or where it is of the wrong type or makes no sense. Never raises.
    """
    start = 6 if exif[:6] == b"Exif\0\0" else 0
    if exif[start : start + 2] not in (b"II", b"MM"):
        return 1
    is_little = exif[start : start + 1] == b"I"

    def number(at: int, size: int) -> int:
        return int.from_bytes(exif[start + at : start + at + size], "little" if is_little else "big")

    directory = number(4, 4)
    for entry in range(min(number(directory, 2), _MOST_ENTRIES)):
        at = directory + 2 + 12 * entry
        if start + at + 12 > len(exif):
            return 1
        if number(at, 2) == _ORIENTATION:
            value = number(at + 8, 2)
            return value if number(at + 2, 2) == _SHORT and 1 <= value <= 8 else 1
    return 1


def turn_upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """The pixels as they are meant to be seen; (h, w, …), sides swapped for orientations 5 to 8."""
    if orientation >= 5:
        pixels = cv2.transpose(pixels)
    if orientation in _FLIPS:
        pixels = cv2.flip(pixels, _FLIPS[orientation])
    return pixels


def upright_size(width: int, height: int, orientation: int) -> tuple[int, int]:
    """Width and height in px once the orientation is applied."""
    return (height, width) if orientation >= 5 else (width, height)
