"""What people and programs wrote about an image: title, caption, keywords, rating, whose it is.

EXIF's word counts first; then XMP's, or IPTC's where it is newer: Metadata Working Group 2.0. Windows' own
tags and the user comment, which those guidelines leave out, come last.
"""

from __future__ import annotations

from tintype.stages.metadata import iptc, tags, texts
from tintype.stages.metadata.statements import Statements

_SEVERAL = "; "  # between several creators, and between a photographer's and an editor's copyright


def title(said: Statements) -> str | None:
    return _newer(said, said.xmp_text("dc:title"), said.iptc_text(iptc.OBJECT_NAME)) or said.windows_text(tags.XP_TITLE)


def caption(said: Statements) -> str | None:
    return (
        said.exif_text(tags.IMAGE_DESCRIPTION)
        or _newer(said, said.xmp_text("dc:description"), said.iptc_text(iptc.CAPTION))
        or said.xmp_text("tiff:ImageDescription")
        or said.windows_text(tags.XP_COMMENT)
        or _user_comment(said)
        or said.xmp_text("exif:UserComment")
    )


def _user_comment(said: Statements) -> str | None:
    value = said.exif.main.get(tags.USER_COMMENT)
    if not isinstance(value, bytes):
        return None
    return texts.kept(texts.from_user_comment(value, said.exif.is_big_endian), said.max_chars)


def creator(said: Statements) -> str | None:
    """The creators, joined by `; `."""
    return (
        said.exif_text(tags.ARTIST)
        or _newer(said, _joined(said, said.xmp.get("dc:creator")), _joined(said, said.iptc.get(iptc.BY_LINE)))
        or said.xmp_text("tiff:Artist")
        or said.windows_text(tags.XP_AUTHOR)
    )


def rights(said: Statements) -> str | None:
    """The copyright; EXIF's may be the photographer's and, behind a NUL, the editor's: joined by `; `."""
    value = said.exif.main.get(tags.COPYRIGHT)
    parts = value.split(b"\0")[:2] if isinstance(value, bytes) else []
    return (
        _joined(said, [texts.decoded(part) for part in parts])
        or _newer(said, said.xmp_text("dc:rights"), said.iptc_text(iptc.COPYRIGHT_NOTICE))
        or said.xmp_text("tiff:Copyright")
    )


def software(said: Statements) -> str | None:
    return (
        said.exif_text(tags.SOFTWARE)
        or said.xmp_text("xmp:CreatorTool")
        or said.xmp_text("tiff:Software")
        or said.iptc_text(iptc.ORIGINATING_PROGRAM)
    )


def rating(said: Statements) -> int | None:
    """Stars, 0 to 5, or -1 for rejected (XMP part 1); XMP's before Windows' tag. Fractions are rounded."""
    number = said.xmp_number("xmp:Rating")
    if number is None:
        number = said.exif_number(tags.RATING)
    if number is None or not (number == -1 or 0 <= number <= 5):
        return None
    return round(number)


def keywords(said: Statements, max_keywords: int) -> list[str] | None:
    """The keywords in the order they stand, each once; None where there are none."""
    of_xmp, of_iptc = said.xmp.get("dc:subject"), said.iptc.get(iptc.KEYWORDS)
    words = (of_iptc or of_xmp) if said.is_iptc_newer else (of_xmp or of_iptc)
    if not words:
        words = (said.windows_text(tags.XP_KEYWORDS) or "").split(";")
    kept = (texts.kept(word, said.max_chars) for word in words)
    return list(dict.fromkeys(word for word in kept if word))[:max_keywords] or None


def _newer(said: Statements, of_xmp: str | None, of_iptc: str | None) -> str | None:
    return (of_iptc or of_xmp) if said.is_iptc_newer else (of_xmp or of_iptc)


def _joined(said: Statements, parts: list[str] | None) -> str | None:
    known = (part.strip(" \0\t\r\n") for part in (parts or [])[:100])
    return texts.kept(_SEVERAL.join(part for part in known if part), said.max_chars)
