"""The formats that Pillow decodes: PNG, WebP, GIF, TIFF, BMP, AVIF, JPEG 2000, ICO, PNM and PSD.

The readers are called by name, never through `Image.open`: no format is tried that was not sniffed, and
Pillow's process-wide settings (its own limit on pixels among them) are neither needed nor changed.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from functools import partial

import numpy as np
from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    IcoImagePlugin,
    ImageFile,
    Jpeg2KImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    PsdImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from tintype.codec import gif, jp2, png, raw, webp
from tintype.codec.flatten import flatten
from tintype.codec.image import Header
from tintype.codec.limits import Limits
from tintype.codec.opened import Opened, Raster
from tintype.codec.scale import power_of_two_below
from tintype.codec.tiff import Page, Tiff
from tintype.codec.verdicts import check_header, check_memory, check_size, damaged

_WEBP_BYTES, _AVIF_BYTES = 17, 12  # of memory for each pixel while decoding; 16.7 and 9.2 were measured at 8 bits

_MODES = {
    "1": "gray1",
    "L": "gray",
    "LA": "gray_alpha",
    "La": "gray_alpha",
    "P": "palette",
    "PA": "palette",
    "RGB": "rgb",
    "RGBX": "rgb",
    "RGBA": "rgba",
    "RGBa": "rgba",
    "YCbCr": "rgb",
    "CMYK": "cmyk",
    "LAB": "lab",
    "I": "gray32",
    "F": "gray32f",
}


def open_png(data: bytes, limits: Limits) -> Opened:
    chunks = png.read_chunks(data)
    check_header(chunks.header, limits)
    if not chunks.pictures:
        raise damaged("the file holds no pixels (no IDAT chunk)")
    return Opened(chunks.header, partial(_png_raster, data, chunks))


def _png_raster(data: bytes, chunks: png.Chunks, side_px: int) -> Raster:
    image = PngImagePlugin.PngImageFile(io.BytesIO(data))
    image.load()
    width, height = image.size
    last_rows = np.asarray(image.crop((0, max(0, height - 2), width, height)))
    if png.may_lack_rows(last_rows) and not png.has_all_rows(data, chunks):
        raise damaged("rows of the picture are missing (the compressed data end too early)")
    return _raster(image, side_px, chunks.header.orientation, white=65_535)


def open_gif(data: bytes, limits: Limits) -> Opened:
    header = gif.read_header(data, limits)
    check_header(header, limits)
    return Opened(header, partial(_read_raster, GifImagePlugin.GifImageFile, data, header))


def open_webp(data: bytes, limits: Limits) -> Opened:
    header = webp.read_header(data, limits)
    check_header(header, limits)
    check_memory(header.width * header.height * _WEBP_BYTES, limits)
    return Opened(header, partial(_read_raster, WebPImagePlugin.WebPImageFile, data, header))


def open_avif(data: bytes, limits: Limits) -> Opened:
    image = AvifImagePlugin.AvifImageFile(io.BytesIO(data))
    turn = image.getexif().get(0x0112)  # Pillow puts the container's own turn there
    orientation = turn if isinstance(turn, int) and 1 <= turn <= 8 else 1
    check_size(*image.size, limits)
    check_memory(image.size[0] * image.size[1] * _AVIF_BYTES, limits)
    return _opened("avif", image, limits, frames=image.n_frames, orientation=orientation)


def open_bmp(data: bytes, limits: Limits) -> Opened:
    if int.from_bytes(data[14:18], "little") >= 40 and len(data) >= 26:
        width, height = struct.unpack_from("<ii", data, 18)
        check_size(width, abs(height), limits)
    image = BmpImagePlugin.BmpImageFile(io.BytesIO(data))
    return _opened("bmp", image, limits)


def open_ppm(data: bytes, limits: Limits) -> Opened:
    image = PpmImagePlugin.PpmImageFile(io.BytesIO(data))
    if image.mode == "F":
        return _opened("ppm", image, limits)
    return _opened("ppm", image, limits, color_mode="gray16" if image.mode == "I" else None, white=65_535)


def open_psd(data: bytes, limits: Limits) -> Opened:
    """The picture that the program stored beside its layers."""
    if len(data) < 26:
        raise damaged("the file breaks off in its header")
    height, width = struct.unpack_from(">II", data, 14)
    check_size(width, height, limits)
    return _opened("psd", PsdImagePlugin.PsdImageFile(io.BytesIO(data)), limits)


def open_ico(data: bytes, limits: Limits) -> Opened:
    """The largest picture of an icon. All are sizes of one picture, so it counts as one frame."""
    count = int.from_bytes(data[4:6], "little")
    if not count:
        raise damaged("the icon holds no picture")
    for entry in range(count):
        if 22 + 16 * entry > len(data):
            raise damaged("the file ends in the icon's directory")
        size, start = struct.unpack_from("<II", data, 14 + 16 * entry)
        _check_icon(data, size, start, limits)
    return _opened("ico", IcoImagePlugin.IcoImageFile(io.BytesIO(data)), limits)


def _check_icon(data: bytes, size: int, start: int, limits: Limits) -> None:
    """A picture inside of an icon has a header of its own, with a size of its own."""
    if start + size > len(data) or size < 16:
        raise damaged("a picture of the icon lies past the end of the file")
    if data[start : start + 8] == b"\x89PNG\r\n\x1a\n":
        width, height = struct.unpack_from(">II", data.ljust(start + 24, b"\0"), start + 16)
    else:
        width, height = struct.unpack_from("<ii", data, start + 4)
        height = abs(height) // 2  # the mask below the picture counts in
    check_size(width, height, limits)


def open_jp2(data: bytes, limits: Limits) -> Opened:
    """Scaled by leaving out the finest wavelet levels."""
    sizes = jp2.read_sizes(data, limits)
    image = Jpeg2KImagePlugin.Jpeg2KImageFile(io.BytesIO(data))
    mode = _MODES.get(image.mode, "gray16") if sizes.bits <= 8 else _deep_mode(image.mode, sizes.bits)
    name = "j2k" if data.startswith(b"\xff\x4f") else "jp2"
    header = Header(name, sizes.width, sizes.height, 1, mode, 1)
    return Opened(header, partial(_jp2_raster, image, sizes, limits))


def _jp2_raster(image: Jpeg2KImagePlugin.Jpeg2KImageFile, sizes: jp2.Sizes, limits: Limits, side_px: int) -> Raster:
    divisor = power_of_two_below(max(image.size), side_px, 2**sizes.levels)
    while any(-(-side // divisor) != (side + divisor // 2) // divisor for side in image.size):
        divisor //= 2  # OpenJPEG rounds sizes up and Pillow to the nearest: only where both agree does it decode
    jp2.check_working_memory(sizes, divisor, limits)
    image.reduce = divisor.bit_length() - 1
    image.load()
    return _raster(image, side_px, 1, white=65_535)


def open_tiff(data: bytes, limits: Limits) -> Opened:
    """The first page, which Pillow turns upright while decoding; or a camera raw file in TIFF's clothes."""
    directories = Tiff(data)
    page, pages = directories.pages(limits)
    kind = directories.raw_kind(page)
    if kind:
        return raw.open_raw(kind, data, limits)
    check_size(page.width, page.height, limits)
    directories.check_first(page, limits)
    image = TiffImagePlugin.TiffImageFile(io.BytesIO(data))
    header = Header("tiff", page.width, page.height, pages, _tiff_mode(image, page), page.orientation)
    return Opened(header, partial(_tiff_raster, image))


