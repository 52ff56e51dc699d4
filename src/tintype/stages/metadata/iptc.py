"""IPTC data sets, and the Photoshop resources that they lie in.

Sources: IPTC-NAA Information Interchange Model 4.2 (2014); Adobe Photoshop File Formats Specification, "Image
Resource Blocks"; Metadata Working Group, Guidelines for Handling Image Metadata 2.0 (2010) for the digest.
"""

from __future__ import annotations

import hashlib
from struct import Struct

from tintype.stages.metadata import texts

MAX_DATA_SETS = 5_000  # looked at in one block
MAX_RESOURCES = 1_000

CHARACTER_SET = (1, 90)
OBJECT_NAME = (2, 5)
KEYWORDS = (2, 25)
DATE_CREATED = (2, 55)
TIME_CREATED = (2, 60)
DIGITAL_CREATION_DATE = (2, 62)
DIGITAL_CREATION_TIME = (2, 63)
ORIGINATING_PROGRAM = (2, 65)
BY_LINE = (2, 80)
COPYRIGHT_NOTICE = (2, 116)
CAPTION = (2, 120)

_WANTED = frozenset(
    {
        CHARACTER_SET, OBJECT_NAME, KEYWORDS, DATE_CREATED, TIME_CREATED, DIGITAL_CREATION_DATE,
        DIGITAL_CREATION_TIME, ORIGINATING_PROGRAM, BY_LINE, COPYRIGHT_NOTICE, CAPTION,
    }
)  # fmt: skip

_UTF_8 = b"\x1b%G"  # ISO 2022's escape for UTF-8
_RESOURCE_IPTC = 0x0404
_RESOURCE_DIGEST = 0x0425
_HEAD = Struct(">BBBH")
_U16 = Struct(">H")
_U32 = Struct(">I")

DataSets = dict[tuple[int, int], list[str]]  # (record, number) → its texts, in order


def split_photoshop(block: bytes) -> tuple[bytes | None, bytes | None]:
    """The IPTC block among Photoshop's resources, and the digest that the last writer of XMP took of it."""
    iptc = digest = None
    position = 0
    for _ in range(MAX_RESOURCES):
        if block[position : position + 4] != b"8BIM" or position + 12 > len(block):
            break
        number = _U16.unpack_from(block, position + 4)[0]
        start = position + 6 + (block[position + 6] // 2 + 1) * 2  # after a name, padded to an even length
        if start + 4 > len(block):
            break
        size = _U32.unpack_from(block, start)[0]
        content = block[start + 4 : start + 4 + size]
        if number == _RESOURCE_IPTC and iptc is None:
            iptc = content
        elif number == _RESOURCE_DIGEST:
            digest = content
        position = start + 4 + size + size % 2
    return iptc, digest


def is_newer_than_xmp(iptc: bytes, digest: bytes | None) -> bool:
    """Whether the IPTC block was changed after the XMP packet: its digest was stored and no longer fits."""
    if digest is None or len(digest) != 16 or not any(digest):
        return False
    return hashlib.md5(iptc, usedforsecurity=False).digest() != digest


def read_iptc(block: bytes) -> DataSets:
    """The wanted data sets of an IPTC block. Those that are cut off, and what follows them, are left out."""
    found: dict[tuple[int, int], list[bytes]] = {}
    position = 0
    for _ in range(MAX_DATA_SETS):
        if position + _HEAD.size > len(block):
            break
        mark, record, number, size = _HEAD.unpack_from(block, position)
        position += _HEAD.size
        if size & 0x8000:  # an extended data set: the size stands in the next bytes
            count = size & 0x7FFF
            size = int.from_bytes(block[position : position + min(count, 8)])
            position += count
        if mark != 0x1C or position + size > len(block):
            break
        if (record, number) in _WANTED:
            found.setdefault((record, number), []).append(block[position : position + size])
        position += size
    is_utf_8 = found.pop(CHARACTER_SET, [b""])[0].startswith(_UTF_8)
    return {key: [_decoded(value, is_utf_8) for value in values] for key, values in found.items()}


def _decoded(value: bytes, is_utf_8: bool) -> str:
    value = value.partition(b"\0")[0]
    return value.decode("utf-8", "replace") if is_utf_8 else texts.decoded(value)
