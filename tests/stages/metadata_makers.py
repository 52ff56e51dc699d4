"""Makers of metadata blocks and of the files they lie in, written from the standards, apart from the readers."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

BYTE, ASCII, SHORT, LONG, RATIONAL, SBYTE, UNDEFINED, SSHORT, SLONG, SRATIONAL, FLOAT, DOUBLE = range(1, 13)
LONG8, SLONG8, UTF8 = 16, 17, 129

_LETTERS = {
    BYTE: "B", SHORT: "H", LONG: "I", RATIONAL: "II", SBYTE: "b", SSHORT: "h", SLONG: "i", SRATIONAL: "ii",
    FLOAT: "f", DOUBLE: "d", LONG8: "Q", SLONG8: "q",
}  # fmt: skip

Entry = tuple[int, object]  # type; bytes, or a list of numbers, or of pairs for fractions
Ifd = Mapping[int, Entry]


def tiff(ifd0: Ifd, exif: Ifd | None = None, gps: Ifd | None = None, *, order: str = "<", big: bool = False) -> bytes:
    """An EXIF block with these tags, in either byte order, as TIFF or as BigTIFF."""
    main = dict(ifd0)
    header = 16 if big else 8
    pointer = LONG8 if big else LONG
    if exif is not None:
        main[0x8769] = (pointer, [0])
    if gps is not None:
        main[0x8825] = (pointer, [0])
    parts = b""
    for tag, ifd in ((0x8769, exif), (0x8825, gps)):
        if ifd is not None:
            main[tag] = (pointer, [header + len(parts)])
            parts += _ifd(ifd, header + len(parts), order, big)
    first = header + len(parts)
    mark = b"II" if order == "<" else b"MM"
    if big:
        return mark + struct.pack(order + "HHHQ", 43, 8, 0, first) + parts + _ifd(main, first, order, big)
    return mark + struct.pack(order + "HI", 42, first) + parts + _ifd(main, first, order, big)


def _ifd(entries: Ifd, start: int, order: str, big: bool) -> bytes:
    count, field, room = ("Q", "HHQ", 8) if big else ("H", "HHI", 4)
    size = struct.calcsize("=" + count) + len(entries) * (struct.calcsize("=" + field) + room) + room
    table, values = struct.pack(order + count, len(entries)), b""
    for tag, (kind, content) in sorted(entries.items()):
        raw, length = _packed(kind, content, order)
        table += struct.pack(order + field, tag, kind, length)
        if len(raw) <= room:
            table += raw.ljust(room, b"\0")
        else:
            table += struct.pack(order + ("Q" if big else "I"), start + size + len(values))
            values += raw + b"\0" * (len(raw) % 2)
    return table + b"\0" * room + values


def _packed(kind: int, content: object, order: str) -> tuple[bytes, int]:
    if isinstance(content, bytes):
        return content, len(content)
    assert isinstance(content, list)
    numbers = [part for item in content for part in (item if isinstance(item, tuple) else (item,))]
    return struct.pack(order + _LETTERS[kind] * len(content), *numbers), len(content)


def text(value: str, encoding: str = "utf-8") -> Entry:
    return ASCII, value.encode(encoding) + b"\0"


def xmp(body: str = "", attributes: str = "", *, around: str = "{}") -> bytes:
    """A packet whose one description has these attributes and this body."""
    names = {
        "dc": "http://purl.org/dc/elements/1.1/", "xmp": "http://ns.adobe.com/xap/1.0/",
        "tiff": "http://ns.adobe.com/tiff/1.0/", "exif": "http://ns.adobe.com/exif/1.0/",
        "aux": "http://ns.adobe.com/exif/1.0/aux/", "photoshop": "http://ns.adobe.com/photoshop/1.0/",
        "exifEX": "http://cipa.jp/exif/1.0/",
    }  # fmt: skip
    declared = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in names.items())
    rdf = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description rdf:about="" {declared} {attributes}>{body}</rdf:Description></rdf:RDF></x:xmpmeta>'
    )
    wrapped = '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>' + rdf + '<?xpacket end="w"?>'
    return around.format(wrapped).encode()


def xmp_list(name: str, items: Sequence[str], kind: str = "Bag") -> str:
    listed = "".join(f"<rdf:li>{escape(item)}</rdf:li>" for item in items)
    return f"<{name}><rdf:{kind}>{listed}</rdf:{kind}></{name}>"


def iptc(*data_sets: tuple[int, int, bytes]) -> bytes:
    """An IPTC block; values of 32 KiB and more become extended data sets."""
    block = b""
    for record, number, value in data_sets:
        size = struct.pack(">H", len(value)) if len(value) < 0x8000 else struct.pack(">HI", 0x8004, len(value))
        block += bytes([0x1C, record, number]) + size + value
    return block


def photoshop(*resources: tuple[int, bytes], name: bytes = b"") -> bytes:
    block = b""
    for number, content in resources:
        title = bytes([len(name)]) + name
        title += b"\0" * (len(title) % 2)
        block += b"8BIM" + struct.pack(">H", number) + title + struct.pack(">I", len(content)) + content
        block += b"\0" * (len(content) % 2)
    return block


def jpeg(*segments: tuple[int, bytes]) -> bytes:
    """What stands before a JPEG's pixels, and the marker where they begin."""
    body = b"".join(b"\xff" + bytes([marker]) + struct.pack(">H", len(s) + 2) + s for marker, s in segments)
    return b"\xff\xd8" + body + b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00\xff\xd9"


