"""Names that are safe where they go: uris from paths, label columns, text for a terminal."""

from __future__ import annotations

import re
import unicodedata

from blake3 import blake3

_ESCAPED = re.compile(rb"%([0-9A-Fa-f]{2})")
_SLUG = re.compile(r"[^a-z0-9]+")


def uri_from_path(path: bytes | str) -> str:
    """UTF-8 text for a path: bytes that are not UTF-8, `%` and `#` become `%XX`. `path_from_uri` undoes it."""
    raw = path.encode("utf-8", "surrogateescape") if isinstance(path, str) else path
    if raw.isascii() and b"%" not in raw and b"#" not in raw:
        return raw.decode("ascii")
    text = raw.decode("utf-8", "surrogateescape").replace("%", "%25").replace("#", "%23")
    return "".join(f"%{ord(c) - 0xDC00:02X}" if "\udc80" <= c <= "\udcff" else c for c in text)


def path_from_uri(uri: str) -> bytes:
    """The bytes of the path that `uri_from_path` made this text of."""
    return _ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), uri.encode("utf-8", "surrogatepass"))


def label_column(name: str) -> str:
    """Column for a label that a user brings: `label_` and a slug of its name.

    A name with no letter or digit of ASCII, say a Chinese one, becomes the BLAKE3 of its UTF-8 in 12 digits.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    slug = _SLUG.sub("_", plain).strip("_")
    return f"label_{slug or blake3(name.encode('utf-8', 'surrogatepass')).hexdigest(6)}"


def shown(text: str) -> str:
    """Text that is safe on a terminal: control and format characters become `\\x..` or `\\u....`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
