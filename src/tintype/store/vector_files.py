"""Files that hold vectors, one class a format: each reads from any row on, some rows at a time."""

from __future__ import annotations

import contextlib
import os
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tintype.core.errors import SourceError
from tintype.core.names import shown

MOST_DIMENSIONS = 4_096
_BLOCK_NUMBERS = 1 << 22
_IDS = ("id", "uri", "image_path")
_VECTORS = ("embedding", "vector")


@dataclass(frozen=True)
class VectorBlock:
    """Some rows in their order."""

    ids: pa.Array  # (n,) string; null where a row has none
    vectors: NDArray[np.float16] | NDArray[np.float32]  # (n, d), as they are stored: of any length, perhaps NaN
    is_missing: NDArray[np.bool_]  # (n,) where there is no vector; its row is NaN


def block_rows(dimensions: int) -> int:
    """How many rows a block has at most: 16 MB of numbers as float32."""
    return max(1, _BLOCK_NUMBERS // max(1, dimensions))


class VectorFile(Protocol):
    """One file."""

    path: Path

    def __len__(self) -> int: ...

    def dimensions(self) -> int:
        """0 where no row has a vector."""
        ...

    def blocks(self, start: int, stop: int, dimensions: int) -> Iterator[VectorBlock]: ...


class ParquetFile:
    """A Parquet file with a column of ids and one of vectors."""

    def __init__(self, path: Path, column: str | None) -> None:
        self.path = path
        with pq.ParquetFile(path) as file:  # not kept open: there may be more files than a process may have open
            schema = file.schema_arrow
            self._rows = [file.metadata.row_group(group).num_rows for group in range(file.metadata.num_row_groups)]
        self._columns = [_named(path, schema, _IDS), _named(path, schema, (column,) if column else _VECTORS)]
        self._type = schema.field(self._columns[1]).type
        if not is_vectors(self._type):
            raise SourceError(f"{shown(str(path))}: column {shown(self._columns[1])} holds no vectors ({self._type})")

    def __len__(self) -> int:
        return sum(self._rows)

    def dimensions(self) -> int:
        if pa.types.is_fixed_size_list(self._type):
            return int(self._type.list_size)
        with pq.ParquetFile(self.path) as file:
            for batch in file.iter_batches(1_024, columns=self._columns[1:]):
                if len(known := batch.column(0).drop_null()):
                    return len(known[0])
        return 0

    def blocks(self, start: int, stop: int, dimensions: int) -> Iterator[VectorBlock]:
        first, step = 0, block_rows(dimensions)
        with pq.ParquetFile(self.path, pre_buffer=False) as file:
            for group, count in enumerate(self._rows):
                at = first
                if first < stop and first + count > start:
                    for batch in file.iter_batches(step, row_groups=[group], columns=self._columns):
                        begin, end = max(start - at, 0), min(stop - at, batch.num_rows)
                        if begin < end:
                            part = pa.Table.from_batches([batch.slice(begin, end - begin)])
                            yield block_of(part.select(self._columns), dimensions)
                        at += batch.num_rows
                first += count


class NpzFile:
    """An archive of numpy's with the arrays `ids` (n,) of text and `embeddings` (n, d)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with zipfile.ZipFile(path) as archive:
            missing = {"ids.npy", "embeddings.npy"} - set(archive.namelist())
            if missing:
                raise SourceError(f"{shown(str(path))}: no array {min(missing).removesuffix('.npy')!r} in it")
            with archive.open("ids.npy") as file:
                (count, *more), kind = _header(file, path)
            with archive.open("embeddings.npy") as file:
                self._shape = _matrix_shape(file, path)
        if more or (count and kind.kind not in "USiu") or count != self._shape[0]:
            raise SourceError(f"{shown(str(path))}: ids must be as many texts as there are embeddings")

    def __len__(self) -> int:
        return self._shape[0]

    def dimensions(self) -> int:
        return self._shape[1]

    def blocks(self, start: int, stop: int, dimensions: int) -> Iterator[VectorBlock]:
        with (
            zipfile.ZipFile(self.path) as archive,
            archive.open("ids.npy") as names,
            archive.open("embeddings.npy") as vectors,
        ):
            step = block_rows(dimensions)
            parts = (_rows(file, self.path, range(start, stop, step), stop) for file in (names, vectors))
            for ids, block in zip(*parts, strict=True):
                yield _of_arrays(pa.array([_text(one) for one in ids.tolist()], pa.string()), block)


class NpyFile:
    """A matrix of numpy's, with a Parquet file beside it that has an id for each row (clip-retrieval's layout)."""

    def __init__(self, path: Path, beside: Path | None) -> None:
        self.path, self._beside = path, beside
        with path.open("rb") as file:
            self._shape = _matrix_shape(file, path)
        if beside is not None:
            with pq.ParquetFile(beside) as table:
                self._id = _named(beside, table.schema_arrow, ("image_path", "id", "uri"))
                rows = table.metadata.num_rows
            if rows != self._shape[0]:
                told = f"{self._shape[0]:,} vectors, where {shown(str(beside))} has {rows:,} rows"
                raise SourceError(f"{shown(str(path))}: {told}")

    def __len__(self) -> int:
        return self._shape[0]

    def dimensions(self) -> int:
        return self._shape[1]

    def blocks(self, start: int, stop: int, dimensions: int) -> Iterator[VectorBlock]:
        ids = None
        if self._beside is not None:
            ids = pq.read_table(self._beside, columns=[self._id]).column(0).cast(pa.string())
        with self.path.open("rb") as file:
            for vectors in _rows(file, self.path, range(start, stop, block_rows(dimensions)), stop):
                if ids is not None:
                    names = ids.slice(start, len(vectors)).combine_chunks()
                else:  # nothing says what the rows are: their number does
                    names = pa.array([f"{self.path.name}#{row}" for row in range(start, start + len(vectors))])
                yield _of_arrays(names, vectors)
                start += len(vectors)


class LanceTable:
    """A Lance table with a column of ids and one of vectors."""

    def __init__(self, path: Path, column: str | None) -> None:
        import lance  # vectors are also read where it is not installed

        self.path, self._table = path, lance.dataset(str(path))
        schema = self._table.schema
        self._columns = [_named(path, schema, _IDS), _named(path, schema, (column,) if column else _VECTORS)]
        self._type = schema.field(self._columns[1]).type
        if not is_vectors(self._type) or not pa.types.is_fixed_size_list(self._type):
            raise SourceError(f"{shown(str(path))}: column {shown(self._columns[1])} holds no vectors ({self._type})")

    def __len__(self) -> int:
        return int(self._table.count_rows())

    def dimensions(self) -> int:
        return int(self._type.list_size)

    def blocks(self, start: int, stop: int, dimensions: int) -> Iterator[VectorBlock]:
        step = block_rows(dimensions)
        for first in range(start, stop, step):
            scanner = self._table.scanner(columns=self._columns, offset=first, limit=min(stop, first + step) - first)
            yield block_of(scanner.to_table().select(self._columns), dimensions)


def opened(path: Path, beside: Path | None, column: str | None) -> VectorFile:
    """A file, and the one that has its ids where that is another. Raises SourceError."""
    with unreadable_is_said(path):
        if path.suffix == ".parquet":
            return ParquetFile(path, column)
        if path.suffix == ".npz":
            return NpzFile(path)
        if path.suffix == ".npy":
            return NpyFile(path, beside)
        if path.suffix == ".lance":
            return LanceTable(path, column)
    raise SourceError(f"{shown(str(path))}: vectors are read from .parquet, .npz, .npy and .lance")


@contextlib.contextmanager
def unreadable_is_said(path: Path) -> Iterator[None]:
    """Turn whatever the libraries say of a file that they cannot read into SourceError."""
    try:
        yield
    except (OSError, ValueError, RuntimeError, EOFError, zipfile.BadZipFile, pa.ArrowException) as error:
        why = getattr(error, "strerror", None) or (str(error).splitlines() or [type(error).__name__])[0]
        raise SourceError(f"{shown(str(path))}: cannot be read as vectors ({shown(why)[:200]})") from error


def _named(path: Path, schema: pa.Schema, wanted: Sequence[str]) -> str:
    for name in wanted:
        if name in schema.names:
            return name
    there = ", ".join(map(shown, schema.names[:20]))
    raise SourceError(f"{shown(str(path))}: no column {' or '.join(map(shown, wanted))}. There are: {there}")


def is_vectors(kind: pa.DataType) -> bool:
    """Whether values of a type are lists of numbers."""
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    return bool(is_list and (pa.types.is_floating(kind.value_type) or pa.types.is_integer(kind.value_type)))


def block_of(rows: pa.Table, dimensions: int) -> VectorBlock:
    """A table of ids and vectors, its first two columns."""
    ids, lists = (column.combine_chunks() for column in rows.columns[:2])
    is_missing = lists.is_null().to_numpy(zero_copy_only=False)
    if pa.types.is_fixed_size_list(lists.type):
        size = lists.type.list_size
        flat = lists.values.slice(lists.offset * size, len(lists) * size)
        vectors = _numbers(flat).reshape(len(lists), size)
    else:
        lengths = lists.value_lengths().drop_null().to_numpy()
        if (lengths != dimensions).any():
            raise ValueError(f"a vector of {lengths[lengths != dimensions][0]} numbers among those of {dimensions}")
        known = _numbers(lists.flatten()).reshape(-1, dimensions)
        vectors = np.zeros((len(lists), dimensions), known.dtype)
        vectors[~is_missing] = known
    if is_missing.any():
        vectors = vectors.copy()
        vectors[is_missing] = np.nan
    return VectorBlock(ids.cast(pa.string()), vectors, is_missing)


def _numbers(flat: pa.Array) -> NDArray[Any]:
    if flat.null_count or flat.type not in (pa.float16(), pa.float32()):
        flat = flat.cast(pa.float32()).fill_null(float("nan"))
    return np.asarray(flat.to_numpy(zero_copy_only=False))


def _text(one: object) -> str:
    return one.decode(errors="replace") if isinstance(one, bytes) else str(one)


def _of_arrays(ids: pa.Array, vectors: NDArray[Any]) -> VectorBlock:
    with np.errstate(over="ignore"):
        floats = vectors if vectors.dtype == np.float16 else vectors.astype(np.float32, copy=False)
    return VectorBlock(ids, floats, np.zeros(len(vectors), np.bool_))


def _header(file: IO[bytes], path: Path) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of an array; the file then stands at its first byte. Raises SourceError."""
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, is_fortran, kind = read(file)
    if kind.hasobject or is_fortran or not shape:
        raise SourceError(f"{shown(str(path))}: an array of objects, of a single value or in Fortran order")
    return tuple(shape), kind


def _matrix_shape(file: IO[bytes], path: Path) -> tuple[int, int]:
    shape, kind = _header(file, path)
    if len(shape) != 2 or kind.kind not in "fiu":
        raise SourceError(f"{shown(str(path))}: vectors must be rows of numbers, not {kind} of shape {shape}")
    return shape[0], shape[1]


def _rows(file: IO[bytes], path: Path, starts: range, stop: int) -> Iterator[NDArray[Any]]:
    """The rows of an array from each start to the next, read and not mapped: what is read does not stay in memory."""
    shape, kind = _header(file, path)
    size = kind.itemsize * int(np.prod(shape[1:], dtype=np.int64))
    file.seek(starts.start * size, os.SEEK_CUR)
    for first in starts:
        count = min(stop, first + starts.step) - first
        data = file.read(count * size)
        if len(data) < count * size:
            raise EOFError("the file is cut")
        yield np.frombuffer(data, kind).reshape(count, *shape[1:])
