"""The rows of CSV and JSONL files: each line that cannot be read is refused alone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from tintype.core.errors import SourceError
from tintype.core.names import shown, uri_from_path
from tintype.sources.base import Notes
from tintype.sources.labels import MAX_COLUMNS, STRING, Seen, read_object
from tintype.sources.table_rows import Layout, Row, Wanted, image_column
from tintype.sources.text_lines import Line, Lines, Record, delimiter_of, records

FIRST_PASS = 10_000
"""Rows that decide the types of the labels,"""
FIRST_BYTES = 64_000_000
"""as far as they lie at the beginning of the file."""

_Object = dict[str, Any] | str  # or why there is none
_Found = TypeVar("_Found")
_NEAR = 1 << 16  # bytes that are rather read over than sought over

_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+([eE][+-]?[0-9]+)?")


class CsvRows:
    """A CSV or TSV file whose first line names the columns."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def layout(self) -> Layout:
        names = self._names()
        image = image_column(names, str(self.path))
        seen = Seen()
        for _, record in islice(self._records(), FIRST_PASS):
            texts = dict(zip(names, record.values or (), strict=False))
            texts.pop(image, None)
            seen.add({name: typed(text) for name, text in texts.items()})
        left_out = [name for name in names if name != image][MAX_COLUMNS:]
        return Layout(image, seen.columns(shown(str(self.path))), tuple(left_out))

    def listed(self, layout: Layout, notes: Notes) -> Iterator[Row]:
        names = self._names()
        place = names.index(layout.image)
        for number, record in self._records():
            uri = f"{uri_from_path(self.path.name)}#{number}"
            problem = record.problem or _misfit(record, len(names))
            if problem:
                notes.refuse(uri, f"line {record.line}: {problem}")
            else:
                values = record.values or []
                yield Row(number, record.offset, values[place] if place < len(values) else None, {})

    def wanted(self, layout: Layout, rows: Sequence[Wanted]) -> Iterator[Row]:
        names = self._names()
        texts = {column.words for column in layout.labels if column.type == STRING}
        left_out = set(layout.left_out)
        for row, record in self._found(rows):
            if record.values is not None and not _misfit(record, len(names)):
                values: dict[str, Any] = dict(zip(names, record.values, strict=False))
                image = values.pop(layout.image, None)
                labels = {
                    name: _cleaned(text) if name in texts else typed(text)
                    for name, text in values.items()
                    if name not in left_out
                }
                yield Row(row.number, record.offset, image, labels)

    def _found(self, rows: Sequence[Wanted]) -> Iterator[tuple[Wanted, Record]]:
        lines, delimiter = Lines(self.path), self._delimiter()
        if all(row.offset is not None for row in rows):
            return _at(rows, lambda offset: ((r.offset, r) for r in records(lines.read(offset), delimiter)))
        return _numbered(rows, self._records())

    def _records(self) -> Iterator[tuple[int, Record]]:
        """Records after the names, with their numbers."""
        found = records(Lines(self.path).read(), self._delimiter())
        next(found, None)
        yield from enumerate(found)

    def _delimiter(self) -> str:
        first = next((line.data for line in Lines(self.path).read() if line.data is None or line.data.strip()), b"")
        return delimiter_of(first or b"")

    def _names(self) -> list[str]:
        place = shown(str(self.path))
        first = next(records(Lines(self.path).read(), self._delimiter()), None)
        if first is None or first.values is None:
            raise SourceError(f"{place}: the first line does not name columns: {first.problem if first else 'blank'}")
        names = [_cleaned(name).strip() or f"column {number}" for number, name in enumerate(first.values, 1)]
        for number, name in enumerate(names):
            if name in names[:number]:
                raise SourceError(f"{place}: two columns are named {shown(name)!r}. Rename one of them")
        return names