def in_jpeg(exif: bytes = b"", xmp: bytes = b"", iptc: bytes = b"", digest: bytes = b"") -> bytes:
    segments = []
    if exif:
        segments.append((0xE1, b"Exif\0\0" + exif))
    if xmp:
        segments.append((0xE1, b"http://ns.adobe.com/xap/1.0/\0" + xmp))
    if iptc:
        resources = [(0x0404, iptc)] + ([(0x0425, digest)] if digest else [])
        segments.append((0xED, b"Photoshop 3.0\0" + photoshop(*resources)))
    return jpeg(*segments)


def in_png(*chunks: tuple[bytes, bytes]) -> bytes:
    all_chunks = ((b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)), *chunks, (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in all_chunks
    )


def in_webp(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(kind + struct.pack("<I", len(c)) + c + b"\0" * (len(c) % 2) for kind, c in chunks)
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


def box(kind: bytes, content: bytes, *, large: bool = False) -> bytes:
    if large:
        return struct.pack(">I4sQ", 1, kind, len(content) + 16) + content
    return struct.pack(">I4s", len(content) + 8, kind) + content


def in_heic(exif: bytes, xmp: bytes = b"", *, version: int = 0, inside_meta: bool = False, items: int = 3) -> bytes:
    """A HEIC file with `items` image items, then one of Exif and one of XMP, which lie at its end or in `idat`."""
    payloads = {items + 1: struct.pack(">I", 6) + b"Exif\0\0" + exif}
    kinds = dict.fromkeys(range(1, items + 1), b"hvc1") | {items + 1: b"Exif"}
    if xmp:
        payloads[items + 2], kinds[items + 2] = xmp, b"mime"

    def meta(base: int) -> bytes:
        entries = b"".join(
            box(b"infe", b"\x02\0\0\0" + struct.pack(">HH4s", number, 0, kind) + b"\0" + mime_of(kind))
            for number, kind in kinds.items()
        )
        iinf = box(b"iinf", b"\0\0\0\0" + struct.pack(">H", len(kinds)) + entries)
        place, locations = base, b""
        for number in kinds:
            payload = payloads.get(number, b"")
            method = struct.pack(">H", 1 if inside_meta and payload else 0) if version else b""
            key = struct.pack(">I" if version == 2 else ">H", number)
            locations += key + method + struct.pack(">HHII", 0, 1, place, len(payload))
            place += len(payload)
        count = struct.pack(">I" if version == 2 else ">H", len(kinds))
        iloc = box(b"iloc", bytes([version, 0, 0, 0, 0x44, 0x00]) + count + locations)
        stored = box(b"idat", b"".join(payloads.values())) if inside_meta else b""
        return box(b"meta", b"\0\0\0\0" + box(b"hdlr", b"\0" * 24) + iinf + iloc + stored)

    def mime_of(kind: bytes) -> bytes:
        return b"application/rdf+xml\0" if kind == b"mime" else b""

    start = box(b"ftyp", b"heic\0\0\0\0mif1heic")
    base = 0 if inside_meta else len(start) + len(meta(0)) + 8
    return start + meta(base) + box(b"mdat", b"" if inside_meta else b"".join(payloads.values()))
