"""Where the EXIF, XMP and IPTC blocks lie in an image file, without decoding it.

Sources: JPEG, ITU-T T.81 with EXIF 3.0 (JEITA CP-3451F) 4.7 and XMP part 3 (Adobe, 2020); PNG 3rd edition
(W3C); WebP, RFC 9649; GIF, XMP part 3. What is built of boxes is read in `boxes`.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct

from tintype.stages.metadata import boxes
from tintype.stages.metadata.tiff import is_tiff

MAX_BLOCK_BYTES = 1 << 20  # of one block, also after inflating; JPEG's own blocks end at 64 KiB
MAX_PARTS = 20_000  # segments, chunks or boxes looked at in one file
MAX_PNG_TEXTS = 16  # that may hold metadata and are unpacked in one file

_JPEG_EXIF = b"Exif\0"
_JPEG_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_JPEG_PHOTOSHOP = b"Photoshop 3.0\0"
_GIF_XMP = b"\x21\xff\x0bXMP DataXMP"
_GIF_XMP_END = b"\x01\xff\xfe\xfd"  # the "magic trailer" that lets old readers skip the packet
_PNG_TEXTS = (b"iTXt", b"tEXt", b"zTXt")
_PNG_XMP = b"XML:com.adobe.xmp"
_RAW_PROFILE = b"Raw profile type "  # how ImageMagick keeps a block in a PNG: hexadecimal digits in a text
_PNG_KEYWORDS = (_PNG_XMP, _RAW_PROFILE)

_U16 = Struct(">H")
_PNG_CHUNK = Struct(">I4s")
_RIFF_CHUNK = Struct("<4sI")


@dataclass(slots=True)
class Blocks:
    """The metadata blocks of one file; the first of each kind. A TIFF file is an EXIF block itself."""

    exif: bytes | None = None  # from its TIFF header on
    xmp: bytes | None = None  # an XMP packet
    photoshop: bytes | None = None  # Photoshop's image resources, which may hold IPTC
    iptc: bytes | None = None  # IPTC-IIM data sets


def find_blocks(data: bytes) -> Blocks:
    """Find the blocks of a file, whose format its first bytes tell.

    Known are JPEG, PNG, WebP, GIF, TIFF, HEIC, AVIF, JPEG 2000 and JPEG XL; other content gives no blocks. Of
    a broken file they are those that lie before the damage.
    """
    if data.startswith(b"\xff\xd8"):
        return _in_jpeg(data)
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return _in_png(data)
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return _in_webp(data)
    if is_tiff(data):
        return Blocks(exif=data)
    if data.startswith((b"GIF87a", b"GIF89a")):
        return _in_gif(data)
    if boxes.is_made_of_boxes(data):
        exif, xmp, iptc = boxes.find(data, MAX_PARTS, MAX_BLOCK_BYTES)
        return Blocks(exif=exif and without_exif_mark(exif), xmp=xmp, iptc=iptc)
    return Blocks()


def _in_jpeg(data: bytes) -> Blocks:
    found = Blocks()
    exif: list[bytes] = []
    photoshop: list[bytes] = []
    for marker, start, end in _jpeg_segments(data):
        if marker == 0xE1 and data.startswith(_JPEG_EXIF, start):
            _add_exif(exif, data[start + 6 : end])
        elif marker == 0xE1 and found.xmp is None and data.startswith(_JPEG_XMP, start):
            found.xmp = data[start + len(_JPEG_XMP) : end]
        elif marker == 0xED and data.startswith(_JPEG_PHOTOSHOP, start):
            _add(photoshop, data[start + len(_JPEG_PHOTOSHOP) : end])
    found.exif = b"".join(exif) or None
    found.photoshop = b"".join(photoshop) or None
    return found


def _jpeg_segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, and where the segment's content begins and ends, of what stands before the pixels."""
    position = 2
    for _ in range(MAX_PARTS):
        if data[position : position + 1] != b"\xff" or position + 4 > len(data):
            return
        marker = data[position + 1]
        if marker in (0xDA, 0xD9):  # pixels, end of image
            return
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:  # stand alone, without a length
            position += 2
            continue
        end = position + 2 + _U16.unpack_from(data, position + 2)[0]
        if end < position + 4:
            return
        yield marker, position + 4, end
        position = end


