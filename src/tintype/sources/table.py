"""Images in a table: their bytes in a column, or their paths."""

from __future__ import annotations

import io
import os
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO, NamedTuple

from tintype.core.columns import Column
from tintype.core.errors import ImageError, SourceError
from tintype.core.names import shown, uri_from_path
from tintype.sources.base import Entry, Item, Notes, Shard, modified_ns
from tintype.sources.beneath import is_only_in_cloud, reason_of, too_large, unread
from tintype.sources.beside import Beside, FilesBeside
from tintype.sources.labels import Fitter
from tintype.sources.table_rows import Layout, Row, Table, Wanted

ENTRIES_PER_SHARD = 8_192
TABLE_EXTENSIONS = (".parquet", ".csv", ".tsv", ".jsonl", ".ndjson")
_HELD = 64  # rows that are held where a shard asks for them in another order than the table's

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")


class TableSource:
    """The rows of a Parquet, CSV or JSONL file that hold an image or its path; a uri is `NAME.parquet#row`.

    Rows count from 0; in text files those that cannot be read count too, the names and blank lines don't. Paths
    lead to files below the table's folder: absolute ones, addresses, links and `..` are `rejected`. The stamp
    of such a row is the file's, with the later of both times, so that a changed table is noticed too. All other
    columns are labels.
    """

    is_ordered = False  # rows are numbers without leading zeros

    def __init__(self, path: Path, labels: tuple[Column, ...] | None = None, beside: Beside | None = None) -> None:
        """`beside` are the files that paths lead to, where they are not those of the table's folder."""
        self.path = Path(os.path.abspath(path))
        self._fixed = labels
        self._other_files = beside
        self._layout: Layout | None = None
        self._notes = Notes()

    @property
    def place(self) -> str:
        return str(self.path)

    @property
    def labels(self) -> tuple[Column, ...]:
        return self._laid_out().labels

    def with_labels(self, labels: tuple[Column, ...]) -> TableSource:
        """The same source with columns that were fixed elsewhere."""
        return TableSource(self.path, labels, self._other_files)

    @property
    def notes(self) -> Notes:
        return self._notes

    def shards(self) -> Iterator[Shard]:
        self._notes = Notes()
        layout, container = self._laid_out(), self._facts()
        if layout.left_out:
            self._notes.skipped["columns left out"] += len(layout.left_out)
            names = ", ".join(repr(shown(name)) for name in layout.left_out[:5])
            self._notes.problem(
                self._prefix, f"columns that are not kept as labels: {names}" + ", …" * (len(layout.left_out) > 5)
            )
        found: list[_Found] = []
        with self._beside() as files:
            for row in self._table().listed(layout, self._notes):
                if row.image:
                    found.append(_found(row))
                else:
                    self._notes.skipped["rows without an image"] += 1
                    self._notes.problem(f"{self._prefix}{row.number}", "no image in this row")
                if len(found) == ENTRIES_PER_SHARD:
                    yield Shard.of(_entries(files, container, self._prefix, found))
                    found = []
            if found:
                yield Shard.of(_entries(files, container, self._prefix, found))

    def read(self, shard: Shard, max_bytes: int) -> Iterator[Item]:
        reader = _Reader(self._table(), self._laid_out(), self._facts(), max_bytes)
        entries = list(shard)
        with self._beside() as files:
            if all(_number(one.uri) < _number(next_one.uri) for one, next_one in pairwise(entries)):
                yield from reader.items(files, entries)
                return
            for start in range(0, len(entries), _HELD):
                part = entries[start : start + _HELD]
                items = reader.items(files, sorted(part, key=lambda entry: _number(entry.uri)))
                found = {item.uri: item for item in items}
                yield from (found[entry.uri] for entry in part)

    def open(self, uri: str) -> BinaryIO:
        self._facts()
        number = _number(uri) if uri.startswith(self._prefix) else -1
        row = next(iter(self._table().wanted(self._laid_out(), [Wanted(number, None)])), None)
        if row is None or not row.image:
            raise ImageError("unreadable", "no such row, or no image in it")
        if isinstance(row.image, bytes):
            return io.BytesIO(row.image)
        with self._beside() as files:
            return files.open(_path(row.image))

    def _beside(self) -> Beside:
        return self._other_files or FilesBeside(self.path.parent)

    @property
    def _prefix(self) -> str:
        return uri_from_path(os.fsencode(self.path.name)) + "#"

    def _laid_out(self) -> Layout:
        if self._layout is None:
            self._facts()
            layout = self._table().layout()
            self._layout = layout if self._fixed is None else replace(layout, labels=self._fixed)
        return self._layout

    def _table(self) -> Table:
        if self.path.suffix.lower() == ".parquet":
            from tintype.sources.parquet_rows import ParquetRows  # its library is slow to load

            return ParquetRows(self.path)
        from tintype.sources.text_rows import CsvRows, JsonlRows

        return JsonlRows(self.path) if self.path.suffix.lower() in (".jsonl", ".ndjson") else CsvRows(self.path)

    def _facts(self) -> os.stat_result:
        """What the system says of the table. Raises SourceError where it is no file that can be read."""
        try:
            facts = self.path.stat()
        except OSError as error:
            raise SourceError(f"{shown(self.place)}: cannot be read: {reason_of(error)}") from error
        if not stat.S_ISREG(facts.st_mode):
            raise SourceError(f"{shown(self.place)}: not a regular file")
        if is_only_in_cloud(facts):
            raise SourceError(f"{shown(self.place)}: not on this disk")
        return facts


