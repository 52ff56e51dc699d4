"""The rows of a Parquet file, read a little at a time."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tintype.core.errors import SourceError
from tintype.core.names import shown, uri_from_path
from tintype.sources.base import Notes, modified_ns
from tintype.sources.labels import FLOAT, INTEGER, MAX_COLUMNS, REST, STRING, label_columns
from tintype.sources.table_rows import IMAGE_NAMES, Layout, Row, Wanted, no_images

ROWS_PER_BATCH = 512
BYTES_PER_BATCH = 16_000_000
_FAITHFUL = frozenset(("PLAIN", "RLE", "BIT_PACKED"))  # encodings that don't make values longer than they are stored


class ParquetRows:
    """A Parquet file with a column of image bytes, of paths, or of both as the library `datasets` writes them."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def layout(self) -> Layout:
        with self._opened() as file:
            schema = file.schema_arrow
        image = _image_field(schema, str(self.path))
        types: dict[str, pa.DataType] = {}
        left_out = []
        for field in schema:
            if field.name == image or pa.types.is_null(field.type):
                continue
            if len(types) == MAX_COLUMNS or not _is_kept(field.type):
                left_out.append(field.name)
            elif field.name in types:
                raise SourceError(f"{shown(str(self.path))}: two columns are named {shown(field.name)!r}")
            else:
                types[field.name] = _label_type(field.type)
        plain = {name: kind for name, kind in types.items() if not pa.types.is_nested(kind)}
        labels = label_columns(plain, shown(str(self.path)))
        return Layout(image, (*labels, REST) if types else (), tuple(left_out))

    def listed(self, layout: Layout, notes: Notes) -> Iterator[Row]:
        with self._opened() as file:
            first = 0
            for group in range(file.num_row_groups):
                count = file.metadata.row_group(group).num_rows
                number = first
                try:
                    for batch in _batches(file, group, [layout.image]):
                        for value in _values(batch[layout.image]):
                            yield Row(number, None, _picture(value), {})
                            number += 1
                except (OSError, pa.ArrowException) as error:
                    lost = first + count - number
                    prefix = uri_from_path(self.path.name) + "#"
                    notes.skipped["rows not read"] += lost
                    notes.unseen(prefix, f"{lost:,} rows from {number:,} on are damaged: {_line(error)}")
                first += count

    def wanted(self, layout: Layout, rows: Sequence[Wanted]) -> Iterator[Row]:
        numbers = [row.number for row in rows]
        with self._opened() as file:
            counts = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
            names = tuple(name for name in file.schema_arrow.names if name not in layout.left_out)
        first = 0
        for group, count in enumerate(counts):
            here = [number - first for number in numbers if first <= number < first + count]
            if here:
                with suppress(OSError, pa.ArrowException):  # who asked for rows sees which do not come
                    yield from _rows(self.path, group, names, layout.image, here, first)
            first += count

    def _opened(self) -> pq.ParquetFile:
        try:
            return _open(self.path)
        except (OSError, pa.ArrowException) as error:
            raise SourceError(f"{shown(str(self.path))}: cannot be read as Parquet: {_line(error)}") from error


def _open(path: Path) -> pq.ParquetFile:
    return pq.ParquetFile(path, buffer_size=1 << 20)


class _Cursor:
    """Reads a row group forwards. The next shard goes on where the last one stopped, so no group is read twice."""

    def __init__(self, path: Path, group: int, names: tuple[str, ...]) -> None:
        self._path, self._group, self._names = path, group, list(names)
        self._begin()

    def take(self, wanted: list[int]) -> Iterator[tuple[list[int], pa.RecordBatch]]:
        """Rows of the group, which ascend from its beginning, some at a time."""
        if wanted[0] < self._start:
            self._begin()
        while wanted:
            inside = [number for number in wanted if number < self._start + self._batch.num_rows]
            if inside:
                yield inside, self._batch.take(pa.array([number - self._start for number in inside]))
                wanted = wanted[len(inside) :]
            elif not self._advance():
                return

    def _begin(self) -> None:
        self._batches = _batches(_open(self._path), self._group, self._names)
        self._start, self._batch = 0, pa.RecordBatch.from_pylist([])

    def _advance(self) -> bool:
        try:
            batch = next(self._batches, None)
        except BaseException:
            self._start = sys.maxsize  # the next use begins anew
            raise
        if batch is None:
            return False
        self._start += self._batch.num_rows
        self._batch = batch
        return True


@lru_cache(maxsize=2)
def _cursor(path: Path, stamp: tuple[int, ...], group: int, names: tuple[str, ...]) -> _Cursor:
    return _Cursor(path, group, names)


