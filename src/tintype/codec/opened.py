"""What a format's module hands to the decoder: the header at once, the pixels when asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tintype.codec.image import Header, Pixels


@dataclass(frozen=True)
class Raster:
    """Decoded pixels in the file's own color, not yet turned upright.

    `pixels` is uint8: (h, w) gray, (h, w, 3) RGB, or (h, w, 4) CMYK where 255 is full ink. Its longer side is
    at least the side that was asked for, or full size.
    """

    pixels: Pixels
    profile: bytes | None  # ICC profile
    orientation: int  # EXIF orientation still to be applied
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Opened:
    """An image whose header was read. `raster(side_px)` decodes; it may raise what the library raises."""

    header: Header
    raster: Callable[[int], Raster]
