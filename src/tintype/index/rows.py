"""The rows of an index: their ids, as text in mapped files, and their vectors, of which few stay in memory."""

from __future__ import annotations

import itertools
import mmap
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
from blake3 import blake3
from numpy.typing import NDArray

from tintype.core.errors import CollectionDamaged
from tintype.core.names import shown
from tintype.index import storage
from tintype.index.choice import Stored
from tintype.index.record import MEND, Block
from tintype.index.vectors import Halves

_MOST_TOUCHED = 48 << 20  # bytes of mapped vectors that count as the program's
_FAULT_BYTES = 384 << 10  # count as read where a row is: measured; the system maps what it has around it
_ROWS_AT_ONCE = 64
_IDS = pa.schema([pa.field("id", pa.string())])
_ARRAYS = {"float16": ("vectors",), "int8": ("vectors", "factors")}
_KINDS = {"float16": (np.float16,), "int8": (np.int8, np.float32)}


def files_of(name: str, stored: Stored) -> list[str]:
    """The files of a block of that name."""
    return [f"{name}.ids.arrow", *(f"{name}.{part}.npy" for part in ("keys", "rows", *_ARRAYS[stored]))]


def keys_of(ids: pa.Array) -> NDArray[np.uint64]:
    """64 bits of each id's BLAKE3, (n,)."""
    texts = ids.cast(pa.binary()).to_pylist()
    joined = b"".join(blake3(text).digest(8) for text in texts)
    return np.frombuffer(joined, "<u8")


class BlockWriter:
    """Writes one block, some rows at a time; it is whole once `close` has returned."""

    def __init__(self, folder: Path, name: str, stored: Stored, dimensions: int) -> None:
        self._place, self._name, self._stored = folder, name, stored
        self._ids = pa.OSFile(str(folder / f"{name}.ids.arrow"), "wb")
        self._texts = pa.ipc.new_file(self._ids, _IDS)
        shapes = [(dimensions,), ()]
        kinds = zip(_ARRAYS[stored], _KINDS[stored], shapes, strict=False)
        self._arrays = [ArrayWriter(folder / f"{name}.{part}.npy", kind, shape) for part, kind, shape in kinds]
        self._keys: list[NDArray[np.uint64]] = []
        self.rows = 0

    def add(self, ids: pa.Array, halves: Halves) -> None:
        self._texts.write_batch(pa.record_batch([ids], schema=_IDS))
        self._keys.append(keys_of(ids))
        for file, array in zip(self._arrays, storage.encoded(halves, self._stored), strict=True):
            file.add(array)
        self.rows += len(ids)

    def close(self) -> Block:
        self._texts.close()
        self._ids.close()
        sync(self._place / f"{self._name}.ids.arrow")
        for file in self._arrays:
            file.close()
        keys = np.concatenate([np.empty(0, np.uint64), *self._keys])
        order = np.argsort(keys, kind="stable")
        write_array(self._place / f"{self._name}.keys.npy", keys[order])
        write_array(self._place / f"{self._name}.rows.npy", order.astype(np.uint32))
        return Block(self._name, self.rows)


