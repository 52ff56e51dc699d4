"""JPEG 2000 (ISO/IEC 15444-1): sizes of container and code stream, read before the decoder allocates."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from tintype.codec.limits import Limits
from tintype.codec.verdicts import check_memory, check_size, damaged

_SOC_SIZ = b"\xff\x4f\xff\x51"
_SUPERBOXES = frozenset((b"jp2h",))
_MOST_BOXES = 1_000
_MOST_TILE_PARTS = 1_000_000
_COD, _SOT, _EOC = 0x52, 0x90, 0xD9
_WORKING_BYTES = 8  # OpenJPEG holds each sample as 32 bits, and once more while it undoes the wavelets


@dataclass(frozen=True)
class Sizes:
    """What the code stream says: px, number of components, bits of a sample, and wavelet levels."""

    width: int
    height: int
    components: int
    bits: int
    levels: int


def read_sizes(data: bytes, limits: Limits) -> Sizes:
    """Raises ImageError: `damaged` without a code stream, `rejected` where one of the sizes is too large."""
    stream = 0
    if not data.startswith(_SOC_SIZ):
        for name, start, _ in _boxes(data, 0, len(data)):
            if name == b"ihdr" and start + 8 <= len(data):
                height, width = struct.unpack_from(">II", data, start)
                check_size(width, height, limits)
            elif name == b"jp2c":
                stream = start
    if data[stream : stream + 4] != _SOC_SIZ or len(data) < stream + 43:
        raise damaged("the code stream's header is missing or broken")
    sizes = _read_stream(data, stream)
    check_size(sizes.width, sizes.height, limits)
    _check_tile_parts(data, stream)
    return sizes


def check_working_memory(sizes: Sizes, divisor: int, limits: Limits) -> None:
    """Raises ImageError `rejected` where decoding at one `divisor`-th of the size takes too much memory."""
    samples = (sizes.width // divisor + 1) * (sizes.height // divisor + 1) * sizes.components
    check_memory(samples * _WORKING_BYTES, limits)


def _read_stream(data: bytes, stream: int) -> Sizes:
    right, bottom, left, top = struct.unpack_from(">4I", data, stream + 8)
    components = struct.unpack_from(">H", data, stream + 40)[0]
    bits = (data[stream + 42] & 0x7F) + 1
    return Sizes(right - left, bottom - top, components, bits, _levels(data, stream))


def _levels(data: bytes, stream: int) -> int:
    """Wavelet decompositions, from the COD segment of the main header; 0 where it is not found."""
    for marker, at in _main_header(data, stream):
        if marker == _COD and at + 10 <= len(data):
            return min(data[at + 9], 32)
    return 0


def _main_header(data: bytes, stream: int) -> Iterator[tuple[int, int]]:
    """Each marker of the main header and where it is; the last one is the first tile-part's, or what stands there."""
    at = stream + 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        yield data[at + 1], at
        if data[at + 1] in (_SOT, _EOC):
            return
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")


def _check_tile_parts(data: bytes, stream: int) -> None:
    """Raises ImageError `damaged` where a tile-part is cut off: OpenJPEG leaves the tiles that it lacks black."""
    at = next((at for marker, at in _main_header(data, stream) if marker == _SOT), len(data))
    for _ in range(_MOST_TILE_PARTS):
        if at + 12 > len(data):
            raise damaged("the file ends in the middle of the picture (a tile is missing)")
        length = int.from_bytes(data[at + 6 : at + 10], "big")
        if length == 0:  # the last one, up to the end of the code stream
            return
        at += max(length, 12)
        if at > len(data):
            raise damaged("the file ends in the middle of the picture (a tile is cut off)")
        if data[at : at + 2] != bytes((0xFF, _SOT)):
            return


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, begin and end of each box, those inside of the header box too."""
    for _ in range(_MOST_BOXES):
        if at + 8 > end:
            return
        length, name, start = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8], at + 8
        if length == 1 and at + 16 <= end:
            length, start = int.from_bytes(data[at + 8 : at + 16], "big"), at + 16
        stop = min(at + length, end) if length else end
        if stop < start:
            return
        yield name, start, stop
        if name in _SUPERBOXES:
            yield from _boxes(data, start, stop)
        at = stop
