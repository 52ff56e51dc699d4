"""GIF (89a specification): frames counted and structure checked without decoding any."""

from __future__ import annotations

import struct

from tintype.codec.image import Header
from tintype.codec.limits import Limits
from tintype.codec.verdicts import check_size, damaged, rejected

_EXTENSION, _FRAME, _TRAILER = 0x21, 0x2C, 0x3B


def read_header(data: bytes, limits: Limits) -> Header:
    """Raises ImageError: `damaged` where a block breaks off, `rejected` past `limits.frames`.

    A missing trailer alone is no damage: every frame is there.
    """
    if len(data) < 13:
        raise damaged("the file breaks off in its header")
    width, height = int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")
    check_size(width, height, limits)
    at = 13 + _table_size(data[10])
    frames = 0
    while at < len(data) and data[at] != _TRAILER:
        if data[at] == _EXTENSION:
            at = _after_blocks(data, at + 2)
        elif data[at] == _FRAME:
            frames += 1
            if frames > limits.frames:
                raise rejected(f"more than the limit of {limits.frames} frames (limits.frames)")
            if frames == 1:
                _check_first(data, at, limits)
            at = _after_frame(data, at, frames)
        elif frames and data[at] == 0:
            at += 1  # padding between blocks, which some programs write
        else:
            break
    if not frames:
        raise damaged("the file holds no frame")
    return Header("gif", width, height, frames, "palette", 1)


def _table_size(flags: int) -> int:
    """Bytes of the color table that the flags announce."""
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _after_frame(data: bytes, at: int, number: int) -> int:
    if at + 10 >= len(data):
        raise damaged(f"the file ends in frame {number}")
    return _after_blocks(data, at + 11 + _table_size(data[at + 9]))


def _check_first(data: bytes, at: int, limits: Limits) -> None:
    """The frame may be larger than the screen, and is what gets decoded."""
    if at + 10 >= len(data):
        raise damaged("the file ends in its first frame")
    left, top, width, height = struct.unpack_from("<4H", data, at + 1)
    if not width or not height:
        raise damaged(f"the first frame is {width} × {height} px")
    check_size(left + width, top + height, limits)
    start = at + 10 + _table_size(data[at + 9])
    if start < len(data) and not 1 <= data[start] <= 11:
        raise damaged(f"the first frame has an LZW code size of {data[start]}, which does not exist")


def _after_blocks(data: bytes, at: int) -> int:
    """Where the chain of data blocks that begins here ends."""
    while at < len(data):
        length = data[at]
        at += length + 1
        if not length:
            return at
    raise damaged("the file ends in the middle of a frame or an extension")