def _rows(path: Path, group: int, names: tuple[str, ...], image: str, wanted: list[int], first: int) -> Iterator[Row]:
    """Rows of one group; `wanted` counts from its beginning, where the row `first` of the file is."""
    facts = path.stat()
    cursor = _cursor(path, (facts.st_size, modified_ns(facts), facts.st_ino), group, names)
    for numbers, batch in cursor.take(wanted):
        columns = _as_labels(batch)
        for number, *values in zip(numbers, *columns.values(), strict=True):
            found = dict(zip(columns, values, strict=True))
            yield Row(first + number, None, _picture(found.pop(image)), found)


def _batches(file: pq.ParquetFile, group: int, names: list[str]) -> Iterator[pa.RecordBatch]:
    size = _rows_per_batch(file.metadata.row_group(group), names)
    for batch in file.iter_batches(size, row_groups=[group], columns=names):
        yield batch.select(names)


def _rows_per_batch(group: Any, names: list[str]) -> int:
    """So few rows that a batch takes some 16 MB, even where a dictionary makes long values of short numbers."""
    stored, longest = 1, 1
    for index in range(group.num_columns):
        column = group.column(index)
        if any(column.path_in_schema == name or column.path_in_schema.startswith(name + ".") for name in names):
            stored += column.total_uncompressed_size
            longest += _longest(column)
    by_average = BYTES_PER_BATCH * group.num_rows // stored
    return int(max(1, min(ROWS_PER_BATCH, by_average, BYTES_PER_BATCH // longest)))


def _longest(column: Any) -> int:
    """Bytes that one value may come to in each row though they are stored once; 0 where each is stored in full.

    A dictionary is no longer than all that is stored, less the other pages, which take at least what they take
    packed.
    """
    if set(column.encodings) <= _FAITHFUL:
        return 0
    others = 0
    if column.has_dictionary_page:
        dictionary = column.data_page_offset - column.dictionary_page_offset
        others = column.total_compressed_size - dictionary
    return max(0, int(column.total_uncompressed_size - others))


def _image_field(schema: pa.Schema, place: str) -> str:
    types: dict[str, pa.DataType] = {field.name: field.type for field in schema if _fits(field.type)}
    by_name = {name.lower(): name for name in reversed(types)}
    for candidate in IMAGE_NAMES:
        if candidate in by_name:
            return by_name[candidate]
    for fits in (_is_picture, _is_bytes):
        found = [name for name, kind in types.items() if fits(kind)]
        if len(found) == 1:
            return found[0]
    named = [field for field in schema if field.name.lower() in IMAGE_NAMES]
    raise no_images(place, f" ({shown(named[0].name)} holds {shown(str(named[0].type))})" if named else "")


def _fits(kind: pa.DataType) -> bool:
    return _is_text(kind) or _is_bytes(kind) or _is_picture(kind)


def _is_bytes(kind: pa.DataType) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind))


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _is_picture(kind: pa.DataType) -> bool:
    """The struct of `bytes` and `path` that the library `datasets` writes; of paths that are all null too."""
    if not pa.types.is_struct(kind):
        return False
    fields = {field.name: field.type for field in kind}
    if set(fields) != {"bytes", "path"} or not _is_bytes(fields["bytes"]):
        return False
    return _is_text(fields["path"]) or pa.types.is_null(fields["path"])


def _is_kept(kind: pa.DataType) -> bool:
    """Whether a column becomes labels; bytes, durations and the like do not."""
    if pa.types.is_nested(kind):
        return all(_is_kept(kind.field(index).type) for index in range(kind.num_fields))
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    return bool(is_number or _is_text(kind) or _is_written_out(kind))


def _is_written_out(kind: pa.DataType) -> bool:
    """Whether values become text: dates, times and decimals."""
    is_moment = pa.types.is_date(kind) or pa.types.is_time(kind) or pa.types.is_timestamp(kind)
    return bool(is_moment or pa.types.is_decimal(kind))


def _label_type(kind: pa.DataType) -> pa.DataType:
    """The type that a label's column has; nested types, which go to `label_rest`, stay."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_nested(kind) or pa.types.is_boolean(kind):
        return kind
    if pa.types.is_integer(kind):
        return INTEGER
    return FLOAT if pa.types.is_floating(kind) else STRING


def _as_labels(batch: pa.RecordBatch) -> dict[str, list[Any]]:
    """The columns as Python values; dates, times and decimals as text."""
    columns = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        columns[name] = _values(pc.cast(column, STRING) if _is_written_out(column.type) else column)
    return columns


def _values(column: pa.Array) -> list[Any]:
    try:
        values: list[Any] = column.to_pylist()
    except UnicodeDecodeError:
        if pa.types.is_nested(column.type):
            return [None] * len(column)
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        values = [value and value.decode("utf-8", "surrogateescape") for value in _bytes(column)]
    return values


def _bytes(column: pa.Array) -> list[bytes | None]:
    values: list[bytes | None] = column.cast(pa.large_binary()).to_pylist()
    return values


def _picture(value: Any) -> bytes | str | None:
    if isinstance(value, dict):
        return value["bytes"] or value["path"] or None
    return value or None


def _line(error: BaseException) -> str:
    return shown(str(error).partition("\n")[0])[:200]
