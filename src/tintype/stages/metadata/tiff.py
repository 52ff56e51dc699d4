"""The tags of an EXIF block: IFD0, and the EXIF and GPS IFDs that it points to.

Sources: TIFF 6.0 (Adobe, 1992) section 2; EXIF 3.0 (JEITA CP-3451F, 2023) section 4.6; the BigTIFF proposal.
Later IFDs are never followed, so chains and loops of them cost nothing. Maker notes are not read.
"""

from __future__ import annotations

import struct
from collections.abc import Set
from dataclasses import dataclass

from tintype.codec.tiff import TYPE_SIZES
from tintype.stages.metadata import tags

MAX_ENTRIES = 1_000  # looked at in one IFD; real ones have at most some 150
MAX_VALUE_BYTES = 1 << 20  # of one value
MAX_NUMBERS = 8  # of one value; a lens specification has 4

Number = int | float | None  # None: a fraction over 0
Value = bytes | tuple[Number, ...]  # bytes: texts and opaque values

_CLASSIC = (
    b"II*\0",
    b"MM\0*",
    b"IIRO",
    b"IIRS",
    b"MMOR",
    b"IIU\0",
)  # the last four: raws of Olympus and Panasonic
_BIG = (b"II+\0", b"MM\0+")
_SIZES = {**TYPE_SIZES, 129: 1}  # 129: UTF-8, of Exif 3.0
_LETTERS = {
    1: "B",
    3: "H",
    4: "I",
    5: "II",
    6: "b",
    8: "h",
    9: "i",
    10: "ii",
    11: "f",
    12: "d",
    13: "I",
    16: "Q",
    17: "q",
    18: "Q",
}
_FRACTIONS = (5, 10)


def is_tiff(data: bytes) -> bool:
    """Whether the bytes begin like a TIFF file, also a big one or a camera's raw file of that build."""
    return data.startswith(_CLASSIC) or data.startswith(_BIG)


@dataclass(frozen=True, slots=True)
class Tags:
    """The tags that are wanted, by number: of IFD0 and the EXIF IFD together, and of the GPS IFD."""

    main: dict[int, Value]
    gps: dict[int, Value]
    is_big_endian: bool


def read_tags(block: bytes) -> Tags | None:
    """Read the wanted tags; None where the block has no TIFF header.

    Of a tag that stands twice in an IFD the first counts, of one in IFD0 and in the EXIF IFD the latter's.
    Entries that are broken or lie outside of the block are left out.
    """
    if not is_tiff(block):
        return None
    layout = _Layout(block[:1] == b"M", block.startswith(_BIG))
    if len(block) < layout.first_at + layout.inline_bytes:
        return None
    first = struct.unpack_from(layout.pointer, block, layout.first_at)[0]
    main = _read_ifd(block, first, layout, tags.WANTED)
    exif = _read_pointed(block, main.pop(tags.EXIF_IFD, None), layout, tags.WANTED_EXIF)
    gps = _read_pointed(block, main.pop(tags.GPS_IFD, None), layout, tags.WANTED_GPS)
    main.update(exif)
    return Tags(main, gps, layout.is_big_endian)


class _Layout:
    """How an IFD is laid out: byte order, and offsets of 4 or of 8 bytes."""

    __slots__ = ("count", "entry", "entry_bytes", "first_at", "inline_bytes", "is_big_endian", "order", "pointer")

    def __init__(self, is_big_endian: bool, is_big: bool) -> None:
        self.is_big_endian = is_big_endian
        self.order = ">" if is_big_endian else "<"
        self.pointer, self.inline_bytes = self.order + ("Q" if is_big else "I"), 8 if is_big else 4
        self.first_at = 8 if is_big else 4  # where the offset of the first IFD stands
        self.count = self.order + ("Q" if is_big else "H")
        self.entry, self.entry_bytes = self.order + ("HHQQ" if is_big else "HHII"), 20 if is_big else 12


def _read_pointed(block: bytes, pointer: Value | None, layout: _Layout, wanted: Set[int]) -> dict[int, Value]:
    if not isinstance(pointer, tuple) or not isinstance(pointer[0], int):
        return {}
    return _read_ifd(block, pointer[0], layout, wanted)


def _read_ifd(block: bytes, offset: int, layout: _Layout, wanted: Set[int]) -> dict[int, Value]:
    found: dict[int, Value] = {}
    start = offset + struct.calcsize(layout.count)
    if not 0 < offset <= len(block) - start + offset:
        return found
    size = layout.entry_bytes
    count = min(struct.unpack_from(layout.count, block, offset)[0], MAX_ENTRIES, (len(block) - start) // size)
    position = start + size - layout.inline_bytes  # of the entry's value
    for tag, kind, length, pointer in struct.iter_unpack(layout.entry, block[start : start + count * size]):
        if tag in wanted and tag not in found and kind in _SIZES:
            is_inline = length * _SIZES[kind] <= layout.inline_bytes
            value = _read_value(block, position if is_inline else pointer, kind, length, tag, layout.order)
            if value:
                found[tag] = value
        position += size
    return found


def _read_value(block: bytes, start: int, kind: int, length: int, tag: int, order: str) -> Value:
    """The value at `start`; empty where it is not wholly within the block."""
    size = length * _SIZES[kind]
    if start + size > len(block):
        return b""
    letters = _LETTERS.get(kind)
    if letters is None or tag in tags.OPAQUE:
        return block[start : start + min(size, MAX_VALUE_BYTES)]
    count = min(length, MAX_NUMBERS)
    numbers: tuple[int | float, ...] = struct.unpack_from(order + letters * count, block, start)
    if kind in _FRACTIONS:
        return tuple(above / below if below else None for above, below in zip(numbers[::2], numbers[1::2], strict=True))
    return numbers
