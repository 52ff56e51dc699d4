"""Camera raw files, read by LibRaw (extra `raw`): the camera's preview first, else the sensor's data."""

from __future__ import annotations

import io
from functools import partial
from typing import Any

import numpy as np

from tintype.codec import jpeg
from tintype.codec.image import Header
from tintype.codec.limits import Limits
from tintype.codec.opened import Opened, Raster
from tintype.codec.verdicts import check_header, unsupported
from tintype.core.errors import ImageError, MissingExtra

_TURNS = {0: 1, 3: 3, 5: 8, 6: 6}  # LibRaw's `flip` as EXIF orientation
_FILMED_BITS = 16  # LibRaw hands out every sensor's samples as 16 bits


def open_raw(kind: str, data: bytes, limits: Limits) -> Opened:
    """Raises ImageError `unsupported` where the extra is missing or LibRaw does not know the camera."""
    try:
        import rawpy
    except ImportError:
        raise unsupported(str(MissingExtra(f"reading camera raw files ({kind})", "raw"))) from None
    try:
        photo = rawpy.imread(io.BytesIO(data))
    except rawpy.LibRawFileUnsupportedError:
        raise unsupported(f"LibRaw does not know this kind of camera raw file ({kind})") from None
    sizes = photo.sizes
    header = Header(kind, sizes.width, sizes.height, 1, f"sensor{_FILMED_BITS}", _TURNS.get(sizes.flip, 1))
    check_header(header, limits)
    return Opened(header, partial(_raster, photo, header, limits))


def _raster(photo: Any, header: Header, limits: Limits, side_px: int) -> Raster:
    with photo:
        wanted = min(side_px, max(header.width, header.height))
        preview = _preview(photo, header, limits, wanted)
        return preview or _developed(photo, header, wanted)


def _preview(photo: Any, header: Header, limits: Limits, wanted_px: int) -> Raster | None:
    """The embedded JPEG where it is sound and large enough: the camera's colors, without developing."""
    import rawpy

    try:
        found = photo.extract_thumb()
        if found.format != rawpy.ThumbFormat.JPEG:
            return None
        opened = jpeg.open_jpeg(bytes(found.data), limits)
        if max(opened.header.width, opened.header.height) < wanted_px:
            return None
        raster = opened.raster(wanted_px)
    except (rawpy.LibRawError, ImageError):
        return None
    turn = raster.orientation if raster.orientation != 1 else header.orientation
    return Raster(raster.pixels, raster.profile, turn, (*raster.notes, "seen through its embedded preview"))


def _developed(photo: Any, header: Header, wanted_px: int) -> Raster:
    """Developed from the sensor, at half size where that suffices."""
    is_half = max(header.width, header.height) >= 2 * wanted_px
    pixels = photo.postprocess(use_camera_wb=True, half_size=is_half, output_bps=8, user_flip=0)
    return Raster(np.asarray(pixels), None, header.orientation)
