"""PNG (ISO/IEC 15948): what its chunks say, and whether all rows are there."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tintype.codec.image import Header
from tintype.codec.orientation import orientation_of
from tintype.codec.verdicts import damaged

_COLORS = {
    0: ("gray", 1),
    2: ("rgb", 3),
    3: ("palette", 1),
    4: ("gray_alpha", 2),
    6: ("rgba", 4),
}  # name, samples
_LARGEST_EXIF = 1_000_000  # bytes
_BLOCK = 1 << 16  # bytes inflated at a time
_ADAM7 = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)  # x, y, steps


@dataclass(frozen=True)
class Chunks:
    """What the chunks of a PNG say."""

    header: Header
    bits_per_pixel: int
    is_interlaced: bool
    pictures: tuple[tuple[int, int], ...]  # where the data of each IDAT chunk begin and end


def read_chunks(data: bytes) -> Chunks:
    """Walk all chunks without inflating any. Raises ImageError `damaged` where the header makes no sense."""
    width, height, bits, color, interlace = _read_header(data)
    frames, exif, pictures = 1, b"", []
    for name, start, end in _chunks(data):
        if name == b"IDAT":
            pictures.append((start, end))
        elif name == b"acTL" and end - start >= 8:
            frames = max(1, int.from_bytes(data[start : start + 4], "big"))
        elif name == b"eXIf" and end - start <= _LARGEST_EXIF:
            exif = data[start:end]
    mode, samples = _COLORS[color]
    if bits != 8 and color != 3:
        mode = f"{mode}{bits}"
    header = Header("png", width, height, frames, mode, orientation_of(exif))
    return Chunks(header, bits * samples, interlace == 1, tuple(pictures))


def _read_header(data: bytes) -> tuple[int, int, int, int, int]:
    """Width, height, bits of a sample, color type and interlace method."""
    if len(data) < 33 or data[12:16] != b"IHDR":
        raise damaged("the file breaks off in its header")
    if zlib.crc32(data[12:29]) != int.from_bytes(data[29:33], "big"):
        raise damaged("the header's checksum is wrong")
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    bits, color, interlace = data[24], data[25], data[28]
    if color not in _COLORS or bits not in (1, 2, 4, 8, 16):
        raise damaged(f"the header says color type {color} with {bits} bits a sample, which does not exist")
    return width, height, bits, color, interlace


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, begin and end of each chunk's data up to IEND or the end of the file."""
    at = 8
    while at + 8 <= len(data):
        length, name = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        if name == b"IEND":
            return
        yield name, at + 8, min(at + 8 + length, len(data))
        at += length + 12


def may_lack_rows(pixels: NDArray[np.uint8]) -> bool:
    """Whether one of the last two rows is all zero, which is what a decoder leaves where rows were missing.

    Two, because the last pass of an interlaced image holds odd rows only. `pixels` are as stored: an image
    with a black or transparent lower edge looks the same, and only `has_all_rows` tells.
    """
    return any(not row.any() for row in pixels[-2:])


def has_all_rows(data: bytes, chunks: Chunks) -> bool:
    """Whether the compressed data hold as many bytes as the rows need. Inflates in bounded memory."""
    needed = raw_size(chunks)
    inflate = zlib.decompressobj()
    try:
        for start, end in chunks.pictures:
            pending = data[start:end]
            while pending and needed > 0:
                needed -= len(inflate.decompress(pending, _BLOCK))
                pending = inflate.unconsumed_tail
        needed -= len(inflate.flush()) if needed > 0 else 0
    except zlib.error:
        return False
    return needed <= 0


def raw_size(chunks: Chunks) -> int:
    """Bytes of all rows before compression: one for the filter, then the pixels."""
    width, height, bits = chunks.header.width, chunks.header.height, chunks.bits_per_pixel
    if not chunks.is_interlaced:
        return height * (1 + (width * bits + 7) // 8)
    total = 0
    for left, top, across, down in _ADAM7:
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            total += rows * (1 + (columns * bits + 7) // 8)
    return total