def _add_exif(parts: list[bytes], content: bytes) -> None:
    """Add the first block; one over 64 KiB goes on in the next segment, without a TIFF header of its own."""
    if not parts or not is_tiff(content):
        _add(parts, content)


def _add(parts: list[bytes], content: bytes) -> None:
    if len(parts) < MAX_BLOCK_BYTES >> 16:  # a segment has at most 64 KiB
        parts.append(content)


def _in_png(data: bytes) -> Blocks:
    found = Blocks()
    position, texts_left = 8, MAX_PNG_TEXTS
    for _ in range(MAX_PARTS):
        if position + 8 > len(data):
            break
        size, kind = _PNG_CHUNK.unpack_from(data, position)
        start = position + 8
        if kind == b"eXIf" and found.exif is None:
            found.exif = without_exif_mark(data[start : start + min(size, MAX_BLOCK_BYTES)])
        elif kind in _PNG_TEXTS and texts_left and data.startswith(_PNG_KEYWORDS, start):
            texts_left -= 1
            _add_png_text(found, kind, data[start : start + min(size, MAX_BLOCK_BYTES)])
        elif kind == b"IEND":
            break
        position = start + size + 4
    return found


def _add_png_text(found: Blocks, kind: bytes, chunk: bytes) -> None:
    keyword, _, rest = chunk.partition(b"\0")
    if keyword == _PNG_XMP and kind == b"iTXt":
        found.xmp = found.xmp or _international_text(rest)
    elif keyword.startswith(_RAW_PROFILE) and kind != b"iTXt":
        profile = _raw_profile(_inflated(rest[1:]) if kind == b"zTXt" else rest)
        what = keyword[len(_RAW_PROFILE) :].lower()
        if what in (b"exif", b"app1") and profile.startswith(_JPEG_EXIF):
            found.exif = found.exif or profile[6:]
        elif what in (b"xmp", b"app1"):
            found.xmp = found.xmp or profile.removeprefix(_JPEG_XMP)
        elif what == b"iptc":
            found.photoshop = found.photoshop or profile.removeprefix(_JPEG_PHOTOSHOP)


def _international_text(rest: bytes) -> bytes:
    """The text of an iTXt chunk: two flags, the language and the translated keyword stand before it."""
    fields = rest[2:].split(b"\0", 2)
    if len(fields) < 3:
        return b""
    return _inflated(fields[2]) if rest[:1] == b"\x01" else fields[2]


def _inflated(packed: bytes) -> bytes:
    try:
        return zlib.decompressobj().decompress(packed, MAX_BLOCK_BYTES)
    except zlib.error:
        return b""


def _raw_profile(text: bytes) -> bytes:
    """The bytes of a raw profile: a line break, name, length, then hexadecimal digits over many lines."""
    lines = text.strip().split(b"\n", 2)
    try:
        return bytes.fromhex(lines[2].decode("ascii")) if len(lines) == 3 else b""
    except ValueError:
        return b""


def _in_webp(data: bytes) -> Blocks:
    found = Blocks()
    position = 12
    for _ in range(MAX_PARTS):
        if position + 8 > len(data):
            break
        kind, size = _RIFF_CHUNK.unpack_from(data, position)
        start = position + 8
        if kind == b"EXIF" and found.exif is None:
            found.exif = without_exif_mark(data[start : start + min(size, MAX_BLOCK_BYTES)])
        elif kind == b"XMP " and found.xmp is None:
            found.xmp = data[start : start + min(size, MAX_BLOCK_BYTES)]
        position = start + size + (size & 1)
    return found


def without_exif_mark(block: bytes) -> bytes:
    """The block from its TIFF header on: some programs keep JPEG's mark before it in other formats."""
    return block[6:] if block.startswith(_JPEG_EXIF) else block


def _in_gif(data: bytes) -> Blocks:
    start = data.find(_GIF_XMP)
    if start < 0:
        return Blocks()
    start += len(_GIF_XMP)
    end = data.find(_GIF_XMP_END, start, start + MAX_BLOCK_BYTES)
    return Blocks(xmp=data[start : end if end >= 0 else start + MAX_BLOCK_BYTES])
