"""Lines and records of a text table, with the place of each in the file, in bounded memory."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from tintype.core.errors import SourceError
from tintype.core.names import shown
from tintype.sources.beneath import reason_of

MAX_LINE = 1 << 20
MAX_LINES_OF_RECORD = 1_000
_HEAD = 1 << 16
_MARK = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """A line without its end; `data` is None where it is longer than MAX_LINE."""

    number: int  # from 1, as editors count; from where reading began
    offset: int
    data: bytes | None


class Record(NamedTuple):
    """The values of a line, or of several where a value holds line ends; else why there are none."""

    line: int
    offset: int
    values: list[str] | None
    problem: str | None


class Lines:
    """The lines of a file from any place on. Ends are CR LF, LF, or CR where the beginning of the file has no LF."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                head = file.read(_HEAD)
        except OSError as error:
            raise SourceError(f"{shown(str(path))}: cannot be read: {reason_of(error)}") from error
        if not head:
            raise SourceError(f"{shown(str(path))}: an empty file")
        if head.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise SourceError(f"{shown(str(path))}: text in UTF-16. Save it as UTF-8")
        self.start = len(_MARK) if head.startswith(_MARK) else 0
        self._end = b"\r" if b"\r" in head and b"\n" not in head else b"\n"

    def read(self, offset: int | None = None) -> Iterator[Line]:
        position = self.start if offset is None else offset
        with self.path.open("rb") as file:
            file.seek(position)
            for number, (data, length) in enumerate(self._pieces(file), 1):
                yield Line(number, position, None if length > MAX_LINE else data.rstrip(b"\r\n"))
                position += length

    def _pieces(self, file: BinaryIO) -> Iterator[tuple[bytes, int]]:
        """Lines with their ends, and their whole length; of a long one only the beginning."""
        readline = file.readline if self._end == b"\n" else _CarriageReturns(file).readline
        while data := readline(MAX_LINE + 1):
            length, last = len(data), data
            while not last.endswith(self._end) and (last := readline(MAX_LINE)):
                length += len(last)
            yield data, length


class _CarriageReturns:
    """`readline` for lines that end with CR alone."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._kept = file, b""

    def readline(self, limit: int) -> bytes:
        while b"\r" not in self._kept and len(self._kept) < limit and (more := self._file.read(_HEAD)):
            self._kept += more
        found = self._kept.find(b"\r", 0, limit)
        length = found + 1 if found >= 0 else limit
        line, self._kept = self._kept[:length], self._kept[length:]
        return line


def delimiter_of(header: bytes) -> str:
    """Which of comma, semicolon, tab and bar the names of the columns are set apart by."""
    return max(",;\t|", key=lambda delimiter: header.count(delimiter.encode()))


def records(lines: Iterator[Line], delimiter: str) -> Iterator[Record]:
    """The records of a CSV file (RFC 4180). What cannot be read costs its first line; reading goes on at the next.

    A record is complete where its quotation marks are even in number; so one that is never closed is found
    after MAX_LINES_OF_RECORD lines, MAX_LINE bytes, or at the end.
    """
    waiting: deque[Line] = deque()
    while line := waiting.popleft() if waiting else next(lines, None):
        if line.data is None:
            yield Record(line.number, line.offset, None, f"longer than {MAX_LINE:,} bytes")
        elif line.data.strip():
            parts = _joined(line, waiting, lines)
            if parts is None:
                yield Record(line.number, line.offset, None, "a quotation mark is never closed")
                continue
            record = _parsed(line, parts, delimiter)
            if record.values is not None:
                for _ in parts[1:]:
                    waiting.popleft()
            yield record


def _joined(first: Line, waiting: deque[Line], lines: Iterator[Line]) -> list[bytes] | None:
    """The lines that make up a record; None where its quotation marks don't pair up. Those after the first wait on."""
    parts = [first.data or b""]
    is_open, size = parts[0].count(b'"') % 2 == 1, len(parts[0])
    while is_open:
        position = len(parts) - 1
        if position == len(waiting):
            line = next(lines, None)
            if line is None:
                return None
            waiting.append(line)
        data = waiting[position].data
        if data is None or len(parts) == MAX_LINES_OF_RECORD or size > MAX_LINE:
            return None
        parts.append(data)
        size += len(data)
        is_open ^= data.count(b'"') % 2 == 1
    return parts


def _parsed(line: Line, parts: list[bytes], delimiter: str) -> Record:
    text = b"\n".join(parts).decode("utf-8", "surrogateescape")
    try:
        values = next(csv.reader([text], delimiter=delimiter, strict=True))
    except (csv.Error, StopIteration) as error:
        return Record(line.number, line.offset, None, f"not readable as CSV: {error}")
    return Record(line.number, line.offset, values, None)
