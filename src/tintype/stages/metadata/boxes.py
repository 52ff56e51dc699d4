"""Where the EXIF, XMP and IPTC blocks lie in files made of boxes: HEIC, AVIF, JPEG 2000 and JPEG XL.

Sources: ISO/IEC 14496-12 (boxes, `meta`, `iinf`, `iloc`), 23008-12 annex A (Exif and XMP items of HEIF),
15444-1 annex I (JP2; the UUIDs of XMP part 3 and of the JP2 Exif convention), 18181-2 (JPEG XL).
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct

MAX_PIECES = 64  # of one item

_BOX = Struct(">I4s")
_U32 = Struct(">I")
_U64 = Struct(">Q")

_UUID_EXIF = b"JpgTiffExif->JP2"
_UUID_XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
_UUID_IPTC = bytes.fromhex("33c7a4d2b81d4723a0baf1a3e097ad38")
_WANTED = frozenset({b"meta", b"Exif", b"xml ", _UUID_EXIF, _UUID_XMP, _UUID_IPTC})
_XMP_TYPE = b"application/rdf+xml"

Found = tuple[bytes | None, bytes | None, bytes | None]


def is_made_of_boxes(data: bytes) -> bool:
    """Whether the first box is that of a HEIC or AVIF (`ftyp`), a JPEG 2000 or a JPEG XL file."""
    return data[4:8] in (b"ftyp", b"jP  ", b"JXL ")


def find(data: bytes, max_boxes: int, max_bytes: int) -> Found:
    """The EXIF block from its TIFF header on, the XMP packet and the IPTC data sets; None where missing."""
    found: dict[bytes, bytes] = {}
    for kind, start, end in _boxes(data, 0, len(data), max_boxes):
        if kind == b"uuid":
            kind, start = data[start : start + 16], start + 16
        if kind in _WANTED and kind not in found:
            found[kind] = data[start : min(end, start + max_bytes)]
    exif, xmp = _items(found.get(b"meta", b"")[4:], data, max_boxes, max_bytes)
    exif = exif or _after_its_offset(found.get(b"Exif", b"")) or found.get(_UUID_EXIF)
    return exif, xmp or found.get(b"xml ") or found.get(_UUID_XMP), found.get(_UUID_IPTC)


def _boxes(data: bytes, position: int, end: int, max_boxes: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, and where the content begins and ends, of the boxes side by side in data[position:end]."""
    for _ in range(max_boxes):
        if position + 8 > end:
            return
        size, kind = _BOX.unpack_from(data, position)
        start = position + 8
        if size == 1 and position + 16 <= end:
            size, start = _U64.unpack_from(data, start)[0], position + 16
        stop = end if size == 0 else min(end, position + size)
        if stop < start:
            return
        yield kind, start, stop
        position = stop


def _after_its_offset(block: bytes) -> bytes | None:
    """An Exif item begins with the distance from there to its TIFF header."""
    if len(block) < 4:
        return None
    return block[4 + _U32.unpack_from(block)[0] :] or None


def _items(meta: bytes, data: bytes, max_items: int, max_bytes: int) -> tuple[bytes | None, bytes | None]:
    """EXIF block and XMP packet among the items of a `meta` box."""
    parts = {kind: meta[start:end] for kind, start, end in _boxes(meta, 0, len(meta), 64)}
    if b"iinf" not in parts or b"iloc" not in parts:
        return None, None
    exif_id, xmp_id = _wanted_items(parts[b"iinf"], max_items)
    wanted = {item for item in (exif_id, xmp_id) if item is not None}
    pieces = _locations(parts[b"iloc"], wanted, max_items) if wanted else {}
    places = (data, parts.get(b"idat", b""))
    exif, xmp = (_gathered(pieces[item], places, max_bytes) if item in pieces else b"" for item in (exif_id, xmp_id))
    return _after_its_offset(exif), xmp or None


def _wanted_items(iinf: bytes, max_items: int) -> tuple[int | None, int | None]:
    """Numbers of the first Exif and the first XMP item of the item information box."""
    exif = xmp = None
    first = 6 if iinf[:1] == b"\0" else 8  # after version, flags and the count of entries
    for kind, start, end in _boxes(iinf, first, len(iinf), max_items):
        version = iinf[start] if start < end else 0
        if kind != b"infe" or version < 2:
            continue
        id_size = 2 if version == 2 else 4
        item = int.from_bytes(iinf[start + 4 : start + 4 + id_size])
        item_type = iinf[start + 6 + id_size : start + 10 + id_size]  # after the item's protection index
        if item_type == b"Exif" and exif is None:
            exif = item
        elif item_type == b"mime" and xmp is None and _XMP_TYPE in iinf[start + 10 + id_size : end]:
            xmp = item
    return exif, xmp


Piece = tuple[int, int, int]  # 0: in the file, 1: in the `idat` box; offset; length


def _locations(iloc: bytes, wanted: set[int], max_items: int) -> dict[int, list[Piece]]:
    """The pieces of each wanted item, from an item location box."""
    found: dict[int, list[Piece]] = {}
    reader = _Reader(iloc)
    version = reader.number(1)
    reader.skip(3)
    sizes = reader.number(2)
    has_method = version in (1, 2)
    base_size = sizes >> 4 & 15
    piece_sizes = (sizes & 15 if has_method else 0, sizes >> 12, sizes >> 8 & 15)  # index, offset, length
    id_size = 2 if version < 2 else 4
    for _ in range(min(reader.number(id_size), max_items)):
        item = reader.number(id_size)
        method = reader.number(2) & 15 if has_method else 0
        reader.skip(2)  # index of a file elsewhere
        base, count = reader.number(base_size), reader.number(2)
        if item not in wanted or item in found or method > 1:
            reader.skip(count * sum(piece_sizes))
        else:
            found[item] = [_piece(reader, method, base, piece_sizes) for _ in range(min(count, MAX_PIECES))]
        if reader.is_past_end or len(found) == len(wanted):
            break
    return found


def _piece(reader: _Reader, method: int, base: int, sizes: tuple[int, int, int]) -> Piece:
    reader.skip(sizes[0])
    return method, base + reader.number(sizes[1]), reader.number(sizes[2])


def _gathered(pieces: list[Piece], places: tuple[bytes, bytes], max_bytes: int) -> bytes:
    block = b""
    for method, offset, length in pieces:
        room = max_bytes - len(block)
        block += places[method][offset : offset + min(length or room, room)]  # length 0: up to the end
    return block


class _Reader:
    """Numbers of a box, one after the other; past its end they are 0."""

    def __init__(self, box: bytes) -> None:
        self._box, self._position = box, 0

    @property
    def is_past_end(self) -> bool:
        return self._position > len(self._box)

    def skip(self, size: int) -> None:
        self._position += size

    def number(self, size: int) -> int:
        start, self._position = self._position, self._position + size
        return int.from_bytes(self._box[start : self._position])