def _tiff_raster(image: TiffImagePlugin.TiffImageFile, side_px: int) -> Raster:
    image.load()
    return _raster(image, side_px, 1)


def _tiff_mode(image: TiffImagePlugin.TiffImageFile, page: Page) -> str:
    mode = _MODES.get(image.mode, "gray16")
    return _deep_mode(image.mode, page.bits) if page.bits > 8 and not page.is_float else mode


def _deep_mode(mode: str, bits: int) -> str:
    return f"{_MODES.get(mode, 'gray').rstrip('0123456789')}{bits}"


def _opened(
    name: str,
    image: ImageFile.ImageFile,
    limits: Limits,
    *,
    frames: int = 1,
    orientation: int = 1,
    color_mode: str | None = None,
    white: float | None = None,
) -> Opened:
    width, height = image.size
    mode = color_mode or _MODES.get(image.mode, "gray16")
    header = Header(name, width, height, frames, mode, orientation)
    check_header(header, limits)
    return Opened(header, partial(_loaded_raster, image, orientation, white))


def _loaded_raster(image: ImageFile.ImageFile, orientation: int, white: float | None, side_px: int) -> Raster:
    image.load()
    return _raster(image, side_px, orientation, white)


def _read_raster(
    reader: Callable[[io.BytesIO], ImageFile.ImageFile], data: bytes, header: Header, side_px: int
) -> Raster:
    return _loaded_raster(reader(io.BytesIO(data)), header.orientation, None, side_px)


def _raster(image: ImageFile.ImageFile, side_px: int, orientation: int, white: float | None = None) -> Raster:
    profile = image.info.get("icc_profile")
    return Raster(flatten(image, side_px, white), profile if isinstance(profile, bytes) else None, orientation)
