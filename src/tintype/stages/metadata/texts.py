"""Texts out of metadata: which encoding their bytes have, and what of them is kept."""

from __future__ import annotations

_COMMENT_MARK_BYTES = 8  # a user comment begins with the name of its character code: EXIF 3.0, table 9


def decoded(raw: bytes) -> str:
    """Text of bytes that name no encoding: UTF-8 where they are that, Windows-1252 or Latin-1 else.

    A UTF-8 text that was cut within its last character loses that character.
    """
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        if error.reason == "unexpected end of data" and not raw[: error.start].isascii():
            return raw[: error.start].decode()
    try:
        return raw.decode("cp1252")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def up_to_nul(raw: bytes) -> str:
    """An EXIF text: what lies behind its first NUL is no longer part of it."""
    return decoded(raw.partition(b"\0")[0])


def from_windows(raw: bytes) -> str:
    """One of Windows' `XP…` tags: UTF-16, little-endian, closed by a NUL."""
    return raw.decode("utf-16-le", "replace").partition("\0")[0]


def from_user_comment(raw: bytes, is_big_endian: bool) -> str:
    """An EXIF user comment: 8 bytes that name the character code, then the text.

    Without a known name the bytes count as text only where every character of it can be printed.
    """
    mark, rest = raw[:_COMMENT_MARK_BYTES].rstrip(b"\0"), raw[_COMMENT_MARK_BYTES:]
    if mark == b"ASCII":
        return up_to_nul(rest)
    if mark == b"UNICODE":
        return _from_utf_16(rest, is_big_endian)
    if mark == b"JIS":
        return rest.decode("iso2022_jp", "replace").partition("\0")[0]
    text = up_to_nul(raw if mark else rest)
    return text if "".join(text.split()).isprintable() else ""


def _from_utf_16(raw: bytes, is_big_endian: bool) -> str:
    """UTF-16, its order by its mark, else by where the zero bytes of Latin letters lie, else the block's."""
    even, odd = raw[::2].count(0), raw[1::2].count(0)
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16", "replace").partition("\0")[0]
    is_big_endian = even > odd if even != odd else is_big_endian
    return raw.decode("utf-16-be" if is_big_endian else "utf-16-le", "replace").partition("\0")[0]


def kept(text: str, max_chars: int) -> str | None:
    """The text without NULs and outer white space, cut at `max_chars` characters; None if nothing is left."""
    return text.replace("\0", "").strip()[:max_chars].rstrip() or None
