"""Bytes to an upright sRGB image at the smallest sufficient scale, or to the reason why not."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import ceil
from typing import TypeVar

import numpy as np
from PIL import Image as PillowImage

from tintype.codec import heif, jpeg, jxl, pillow, raw
from tintype.codec.color import to_srgb
from tintype.codec.foreign import verdict_on
from tintype.codec.image import Header, Image, Pixels
from tintype.codec.limits import Limits
from tintype.codec.opened import Opened
from tintype.codec.orientation import turn_upright, upright_size
from tintype.codec.scale import scaled_size, shrink
from tintype.codec.sniff import HEAD_BYTES, RAW_FORMATS, sniff
from tintype.codec.verdicts import check_bytes, check_header, damaged, message_of, rejected, unsupported
from tintype.core.errors import ImageError

_Result = TypeVar("_Result")

_OPENERS: dict[str, Callable[[bytes, Limits], Opened]] = {
    "jpeg": jpeg.open_jpeg,
    "png": pillow.open_png,
    "webp": pillow.open_webp,
    "gif": pillow.open_gif,
    "tiff": pillow.open_tiff,
    "bmp": pillow.open_bmp,
    "avif": pillow.open_avif,
    "heic": heif.open_heif,
    "jp2": pillow.open_jp2,
    "j2k": pillow.open_jp2,
    "ico": pillow.open_ico,
    "ppm": pillow.open_ppm,
    "pfm": pillow.open_ppm,
    "psd": pillow.open_psd,
    "jxl": jxl.open_jxl,
    **{kind: partial(raw.open_raw, kind) for kind in RAW_FORMATS},
}

_CUT_OFF = ("truncated", "end of file", "outside of file bounds", "not enough image data")  # in libraries' messages

FORMATS = frozenset(_OPENERS)
"""The formats that are read, those that need an extra among them."""


def header(data: bytes, limits: Limits) -> Header:
    """What an image says of itself before it is decoded. Raises ImageError as `decode` does."""
    return _guarded(lambda: _open(data, limits).header)


def decode(data: bytes, *, side_px: int = 0, shorter_px: int = 0, limits: Limits) -> Image:
    """The first frame upright in sRGB, its longer side `side_px`, or full size where that is smaller.

    With `shorter_px` instead it is left as the decoder scales it: the shorter side is at least so long, or full size,
    so that whoever scales further does so in one step. Only what is four times as large is scaled to twice. Colors of
    such an image are the file's own: an RGB profile is not applied.

    Raises ImageError: `damaged` where it is broken or cut off, even where a decoder would only warn;
    `rejected` over a limit, before any pixel is allocated; `unsupported` where it is no image that is read.
    Limits on time and memory are the caller's to enforce from outside, on the process.
    """
    return _guarded(lambda: _decode(data, side_px, shorter_px, limits))


def _open(data: bytes, limits: Limits) -> Opened:
    check_bytes(len(data), limits)
    name = sniff(data[:HEAD_BYTES])
    if name is None:
        raise verdict_on(data)
    if name not in _OPENERS:
        raise unsupported(f"{name} is a format that is not read")
    opened = _OPENERS[name](data, limits)
    check_header(opened.header, limits)
    return opened


def _decode(data: bytes, side_px: int, shorter_px: int, limits: Limits) -> Image:
    opened = _open(data, limits)
    known = opened.header
    if shorter_px:
        ratio = max(known.width, known.height) / max(1, min(known.width, known.height))
        raster = opened.raster(min(max(known.width, known.height, 1), ceil(shorter_px * ratio)))
        pixels = _halved(raster.pixels, shorter_px)
    else:
        raster = opened.raster(side_px)
        height, width = raster.pixels.shape[:2]
        pixels = shrink(raster.pixels, *scaled_size(width, height, side_px))
    # A model was trained on levels as files have them: no library's loader looks at profiles.
    is_plain = bool(shorter_px) and pixels.ndim == 3 and pixels.shape[2] == 3
    rgb, note = to_srgb(pixels, None if is_plain else raster.profile)
    rgb = np.ascontiguousarray(turn_upright(rgb, raster.orientation))
    rgb.flags.writeable = False
    width, height = upright_size(known.width, known.height, known.orientation)
    return Image(
        rgb=rgb,
        format=known.format,
        width=width,
        height=height,
        frames=known.frames or 1,
        color_mode=known.color_mode,
        orientation=known.orientation,
        notes=(*raster.notes, *((note,) if note else ())),
    )


def _halved(pixels: Pixels, shorter_px: int) -> Pixels:
    """Pixels that a decoder could not scale, at twice what is wanted: a batch of them must not fill the memory."""
    height, width = pixels.shape[:2]
    factor = min(height, width) / (2 * shorter_px)
    return pixels if factor < 2 else shrink(pixels, max(1, round(width / factor)), max(1, round(height / factor)))


def _guarded(work: Callable[[], _Result]) -> _Result:
    """Every way in which a decoder gives up, as an ImageError."""
    try:
        return work()
    except ImageError:
        raise
    except MemoryError:
        raise rejected("decoding takes more memory than there is (limits.memory_mb)") from None
    except PillowImage.DecompressionBombError:
        raise rejected("a part of the image is far larger than the image (Pillow: decompression bomb)") from None
    except NotImplementedError as error:
        raise unsupported(f"an image of a kind that is not read ({message_of(error)})") from None
    except Exception as error:  # noqa: BLE001  # what decoders raise on hostile bytes is not to be foreseen
        raise _verdict_on(error) from None


def _verdict_on(error: Exception) -> ImageError:
    """The verdict on an image, from the words of the library that gave up on it."""
    message = message_of(error)
    words = message.lower()
    if "decompressed data too large" in words or "too much memory" in words:
        return rejected(f"compressed text or a profile unpacks to far too much ({message})")
    if any(sign in words for sign in _CUT_OFF):
        return damaged(f"the file ends in the middle of the picture ({message})")
    return damaged(f"the picture cannot be decoded ({message})")
