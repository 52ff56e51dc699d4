"""The headers of a tar archive, walked strictly: whatever is wrong is said, nothing ends silently.

Formats: ustar and pax as in POSIX.1-2017 (pax, "ustar Interchange Format" and "pax Header Block"), and GNU tar's
long names, sparse files and base-256 numbers (GNU tar manual, "Basic Tar Format").
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol

BLOCK = 512
MAX_EXTENDED = 1 << 20
"""Bytes of an extended header (pax records, a long name) that are read; it holds a path and little more."""

_RECORD = re.compile(rb"(\d{1,10}) ([^=]+)=")
_KINDS = {
    b"0": "file",
    b"\0": "file",
    b"7": "file",
    b"1": "hard link",
    b"2": "symbolic link",
    b"3": "device",
    b"4": "device",
    b"5": "folder",
    b"6": "FIFO",
    b"S": "sparse file",
}
_WITHOUT_DATA = frozenset(("hard link", "symbolic link", "device", "folder", "FIFO"))


class ReadsAt(Protocol):
    """Bytes that are read from any place. `size` is None while it is not known."""

    @property
    def size(self) -> int | None: ...

    def read(self, offset: int, count: int) -> bytes:
        """Less than `count` only at the end."""
        ...


class TarDamage(Exception):
    """The archive cannot be followed any further."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Member(NamedTuple):
    """One member: where its data lies, and why it is not to be read, if so."""

    name: bytes
    kind: str  # "file", "folder", "hard link", …, "unknown"
    offset: int  # of its data
    size_bytes: int  # as its header says; may reach past the end of the archive
    refusal: str | None


@dataclass
class _Extended:
    """What extended headers say of the member that follows them."""

    name: bytes | None = None
    size_bytes: int | None = None
    is_sparse: bool = False
    problem: str | None = None


class TarWalk:
    """The members of an archive, in order. Raises TarDamage where it cannot be followed to its end marker.

    `position` is where the walk stands: the header that it could not follow, or the end marker. `has_gap` is
    true once a block of zeros was met that is no end marker.
    """

    def __init__(self, source: ReadsAt) -> None:
        self.position = 0
        self.has_gap = False
        self._source = source

    def __iter__(self) -> Iterator[Member]:
        extended = _Extended()
        while header := self._header():
            kind = header[156:157]
            size_bytes = _size(header)
            if kind in (b"x", b"X", b"g", b"L", b"K"):
                body = self._body(size_bytes)
                if kind in (b"x", b"X"):
                    _read_records(body, extended)
                elif kind == b"L":
                    _read_long_name(body, extended)
                self.position += BLOCK + _padded(size_bytes)
                continue
            yield from self._member(header, kind, size_bytes, extended)
            extended = _Extended()
        if extended != _Extended():
            raise TarDamage("a member is missing after its extended header")

    def _member(self, header: bytes, kind: bytes, size_bytes: int, extended: _Extended) -> Iterator[Member]:
        name = extended.name if extended.name is not None else _name(header)
        what = _KINDS.get(kind, "unknown")
        if kind == b"\0" and name.endswith(b"/"):
            what = "folder"
        if extended.size_bytes is not None and what == "file":
            size_bytes = extended.size_bytes
        if extended.is_sparse:
            what = "sparse file"
        offset = self.position + BLOCK
        if kind == b"S":
            offset += self._sparse_maps(header)
        yield Member(name, what, offset, size_bytes, extended.problem or _refusal(name, what))
        length = 0 if what in _WITHOUT_DATA else size_bytes
        self._step_over(offset, length)

    def _header(self) -> bytes | None:
        """The header at the position; None at the end marker."""
        header = self._source.read(self.position, BLOCK)
        if not header:
            raise TarDamage("the end marker is missing, so the archive may be cut off")
        if len(header) == BLOCK and not any(header):
            following = self._source.read(self.position + BLOCK, BLOCK)
            if not any(following):
                return None
            self.has_gap = True  # an end marker has two such blocks
            self.position += BLOCK
            header = following
        if len(header) < BLOCK:
            raise TarDamage("cut off within a header")
        if not _checksum_fits(header):
            raise TarDamage("a header's checksum is wrong")
        return header

    def _body(self, size_bytes: int) -> bytes | None:
        """The data of an extended header; None where it is too long to be looked at."""
        if size_bytes > MAX_EXTENDED:
            self._step_over(self.position + BLOCK, size_bytes, move=False)
            return None
        body = self._source.read(self.position + BLOCK, size_bytes)
        if len(body) < size_bytes:
            raise TarDamage("cut off within an extended header")
        return body

    def _sparse_maps(self, header: bytes) -> int:
        """Length of the blocks that go on with the map of a GNU sparse file."""
        length, more = 0, header[482] == 1
        while more:
            block = self._source.read(self.position + BLOCK + length, BLOCK)
            if len(block) < BLOCK:
                raise TarDamage("cut off within a sparse file's map")
            length, more = length + BLOCK, block[504] == 1
        return length

    def _step_over(self, offset: int, size_bytes: int, *, move: bool = True) -> None:
        """Go to the header after some data. Raises TarDamage where the archive ends before."""
        end, known = offset + size_bytes, self._source.size
        if end > known if known is not None else (size_bytes and not self._source.read(end - 1, 1)):
            there = max(0, (self._source.size or 0) - offset)
            raise TarDamage(f"a member of {size_bytes:,} bytes is cut off after {there:,}")
        if move:
            self.position = offset + _padded(size_bytes)


