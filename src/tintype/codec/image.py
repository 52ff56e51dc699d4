"""What decoding gives: the pixels of an image at the scale that was asked for, and its header's facts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Header:
    """What the first bytes say of an image; nothing has been decoded.

    `width` and `height` are those of the stored pixels in px, before the orientation is applied.
    """

    format: str  # "jpeg", "png", …; the words of the column `format`
    width: int
    height: int
    frames: int | None  # None where counting them would mean reading the whole file
    color_mode: str  # the words of the column `color_mode`
    orientation: int  # EXIF orientation 1 to 8; 1 where there is none or it makes no sense


@dataclass(frozen=True)
class Image:
    """A decoded image, upright, in sRGB.

    `rgb` is (height, width, 3) uint8, read-only, scaled down so that its longer side is the side that was asked
    for (or full size where that is smaller), or as the decoder scales it.
    `width` and `height` are the upright full size in px.
    """

    rgb: Pixels
    format: str
    width: int
    height: int
    frames: int
    color_mode: str
    orientation: int
    notes: tuple[str, ...] = ()  # warnings that are no damage: a broken profile that was ignored, and the like