class ArrayWriter:
    """An array of numpy's whose number of rows is known in the end."""

    def __init__(self, path: Path, kind: Any, shape: tuple[int, ...]) -> None:
        self._path, self._kind, self._shape, self._rows = path, np.dtype(kind), shape, 0
        self._file: IO[bytes] = path.open("wb")
        self._head()
        self._begin = self._file.tell()

    def add(self, array: NDArray[Any]) -> None:
        self._file.write(np.ascontiguousarray(array, self._kind).reshape(-1).view(np.uint8).data)
        self._rows += len(array)

    def close(self) -> None:
        self._file.seek(0)
        self._head()
        if self._file.tell() != self._begin:  # numpy leaves room for the largest number of rows
            raise OSError(f"{self._path}: the head of the array has grown")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()

    def _head(self) -> None:
        facts = {"descr": self._kind.newbyteorder("<").str, "fortran_order": False, "shape": (self._rows, *self._shape)}
        np.lib.format.write_array_header_1_0(self._file, facts)


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write an array and make it durable."""
    with path.open("wb") as file:
        np.save(file, array, allow_pickle=False)
        file.flush()
        os.fsync(file.fileno())


def write_arrays(path: Path, arrays: dict[str, NDArray[Any]]) -> None:
    """Write several arrays into one archive, and make it durable."""
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)
        file.flush()
        os.fsync(file.fileno())


def sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def mapped(path: Path) -> NDArray[Any]:
    """An array as it lies in its file. Raises CollectionDamaged."""
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r" if path.stat().st_size > 128 else None, allow_pickle=False)
    except ValueError:
        try:
            array = np.load(path, allow_pickle=False)  # nothing is in it, which cannot be mapped
        except (OSError, ValueError) as error:
            raise damaged(path) from error
    except OSError as error:
        raise damaged(path) from error
    return array


def damaged(path: Path) -> CollectionDamaged:
    return CollectionDamaged(shown(str(path)), "this part of the index is not what a build writes", MEND)


class StoredArray:
    """An array in a mapped file, whose pages can be let go of."""

    def __init__(self, path: Path, kind: Any, shape: tuple[int, ...], *, at_random: bool) -> None:
        """Raises CollectionDamaged where the file holds another array than one of this kind and shape.

        With `at_random` a row is read from the disk without what lies around it.
        """
        try:
            with path.open("rb") as file:
                np.lib.format.read_magic(file)
                found = np.lib.format.read_array_header_1_0(file)
                begin = file.tell()
                self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            if at_random and hasattr(mmap, "MADV_RANDOM"):
                self._map.madvise(mmap.MADV_RANDOM)
            if found != (shape, False, np.dtype(kind)):
                raise damaged(path)
            numbers = int(np.prod(shape, dtype=np.int64))
            self.values: NDArray[Any] = np.frombuffer(self._map, kind, numbers, begin).reshape(shape)
        except (OSError, ValueError) as error:
            raise damaged(path) from error

    def let_go(self) -> None:
        """Count no page of the file as the program's any more: the system keeps them as long as it likes."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)


class _Mapped:
    """One block, open."""

    def __init__(self, folder: Path, block: Block, stored: Stored, dimensions: int, *, at_random: bool) -> None:
        path = folder / f"{block.name}.ids.arrow"
        try:
            self._batches = pa.ipc.open_file(pa.memory_map(str(path))).read_all()["id"].chunks
        except (OSError, pa.ArrowException, KeyError) as error:
            raise damaged(path) from error
        self._starts = np.concatenate([[0], np.cumsum([len(batch) for batch in self._batches])])
        self.keys = mapped(folder / f"{block.name}.keys.npy")
        self.order = mapped(folder / f"{block.name}.rows.npy")
        shapes = ((block.rows, dimensions), (block.rows,))
        self.arrays = tuple(
            StoredArray(folder / f"{block.name}.{part}.npy", kind, shape, at_random=at_random)
            for part, kind, shape in zip(_ARRAYS[stored], _KINDS[stored], shapes, strict=False)
        )
        if {self.keys.shape, self.order.shape, (int(self._starts[-1]),)} != {(block.rows,)}:
            raise damaged(path)

    def name(self, row: int) -> str:
        batch = int(np.searchsorted(self._starts, row, side="right")) - 1
        text: str = self._batches[batch][row - int(self._starts[batch])].as_py()
        return text

    def find(self, name: str, key: np.uint64) -> list[int]:
        first, last = np.searchsorted(self.keys, key, "left"), np.searchsorted(self.keys, key, "right")
        return [row for row in self.order[first:last].tolist() if row < len(self.order) and self.name(row) == name]


