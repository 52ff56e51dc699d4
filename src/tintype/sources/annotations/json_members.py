"""A large JSON document, read one element at a time: what lies in memory is never more than the one at hand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tintype.core.errors import SourceError
from tintype.core.names import shown
from tintype.sources.beneath import reason_of

MAX_VALUE = 64_000_000
"""Characters of one element of a list, or of one member that is no list."""

_READ = 1 << 20
_BLANK = re.compile(r"[ \t\r\n]*")
_NEAR_END = 16  # characters; what ends or fails so near to the end of what was read may go on behind it


class JsonMembers:
    """The members of the object that a file holds, each once: lists as streams of their elements.

    NaN and infinities become strings. All methods raise SourceError where the file is not such JSON.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._decoder = json.JSONDecoder(parse_constant=str)
        try:
            self._file = path.open(encoding="utf-8-sig")
        except OSError as error:
            raise SourceError(f"{shown(str(path))}: cannot be read: {reason_of(error)}") from error
        self._text, self._at, self._before, self._is_whole = "", 0, 0, False

    def __iter__(self) -> Iterator[tuple[str, Iterator[Any]]]:
        """Name and elements of each member, to be taken in turn; a member that is no list is its one element.

        Elements that were not taken are passed over.
        """
        with self._file:
            self._expect("{", "a JSON object")
            names: set[str] = set()
            while self._next() != "}":
                if names:
                    self._expect(",", "a comma or the end of the object")
                name = self._value()
                if not isinstance(name, str):
                    raise self._refused("a member without a name")
                if name in names:
                    raise self._refused(f"two members are named {shown(name)!r}")
                names.add(name)
                self._expect(":", "a colon")
                elements = self._elements()
                yield name, elements
                for _ in elements:
                    pass

    def _elements(self) -> Iterator[Any]:
        if self._next() != "[":
            yield self._value()
            return
        self._at += 1
        is_first = True
        while self._next() != "]":
            if not is_first:
                self._expect(",", "a comma or the end of the list")
            is_first = False
            yield self._value()
        self._at += 1

    def _value(self) -> Any:
        self._next()
        while True:
            try:
                value, end = self._decoder.raw_decode(self._text, self._at)
            except json.JSONDecodeError as error:
                is_real = error.pos + _NEAR_END < len(self._text) and not error.msg.startswith("Unterminated")
                if is_real or not self._read_on():
                    raise self._refused(f"not JSON: {error.msg}", error.pos) from None
            except RecursionError:
                raise self._refused("nested too deep") from None
            except ValueError:  # of whole numbers with thousands of digits
                raise self._refused("holds a number that is too long") from None
            else:
                if end + _NEAR_END < len(self._text) or not self._read_on():  # a number may go on: 10, then .5
                    self._at = end
                    return value

    def _next(self) -> str:
        """The next character that is no blank; none at the end."""
        while True:
            found = _BLANK.match(self._text, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._text) or not self._read_on():
                return self._text[self._at : self._at + 1]

    def _expect(self, sign: str, what: str) -> None:
        if self._next() != sign:
            raise self._refused(f"not JSON: {what} is expected")
        self._at += 1

    def _read_on(self) -> bool:
        """Take in more of the file and drop what lies behind; False at its end, where nothing changes."""
        if self._is_whole:
            return False
        waiting = len(self._text) - self._at
        if waiting > MAX_VALUE:
            raise self._refused(f"one value is longer than {MAX_VALUE:,} characters")
        try:
            more = self._file.read(max(_READ, waiting))  # twice as much each time, so that long values cost no square
        except UnicodeDecodeError:
            raise self._refused("not UTF-8") from None
        except OSError as error:
            raise SourceError(f"{shown(str(self._path))}: cannot be read: {reason_of(error)}") from error
        if not more:
            self._is_whole = True
            return False
        self._before += self._at
        self._text, self._at = self._text[self._at :] + more, 0
        return True

    def _refused(self, reason: str, at: int | None = None) -> SourceError:
        place = self._before + (self._at if at is None else at)
        return SourceError(f"{shown(str(self._path))}: {reason}, near character {place:,}")