def _padded(size_bytes: int) -> int:
    return -(-size_bytes // BLOCK) * BLOCK


def _checksum_fits(header: bytes) -> bool:
    """The sum of all bytes, with blanks in place of the sum; some old tars summed signed bytes."""
    try:
        stated = _octal(header[148:156])
    except ValueError:
        return False
    blanked = header[:148] + b"        " + header[156:]
    # The lower half of Adler-32 is 1 + the sum modulo 65,521: much faster than adding in Python.
    if (stated + 1) % 65_521 == zlib.adler32(blanked) & 0xFFFF:
        return True
    return stated == sum(blanked) - 256 * sum(byte > 127 for byte in blanked)


def _size(header: bytes) -> int:
    field = header[124:136]
    if field[0] in (0x80, 0xFF):  # GNU: a big-endian number in the other bytes
        size_bytes = int.from_bytes(field[1:], "big") - (256**11 if field[0] == 0xFF else 0)
    else:
        try:
            size_bytes = _octal(field)
        except ValueError:
            raise TarDamage("a header's size is not a number") from None
    if not 0 <= size_bytes < 2**62:
        raise TarDamage(f"a member claims {size_bytes:,} bytes")
    return size_bytes


def _octal(field: bytes) -> int:
    digits = field.split(b"\0")[0].strip()
    if digits and not digits.isdigit():
        raise ValueError(digits)
    return int(digits or b"0", 8)


def _name(header: bytes) -> bytes:
    name = header[:100].split(b"\0")[0]
    prefix = header[345:500].split(b"\0")[0]
    is_posix = header[257:263] == b"ustar\0"  # GNU keeps other things where POSIX has the prefix
    return prefix + b"/" + name if prefix and is_posix else name


def _read_long_name(body: bytes | None, extended: _Extended) -> None:
    if body is None:
        extended.problem = "its name is too long"
    else:
        extended.name = body.split(b"\0")[0]


def _read_records(body: bytes | None, extended: _Extended) -> None:
    """Take the pax records that matter. A member whose records cannot be read is refused: its name is not known."""
    if body is None:
        extended.problem = f"its extended header is longer than {MAX_EXTENDED:,} bytes"
        return
    try:
        for key, value in _records(body):
            if key == b"path":
                extended.name = value
            elif key == b"size":
                extended.size_bytes = _decimal(value)
            elif key.startswith(b"GNU.sparse."):
                extended.is_sparse = True
    except ValueError:
        extended.problem = "its extended header is damaged"


def _records(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 0
    while position < len(body):
        found = _RECORD.match(body, position)
        if not found:
            raise ValueError("not a record")
        end = position + int(found[1])
        if not found.end() < end <= len(body) or body[end - 1 : end] != b"\n":
            raise ValueError("a record's length is wrong")
        yield found[2], body[found.end() : end - 1]
        position = end


def _decimal(text: bytes) -> int:
    if not text.isdigit() or len(text) > 18:
        raise ValueError("not a size")
    return int(text)


def _refusal(name: bytes, kind: str) -> str | None:
    """Why a member is not to be read, going by its name and kind."""
    if kind in ("folder", "unknown"):
        return None
    if kind != "file":
        return f"a {kind}; only plain files are read"
    if not name or name.endswith(b"/"):
        return "its name is empty"
    if name.startswith(b"/"):
        return "its name is an absolute path"
    if b".." in name.split(b"/"):
        return "its name leads out of the archive (..)"
    if b"\0" in name:
        return "its name holds a NUL"
    return None
