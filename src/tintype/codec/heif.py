"""HEIC and HEIF (ISO/IEC 23008-12), decoded by libheif."""

from __future__ import annotations

from functools import partial

import numpy as np
import pi_heif

from tintype.codec.flatten import over_white
from tintype.codec.image import Header
from tintype.codec.limits import Limits
from tintype.codec.opened import Opened, Raster
from tintype.codec.verdicts import check_header, check_memory

_WORKING_BYTES = 10  # of memory for each pixel while decoding; 6.7 were measured at 8 bits

_MODES = {"L": "gray", "LA": "gray_alpha", "RGB": "rgb", "RGBA": "rgba", "RGBa": "rgba"}


def open_heif(data: bytes, limits: Limits) -> Opened:
    """The primary image. libheif turns and mirrors it while decoding, so no orientation is left to apply."""
    container = pi_heif.open_heif(data, convert_hdr_to_8bit=True)
    image = container[container.primary_index]
    bits = image.info.get("bit_depth", 8)
    mode = _MODES.get(image.mode, "rgb") + (str(bits) if bits != 8 else "")
    header = Header("heic", image.size[0], image.size[1], len(container), mode, 1)
    check_header(header, limits)
    check_memory(header.width * header.height * _WORKING_BYTES, limits)
    return Opened(header, partial(_raster, image))


def _raster(image: pi_heif.HeifImage, side_px: int) -> Raster:
    pixels = np.array(image)  # a copy: the memory that it shows is libheif's, and goes with the image
    if pixels.ndim == 3 and pixels.shape[2] in (2, 4):
        pixels = over_white(pixels)
    profile = image.info.get("icc_profile")
    return Raster(pixels, profile or None, 1)
