"""What bytes are that are no image we know, in words for a reason."""

from __future__ import annotations

import re

from tintype.codec.verdicts import damaged, unsupported
from tintype.core.errors import ImageError

_OTHERS = (
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"PK\x05\x06", "an empty ZIP archive"),
    (b"\x1f\x8b", "gzip data"),
    (b"BZh", "bzip2 data"),
    (b"\xfd7zXZ", "xz data"),
    (b"\x28\xb5\x2f\xfd", "zstd data"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"#!", "a script"),
    (b"version https://git-lfs", "a git LFS pointer: the image itself was never fetched (git lfs pull)"),
    (b"data:image/", "a data URL, not the image that it holds"),
    (b"{", "JSON or other text"),
    (b"OggS", "sound or video"),
    (b"ID3", "sound"),
    (b"\x1aE\xdf\xa3", "a video"),
    (b"\xff\xfe", "UTF-16 text"),
    (b"\xfe\xff", "UTF-16 text"),
    (b"\x80\x04", "a Python pickle"),
    (b"\x80\x05", "a Python pickle"),
)
_HTML = re.compile(rb"\s*<(?:!doctype html|html|head|body)", re.IGNORECASE)
_MANGLED = (
    (b"JFIF\0", "JPEG"),
    (b"Exif\0", "JPEG"),
    (b"IHDR", "PNG"),
    (b"WEBPVP8", "WebP"),
)


def verdict_on(data: bytes) -> ImageError:
    """Why these bytes cannot be read, given that `sniff` does not know them."""
    if not data:
        return damaged("the file is empty")
    if not data[:4096].strip(b"\0"):
        return damaged("the file begins with zeros only, as after a file system repair or an aborted copy")
    for mark, name in _MANGLED:
        if mark in data[:48]:
            return damaged(f"the first bytes of what looks like a {name} file are missing or changed")
    return unsupported(f"the bytes are no image that is known: {_describe(data[:512])}")


def _describe(head: bytes) -> str:
    for prefix, words in _OTHERS:
        if head.startswith(prefix):
            return words
    if head[:4] == b"RIFF":
        return "sound or video"
    if head[4:8] == b"ftyp":
        return "a video"
    if _HTML.match(head):
        return "a web page"
    if all(byte >= 32 or byte in b"\t\n\r\f" for byte in head):
        return "text"
    return "unknown data"