class JsonlRows:
    """A file with a JSON object in each line."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def layout(self) -> Layout:
        seen = Seen()
        with_paths: dict[str, str] = {}
        for _, line, value in islice(self._objects(None), FIRST_PASS):
            if isinstance(value, dict) and line.offset < FIRST_BYTES:
                seen.add(value)
                with_paths.update({name.lower(): name for name in value if _path_in(value[name]) is not None})
        image = image_column(with_paths.values(), str(self.path))
        seen.forget(image)
        return Layout(image, seen.columns(shown(str(self.path))))

    def listed(self, layout: Layout, notes: Notes) -> Iterator[Row]:
        for number, line, value in self._objects(None):
            if isinstance(value, str):
                notes.refuse(f"{uri_from_path(self.path.name)}#{number}", f"line {line.number}: {value}")
            else:
                yield Row(number, line.offset, _path_in(value.get(layout.image)), {})

    def wanted(self, layout: Layout, rows: Sequence[Wanted]) -> Iterator[Row]:
        for row, (line, value) in self._found(rows):
            if isinstance(value, dict):
                image = _path_in(value.pop(layout.image, None))
                yield Row(row.number, line.offset, image, value)

    def _found(self, rows: Sequence[Wanted]) -> Iterator[tuple[Wanted, tuple[Line, _Object]]]:
        if all(row.offset is not None for row in rows):
            return _at(rows, lambda offset: ((line.offset, (line, o)) for _, line, o in self._objects(offset)))
        return _numbered(rows, ((number, (line, o)) for number, line, o in self._objects(None)))

    def _objects(self, offset: int | None) -> Iterator[tuple[int, Line, _Object]]:
        """The object of each line that is not blank, with its number, or why there is none."""
        lines = (line for line in Lines(self.path).read(offset) if line.data is None or line.data.strip())
        for number, line in enumerate(lines):
            if line.data is None:
                yield number, line, "too long"
                continue
            try:
                yield number, line, read_object(line.data)
            except ValueError as error:
                yield number, line, str(error)


def _at(
    rows: Sequence[Wanted], read_from: Callable[[int], Iterator[tuple[int, _Found]]]
) -> Iterator[tuple[Wanted, _Found]]:
    """What begins at the rows' places. A place where nothing begins any more is left out."""
    reader: Iterator[tuple[int, _Found]] = iter(())
    place = -_NEAR - 1
    found = None
    for row in rows:
        offset = row.offset or 0
        if not place <= offset <= place + _NEAR:
            reader, place = read_from(offset), -1
        while place < offset:
            place, found = next(reader, (offset + 1, None))
        if place == offset and found is not None:
            yield row, found


def _numbered(rows: Sequence[Wanted], found: Iterator[tuple[int, _Found]]) -> Iterator[tuple[Wanted, _Found]]:
    by_number = {row.number: row for row in rows}
    last = max(by_number, default=-1)
    for number, value in found:
        if number in by_number:
            yield by_number[number], value
        if number >= last:
            return


def _misfit(record: Record, columns: int) -> str | None:
    """Why the values of a record may not be those of the columns; missing ones at its end are taken as empty."""
    if record.values is not None and len(record.values) > columns:
        return f"{len(record.values):,} values for {columns:,} columns"
    return None


def typed(text: str) -> Any:
    """A number where the text is how one would be written, so that 007 stays text; None where it is empty."""
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    return _cleaned(text) or None


def _cleaned(text: str) -> str:
    """Text that is UTF-8; what is not is taken for Windows-1252, which holds Latin-1."""
    if text.isascii() or not any("\udc80" <= c <= "\udcff" for c in text):
        return text
    return text.encode("utf-8", "surrogateescape").decode("cp1252", "replace")


def _path_in(value: Any) -> str | None:
    """The path of an image in JSON: text, or an object with `path` as the library `datasets` has it."""
    if isinstance(value, dict):
        value = value.get("path")
    return value if isinstance(value, str) and value else None