class Rows:
    """The rows of all blocks, from 0 on. They can be read while others change the index: mapped files stay."""

    def __init__(
        self, folder: Path, blocks: Sequence[Block], stored: Stored, dimensions: int, *, at_random: bool = False
    ) -> None:
        """With `at_random` few rows are asked for at a time, from anywhere."""
        self._blocks = [_Mapped(folder, block, stored, dimensions, at_random=at_random) for block in blocks]
        self._starts = np.concatenate([[0], np.cumsum([block.rows for block in blocks], dtype=np.int64)])
        self.dimensions = dimensions
        self._is_exact = stored == "float16"
        self._touched = 0

    def __len__(self) -> int:
        return int(self._starts[-1])

    def __getitem__(self, rows: Any) -> NDArray[np.float16] | NDArray[np.float32]:
        """The vectors (n, d) of a slice, or of rows (n,) in the order asked for; at unit length."""
        kind = np.float16 if self._is_exact else np.float32
        if isinstance(rows, slice):
            start, stop, _ = rows.indices(len(self))
            parts = [
                self._decoded(block, slice(max(start - first, 0), min(stop, last) - first))
                for block, first, last in zip(self._blocks, self._starts[:-1], self._starts[1:], strict=True)
                if start < last and stop > first
            ]
            return parts[0] if len(parts) == 1 else np.concatenate([np.empty((0, self.dimensions), kind), *parts])
        made = np.empty((len(rows), self.dimensions), kind)
        home = np.searchsorted(self._starts, rows, side="right") - 1
        for number in np.unique(home):
            here = np.flatnonzero(home == number)
            for start in range(0, len(here), _ROWS_AT_ONCE):
                some = here[start : start + _ROWS_AT_ONCE]
                made[some] = self._decoded(self._blocks[number], rows[some] - self._starts[number])
        return made

    def _decoded(self, block: _Mapped, rows: Any) -> NDArray[np.float16] | NDArray[np.float32]:
        """Vectors of a block, of a slice or of rows. From time to time all pages that were read are let go of."""
        arrays = tuple(array.values[rows] for array in block.arrays)
        is_slice = isinstance(rows, slice)
        self._touched += sum(array.nbytes for array in arrays) if is_slice else len(rows) * len(arrays) * _FAULT_BYTES
        if self._touched > _MOST_TOUCHED:
            self._touched = 0
            for known in self._blocks:
                for array in known.arrays:
                    array.let_go()
        return storage.decoded(arrays)

    def ids(self, rows: Iterable[int]) -> list[str]:
        """The ids of some rows."""
        found = []
        for row in rows:
            block = int(np.searchsorted(self._starts, row, side="right")) - 1
            found.append(self._blocks[block].name(row - int(self._starts[block])))
        return found

    def find(self, name: str) -> list[int]:
        """The rows of an id, ascending: the removed ones too, so there may be several."""
        key = keys_of(pa.array([name], pa.string()))[0]
        pairs = zip(self._blocks, self._starts, strict=False)
        return [int(start) + row for block, start in pairs for row in block.find(name, key)]

    def known(self, ids: pa.Array, removed: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of some ids (n,) are at a row that is not removed."""
        keys = keys_of(ids)
        found = np.zeros(len(keys), np.bool_)
        for block in self._blocks:
            if len(block.keys):
                at = np.minimum(np.searchsorted(block.keys, keys), len(block.keys) - 1)
                found |= block.keys[at] == keys
        for place in np.flatnonzero(found).tolist():  # of these the keys are alike; nearly always the ids too
            found[place] = not np.isin(self.find(ids[place].as_py()), removed).all()
        return found

    def repeated(self, removed: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows whose id stands at an earlier row, ascending; removed rows do not count. In bounded memory."""
        found: list[int] = []
        for low, high in _ranges(len(self)):
            keys, rows = self._within(low, high)
            kept = ~np.isin(rows, removed)
            order = np.lexsort((rows[kept], keys[kept]))
            keys, rows = keys[kept][order], rows[kept][order]
            for key in np.unique(keys[1:][keys[1:] == keys[:-1]]):
                first, last = np.searchsorted(keys, key, "left"), np.searchsorted(keys, key, "right")
                found += self._later(rows[first:last])
        return np.array(sorted(found), np.int64)

    def texts(self, first: int, last: int) -> pa.Array:
        """The ids from one row to another."""
        return pa.array(self.ids(range(first, last)), pa.string())

    def _within(self, low: int, high: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Keys from one to another, and their rows."""
        keys, rows = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
        for block, start in zip(self._blocks, self._starts.tolist(), strict=False):
            first = int(np.searchsorted(block.keys, np.uint64(low)))
            last = int(np.searchsorted(block.keys, np.uint64(high - 1), "right"))
            keys.append(block.keys[first:last])
            rows.append(start + block.order[first:last].astype(np.int64))
        return np.concatenate(keys), np.concatenate(rows)

    def _later(self, rows: NDArray[np.int64]) -> list[int]:
        seen: set[str] = set()
        later = []
        for row, name in zip(rows.tolist(), self.ids(rows.tolist()), strict=True):
            if name in seen:
                later.append(row)
            seen.add(name)
        return later


def _ranges(count: int) -> Iterator[tuple[int, int]]:
    """Ranges of keys with about a million of `count` each."""
    parts = max(1, count >> 20)
    bounds = [(1 << 64) * part // parts for part in range(parts + 1)]
    yield from itertools.pairwise(bounds)
