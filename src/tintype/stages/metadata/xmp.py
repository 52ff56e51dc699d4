"""The properties of an XMP packet that are read.

Sources: XMP part 1 (ISO 16684-1) for the forms that RDF takes; XMP part 2 and CIPA DC-010 for the names.
The packet is read by expat in one pass. What declares a document type is refused, so nothing is expanded or
fetched; reading ends at a bound of bytes or elements, or at the first error, with what was found until then.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from xml.parsers import expat

MAX_BYTES = 1 << 20
MAX_ELEMENTS = 20_000
MAX_DEPTH = 100
MAX_NAMESPACE_CHARS = 200  # expat writes the namespace out before every name, so a long one costs it each time

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns# "
_LANGUAGE = "http://www.w3.org/XML/1998/namespace lang"
_NAMESPACES = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "exifEX": "http://cipa.jp/exif/1.0/",
    "aux": "http://ns.adobe.com/exif/1.0/aux/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
}
_NAMES = (
    "dc:creator dc:description dc:rights dc:subject dc:title",
    "xmp:CreateDate xmp:CreatorTool xmp:Rating",
    "tiff:Make tiff:Model tiff:Software tiff:Artist tiff:Copyright tiff:ImageDescription",
    "exif:DateTimeOriginal exif:DateTimeDigitized exif:ExposureTime exif:FNumber exif:ISOSpeedRatings",
    "exif:FocalLength exif:FocalLengthIn35mmFilm exif:Flash exif:Fired exif:UserComment",
    "exif:GPSLatitude exif:GPSLongitude exif:GPSAltitude exif:GPSAltitudeRef",
    "exifEX:LensModel exifEX:PhotographicSensitivity aux:Lens photoshop:DateCreated",
)
_WANTED = {
    f"{_NAMESPACES[name.partition(':')[0]]} {name.partition(':')[2]}": name for line in _NAMES for name in line.split()
}

Properties = dict[str, list[str]]  # "dc:subject" → its items, or its one text


class _Enough(Exception):
    """Reading ends here, for good reasons or bad ones."""


def read_xmp(packet: bytes) -> Properties:
    """The wanted properties of the packet's own resource, by the prefixes above; none where it is not XMP.

    Of a text in several languages the default one comes first.
    """
    handler = _Handler()
    parser = expat.ParserCreate("UTF-8", " ")
    parser.buffer_text = True
    parser.StartElementHandler = handler.start
    parser.EndElementHandler = handler.end
    parser.CharacterDataHandler = handler.text
    parser.StartNamespaceDeclHandler = _check_namespace
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    with suppress(_Enough, expat.ExpatError):  # what was found so far is kept
        parser.Parse(_as_utf_8(packet), True)
    return handler.found


def _check_namespace(_: str, uri: str | None) -> None:
    if uri and len(uri) > MAX_NAMESPACE_CHARS:
        raise _Enough


def _refuse(*_: object) -> None:
    raise _Enough


def _as_utf_8(packet: bytes) -> bytes:
    """The packet as sound UTF-8, without what is wrapped around it."""
    start = packet[:64]
    if b"\0" in start.rstrip(b"\0"):
        encoding = (
            "utf-16" if start[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-16-le" if start[1:2] == b"\0" else "utf-16-be"
        )
        return packet[:MAX_BYTES].decode(encoding, "replace").encode("utf-8", "replace")
    packet = packet[:MAX_BYTES].strip(b"\0 \t\r\n")
    try:
        packet.decode()
    except UnicodeDecodeError:
        return packet.decode("utf-8", "replace").encode()
    return packet


class _Handler:
    """Follows where in the packet the parser is, and keeps the wanted properties."""

    def __init__(self) -> None:
        self.found: Properties = {}
        self._elements = 0
        self._depth = 0
        self._rdf_depth = 0  # of rdf:RDF; 0 outside of it
        self._property = ""  # that is being read
        self._items: list[str] = []
        self._plain: list[str] = []  # text that stands in no item
        self._item: list[str] | None = None
        self._item_level = 0
        self._is_default = False

    def start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._elements += 1
        self._depth += 1
        if self._elements > MAX_ELEMENTS or self._depth > MAX_DEPTH:
            raise _Enough
        level = self._depth - self._rdf_depth
        if not self._rdf_depth:
            if name == _RDF + "RDF":
                self._rdf_depth = self._depth
        elif level == 1:
            self._take(attributes)
        elif level == 2:
            self._begin(name, attributes)
        elif self._property:
            self._within(name, attributes, level)

    def _take(self, attributes: Mapping[str, str]) -> None:
        """Simple properties may be written as attributes."""
        for name, value in attributes.items():
            if name in _WANTED:
                self.found.setdefault(_WANTED[name], [value])

    def _begin(self, name: str, attributes: Mapping[str, str]) -> None:
        self._property = _WANTED.get(name, "")
        self._items, self._plain, self._item = [], [], None
        if self._property == "exif:Flash":
            self._take(attributes)

    def _within(self, name: str, attributes: Mapping[str, str], level: int) -> None:
        if self._property == "exif:Flash":  # a structure, of which one field is wanted
            self._take(attributes)
            if _WANTED.get(name) == "exif:Fired":
                self._item, self._item_level = [], level
        elif name == _RDF + "li" and level == 4:
            self._item, self._item_level = [], level
            self._is_default = attributes.get(_LANGUAGE) == "x-default"

    def text(self, text: str) -> None:
        if self._item is not None:
            self._item.append(text)
        elif self._property:
            self._plain.append(text)

    def end(self, name: str) -> None:
        level = self._depth - self._rdf_depth
        self._depth -= 1
        if not self._rdf_depth:
            return
        if level == 0:
            raise _Enough  # the one rdf:RDF is over
        if level == 2:
            self._finish()
        elif self._item is not None and level == self._item_level:
            self._finish_item()

    def _finish_item(self) -> None:
        text = "".join(self._item or ())
        self._item = None
        if self._property == "exif:Flash":
            self.found.setdefault("exif:Fired", [text])
        elif self._is_default:
            self._items.insert(0, text)
        else:
            self._items.append(text)

    def _finish(self) -> None:
        if self._property and self._property != "exif:Flash":
            items = self._items or ["".join(self._plain)]
            self.found.setdefault(self._property, items)
        self._property, self._item = "", None
