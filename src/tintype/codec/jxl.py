"""JPEG XL (ISO/IEC 18181), read by libjxl (extra `jxl`)."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

import numpy as np

from tintype.codec.flatten import over_white
from tintype.codec.image import Header
from tintype.codec.limits import Limits
from tintype.codec.opened import Opened, Raster
from tintype.codec.verdicts import check_header, check_memory, unsupported
from tintype.core.errors import MissingExtra

_WORKING_BYTES = 12  # of memory for each pixel while decoding; 6.6 were measured at 8 bits


def open_jxl(data: bytes, limits: Limits) -> Opened:
    """Turned upright by libjxl itself. Raises ImageError `unsupported` where the extra is missing."""
    try:
        import pylibjxl
    except ImportError:
        raise unsupported(str(MissingExtra("reading JPEG XL", "jxl"))) from None
    facts = pylibjxl.probe(data)
    frames = None if facts["have_animation"] else 1
    header = Header("jxl", facts["width"], facts["height"], frames, _color_mode(facts), 1)
    check_header(header, limits)
    check_memory(header.width * header.height * _WORKING_BYTES, limits)
    return Opened(header, partial(_raster, data))


def _color_mode(facts: dict[str, Any]) -> str:
    names = ("gray", "gray_alpha") if facts["color_channels"] == 1 else ("rgb", "rgba")
    bits = facts["bits_per_sample"]
    return names[bool(facts["has_alpha"])] + (str(bits) if bits != 8 else "")


def _raster(data: bytes, side_px: int) -> Raster:
    pixels, found = _decoder().decode(data, metadata=True)
    pixels = np.asarray(pixels)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    elif pixels.ndim == 3 and pixels.shape[2] in (2, 4):
        pixels = over_white(pixels)
    return Raster(pixels, found.get("icc_profile") or None, 1)


@lru_cache(maxsize=1)
def _decoder() -> Any:
    """One thread: a worker has a core of its own and no more."""
    import pylibjxl

    return pylibjxl.JXL(threads=1, pool_size=1)
