"""WebP (RFC 9649): size, frames and metadata from its RIFF chunks, before any decoder allocates a canvas."""

from __future__ import annotations

from collections.abc import Iterator

from tintype.codec.image import Header
from tintype.codec.limits import Limits
from tintype.codec.orientation import orientation_of
from tintype.codec.verdicts import damaged, rejected

_ALPHA = 0x10  # flag of the VP8X chunk


def read_header(data: bytes, limits: Limits) -> Header:
    """Raises ImageError: `damaged` where the file is cut short, `rejected` past `limits.frames`."""
    claimed = int.from_bytes(data[4:8], "little") + 8
    if claimed > len(data) + 1:  # one byte of padding at the end may be missing
        raise damaged(f"the file ends early: its header says {claimed:,} bytes, {len(data):,} are there")
    first = data[12:16]
    width, height, has_alpha = _canvas(first, data[20:30])
    frames, exif = 0, b""
    if first == b"VP8X":
        for name, start, end in _chunks(data):
            frames += name == b"ANMF"
            if frames > limits.frames:
                raise rejected(f"more than the limit of {limits.frames} frames (limits.frames)")
            if name == b"EXIF":
                exif = data[start:end]
    return Header("webp", width, height, max(1, frames), "rgba" if has_alpha else "rgb", orientation_of(exif))


def _canvas(name: bytes, head: bytes) -> tuple[int, int, bool]:
    """Width, height and whether there is alpha, from the first ten bytes of the first chunk."""
    if len(head) < 10:
        raise damaged("the file breaks off in its header")
    if name == b"VP8X":
        width, height = (int.from_bytes(head[at : at + 3], "little") + 1 for at in (4, 7))
        return width, height, bool(head[0] & _ALPHA)
    if name == b"VP8L":
        bits = int.from_bytes(head[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bool(bits >> 28 & 1)
    width, height = (int.from_bytes(head[at : at + 2], "little") & 0x3FFF for at in (6, 8))
    return width, height, False


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, begin and end of each chunk's data."""
    at = 12
    while at + 8 <= len(data):
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        yield data[at : at + 4], at + 8, min(at + 8 + length, len(data))
        at += 8 + length + (length & 1)