class _Reader:
    """Reads rows with the bytes of their images."""

    def __init__(self, table: Table, layout: Layout, container: os.stat_result, max_bytes: int) -> None:
        self._table, self._layout, self._container, self._max_bytes = table, layout, container, max_bytes
        self._fit = Fitter(layout.labels)

    def items(self, files: Beside, entries: list[Entry]) -> Iterator[Item]:
        """An item for each entry; their rows ascend."""
        return files.in_order(self._calls(files, entries))

    def _calls(self, files: Beside, entries: list[Entry]) -> Iterator[tuple[int, Callable[[], Item]]]:
        wanted = [Wanted(_number(entry.uri), entry.offset) for entry in entries]
        rows = iter(self._table.wanted(self._layout, wanted))
        row = next(rows, None)
        for entry, (number, _) in zip(entries, wanted, strict=True):
            if row is None or row.number != number:
                error = ImageError("unreadable", "its row is damaged, or the table has changed")
                yield 0, partial(unread, entry, error)
                continue
            yield min(entry.size_bytes, self._max_bytes), partial(self._item, files, entry, row)
            row = next(rows, None)

    def _item(self, files: Beside, entry: Entry, row: Row) -> Item:
        labels = self._fit(row.values)
        if isinstance(row.image, bytes):
            return self._of_bytes(entry, row.image, labels)
        try:
            item = files.read(_path(row.image or ""), entry, self._max_bytes)
        except ImageError as error:
            item = unread(entry, error)
        mtime_ns = max(item.mtime_ns, modified_ns(self._container))
        return replace(item, mtime_ns=mtime_ns, offset=row.offset, labels=labels)

    def _of_bytes(self, entry: Entry, data: bytes, labels: dict[str, object]) -> Item:
        stamp = (len(data), modified_ns(self._container), self._container.st_ino, self._container.st_dev)
        if len(data) > self._max_bytes:
            reason = too_large(len(data), self._max_bytes)
            return Item(entry.uri, None, *stamp, status="rejected", reason=reason, labels=labels)
        return Item(entry.uri, data, *stamp, labels=labels)


class _Found(NamedTuple):
    """An image of a listing: its bytes' number, or its path."""

    number: int
    offset: int | None
    image: int | str


def _found(row: Row) -> _Found:
    image = row.image or ""
    return _Found(row.number, row.offset, len(image) if isinstance(image, bytes) else image)


def _entries(files: Beside, container: os.stat_result, prefix: str, found: list[_Found]) -> list[Entry]:
    """Images as they are listed. A path that leads nowhere has the table's stamp; reading it will say why."""
    paths = {one.image: _path_or_none(one.image) for one in found if isinstance(one.image, str)}
    known = [path for path in dict.fromkeys(paths.values()) if path is not None]
    stamps = dict(zip(known, files.stamps(known), strict=True))
    table = (modified_ns(container), container.st_ino, container.st_dev)
    entries = []
    for number, offset, image in found:
        stamp = (0, *table)
        if isinstance(image, int):
            stamp = (image, *table)
        elif (path := paths[image]) is not None and (there := stamps[path]) is not None:
            stamp = (there.size_bytes, max(there.mtime_ns, table[0]), there.inode, there.device)
        entries.append(Entry(f"{prefix}{number}", *stamp, offset))
    return entries


def _path_or_none(image: str) -> bytes | None:
    try:
        return _path(image)
    except ImageError:
        return None


def _path(text: str) -> bytes:
    """The path below the table's folder that is written in a table. Raises ImageError for one that leads out of it."""
    if _ADDRESS.match(text):
        raise ImageError("rejected", "an address; only files beside the table are read")
    if text.startswith("/"):
        raise ImageError("rejected", "an absolute path; only files beside the table are read")
    try:
        path = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise ImageError("rejected", "a path that is no text") from None
    names = [name for name in path.split(b"/") if name not in (b"", b".")]
    if b".." in names:
        raise ImageError("rejected", "a path that goes up (..); only files beside the table are read")
    return b"/".join(names)


def _number(uri: str) -> int:
    """The row that a uri names; -1 where it names none."""
    number = uri.rpartition("#")[2]
    return int(number) if number.isascii() and number.isdigit() and len(number) < 19 else -1
