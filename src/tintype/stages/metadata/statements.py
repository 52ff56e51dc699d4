"""What the blocks of one image say, each in its own words."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tintype.stages.metadata import iptc, tags, texts
from tintype.stages.metadata.container import Blocks, find_blocks
from tintype.stages.metadata.tiff import Number, Tags, Value, read_tags
from tintype.stages.metadata.xmp import Properties, read_xmp

_NO_TAGS = Tags({}, {}, is_big_endian=False)
_NUMBER = re.compile(r"\s*([+-]?\d{1,15}(?:\.\d{1,15})?)(?:/(\d{1,15}))?\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Statements:
    """The tags, data sets and properties that are read; all may be empty. Texts have at most `max_chars`."""

    exif: Tags
    iptc: iptc.DataSets
    xmp: Properties
    is_iptc_newer: bool  # than XMP
    max_chars: int

    def exif_text(self, tag: int) -> str | None:
        """The tag's text up to its first NUL; None where it is blank or no text."""
        value = self.exif.main.get(tag)
        return texts.kept(texts.up_to_nul(value), self.max_chars) if isinstance(value, bytes) else None

    def exif_number(self, tag: int) -> Number:
        """The tag's first number; None where it is text or a fraction over 0."""
        return first_number(self.exif.main.get(tag))

    def windows_text(self, tag: int) -> str | None:
        """The text of one of Windows' tags."""
        value = self.exif.main.get(tag)
        return texts.kept(texts.from_windows(value), self.max_chars) if isinstance(value, bytes) else None

    def xmp_text(self, name: str) -> str | None:
        """The property's text; of several languages or items the first."""
        items = self.xmp.get(name)
        return texts.kept(items[0], self.max_chars) if items else None

    def xmp_number(self, name: str) -> Number:
        """The property's number: a decimal, or a fraction as in `1/500`."""
        items = self.xmp.get(name)
        found = _NUMBER.fullmatch(items[0]) if items else None
        if not found:
            return None
        below = float(found[2]) if found[2] else 1.0
        return float(found[1]) / below if below else None

    def iptc_text(self, key: tuple[int, int]) -> str | None:
        """The text of the first data set of this record and number."""
        items = self.iptc.get(key)
        return texts.kept(items[0], self.max_chars) if items else None


def read_statements(data: bytes, max_chars: int) -> Statements:
    """Find the blocks of an encoded image and read each; what cannot be read is empty."""
    blocks = find_blocks(data)
    exif = (read_tags(blocks.exif) if blocks.exif else None) or _NO_TAGS
    packet = blocks.xmp or _opaque(exif, tags.XMP_PACKET)
    data_sets, digest = _iptc_block(blocks, exif)
    return Statements(
        exif,
        iptc.read_iptc(data_sets) if data_sets else {},
        read_xmp(packet) if packet else {},
        bool(data_sets) and iptc.is_newer_than_xmp(data_sets, digest),
        max_chars,
    )


def first_number(value: Value | None) -> Number:
    """The first number of a tag's value; None for a text and for a fraction over 0."""
    return value[0] if isinstance(value, tuple) else None


def _iptc_block(blocks: Blocks, exif: Tags) -> tuple[bytes, bytes | None]:
    """The IPTC block, and the digest that was stored of it.

    A JPEG's lies among Photoshop's resources, a TIFF's in a tag of its own; other places count after these.
    """
    within, digest = iptc.split_photoshop(blocks.photoshop or b"")
    within_tag, digest_in_tag = iptc.split_photoshop(_opaque(exif, tags.PHOTOSHOP_BLOCK))
    block = blocks.iptc or within or _opaque(exif, tags.IPTC_BLOCK) or within_tag or b""
    return block, digest or digest_in_tag


def _opaque(exif: Tags, tag: int) -> bytes:
    value = exif.main.get(tag)
    return value if isinstance(value, bytes) else b""
