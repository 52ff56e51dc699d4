"""An index that is open: mapped files, searched by vectors, and found by ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tintype.core.errors import CollectionDamaged, UsageError
from tintype.core.names import shown
from tintype.index import hnsw, lists, rows
from tintype.index.base import Hits
from tintype.index.best import Best
from tintype.index.faiss_library import without
from tintype.index.hnsw import Graph
from tintype.index.lists import Lists, Trained
from tintype.index.record import Effort, Record, Segment, check_files, read_record
from tintype.index.rows import Rows, damaged, mapped
from tintype.index.vectors import Halves, products, widened

_AT_ONCE = 16  # queries whose candidates are compared at once
_LEAST_LENGTH = 1e-6


class Flat:
    """Rows of a segment that are all compared."""

    def __init__(self, rows: Rows, first_row: int, count: int, removed: NDArray[np.int64]) -> None:
        self._rows, self._first, self._last = rows, first_row, first_row + count
        self._key = np.full(len(rows), -1, np.int64)
        self._key[first_row : first_row + count] = np.arange(first_row, first_row + count)
        self._key[removed] = -1

    def search(
        self, queries: NDArray[np.float16], k: int, effort: Effort, selector: Any
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        best = Best(queries, self._rows, self._key, k)
        best.see(self._first, self._last)
        return best.result()


class OpenIndex:
    """Searches an index as it was when it was opened, whatever is changed in it meanwhile."""

    def __init__(self, place: Path, record: Record) -> None:
        """`record` may describe files that are there and not yet the index that `place` holds."""
        self.place, self.record = place, record
        self.dimensions = record.dimensions
        blocks = [block for segment in record.segments for block in segment.blocks]
        is_probed = record.design.kind == "lists"
        self.rows = Rows(place, blocks, record.design.stored, record.dimensions, at_random=is_probed)
        self.removed = self._removed()
        self.trained = self._trained()
        self._parts = self._opened()

    @classmethod
    def open(cls, place: Path, *, check_all: bool = False) -> OpenIndex:
        """Raises CollectionError where there is none, and CollectionDamaged for files that are not as written.

        Files that were seen before are known by their time and size; `check_all` reads all of them.
        """
        record = read_record(place)
        try:
            check_files(place, record, all_anew=check_all)
            return cls(place, record)
        except CollectionDamaged:
            if read_record(place).serial == record.serial:
                raise
            return cls.open(place, check_all=check_all)  # it was changed meanwhile

    def __len__(self) -> int:
        return len(self.rows) - len(self.removed)

    def search(self, queries: NDArray[Any], k: int, effort: Effort | None = None) -> Hits:
        """The k nearest that are found for each of (q, d) vectors of any length. Raises UsageError."""
        halves = self.checked(queries)
        if k < 1:
            raise UsageError(f"k must be at least 1, not {k}")
        effort = effort or self.record.effort
        found = self.candidates(halves, k * effort.candidates, effort.probes)
        order = np.lexsort((found.rows, -found.similarity))[:, :k]
        hits = np.full((len(halves), k), -1, np.int64), np.full((len(halves), k), -2, np.float32)
        hits[0][:, : order.shape[1]] = np.take_along_axis(found.rows, order, 1)
        hits[1][:, : order.shape[1]] = np.take_along_axis(found.similarity, order, 1)
        return Hits(*hits)

    def candidates(self, queries: Halves, count: int, probes: int) -> Hits:
        """The `count` best by their codes, in that order, with the cosines (q, count) of their stored vectors."""
        count = max(1, min(count, len(self)))
        places, scores = [], []
        for part, selector in self._parts:
            found, score = part.search(queries, count, Effort(probes, 1), selector)
            places.append(found)
            scores.append(np.where(found >= 0, score, -np.inf))
        best = places[0]
        if len(places) > 1:
            order = np.argsort(-np.concatenate(scores, axis=1), axis=1, kind="stable")[:, :count]
            best = np.take_along_axis(np.concatenate(places, axis=1), order, 1)
        return Hits(best, self._similarity(queries, best))

    def checked(self, queries: NDArray[Any]) -> Halves:
        """Queries (q, d) at unit length. Raises UsageError for another dimension, and what is like nothing."""
        given = np.asarray(queries)
        if given.ndim != 2 or given.dtype.kind not in "fiu":
            raise UsageError(
                f"vectors of {self.dimensions} numbers are needed, not {given.dtype} of shape {given.shape}"
            )
        if given.shape[1] != self.dimensions:
            raise UsageError(f"the vector has {given.shape[1]} numbers; those of this index have {self.dimensions}")
        wide = given.astype(np.float64)
        largest = np.abs(wide).max(axis=1, initial=0, keepdims=True)
        if not np.isfinite(largest).all() or (largest == 0).any():
            raise UsageError("a vector that is zero or not finite is like nothing")
        wide /= largest  # no square overflows
        halves: Halves = (wide / np.linalg.norm(wide, axis=1, keepdims=True)).astype(np.float16)
        return halves

    def ids(self, rows: NDArray[np.int64]) -> list[str]:
        """The ids of rows (n,)."""
        return self.rows.ids(rows.tolist())

    def row(self, name: str) -> int | None:
        """The row of an id; None where it is not there, or no longer."""
        left = [row for row in self.rows.find(name) if not self.is_removed(row)]
        return left[0] if left else None

    def vector(self, name: str) -> NDArray[np.float32]:
        """The vector (d,) of an id, as it is stored. Raises UsageError where it is not there."""
        row = self.row(name)
        if row is None:
            raise UsageError(f"{shown(name)} is not in the index {shown(str(self.place))}")
        vector: NDArray[np.float32] = widened(self.rows[np.array([row])])[0]
        return vector

    def is_removed(self, row: int) -> bool:
        at = int(np.searchsorted(self.removed, row))
        return at < len(self.removed) and int(self.removed[at]) == row

    def _similarity(self, queries: Halves, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        similarity = np.full(rows.shape, -2, np.float32)
        for start in range(0, len(queries), _AT_ONCE):
            part = rows[start : start + _AT_ONCE]
            query, column = np.nonzero(part >= 0)
            stored = widened(self.rows[part[query, column]])
            similarity[start + query, column] = products(widened(queries[start + query]), stored)
        return similarity

    def _removed(self) -> NDArray[np.int64]:
        if not self.record.removed_rows:
            return np.empty(0, np.int64)
        path = self.place / self.record.removed
        removed = np.array(mapped(path))
        is_sound = removed.dtype == np.int64 and removed.shape == (self.record.removed_rows,)
        if not is_sound or (np.diff(removed) <= 0).any() or removed[0] < 0 or removed[-1] >= len(self.rows):
            raise damaged(path)
        return removed

    def _trained(self) -> Trained | None:
        if self.record.design.kind != "lists":
            return None
        return Trained(self.record.design, arrays_of(self.place / self.record.trained))

    def _opened(self) -> list[tuple[Flat | Graph | Lists, Any]]:
        parts: list[tuple[Flat | Graph | Lists, Any]] = []
        first = 0
        for segment in self.record.segments:
            parts.append((self._part(segment, first), self._selector(segment, first)))
            first += segment.rows
        return parts

    def _part(self, segment: Segment, first: int) -> Flat | Graph | Lists:
        if segment.kind == "lists" and self.trained is not None:
            return Lists(self.place, segment, self.trained, first)
        if segment.kind == "graph":
            return Graph(self.place, segment, self.rows, first)
        return Flat(self.rows, first, segment.rows, self.removed)

    def _selector(self, segment: Segment, first: int) -> Any:
        if segment.kind == "graph":
            inside = self.removed[(self.removed >= first) & (self.removed < first + segment.rows)]
            return without(inside - first, segment.rows)
        return without(self.removed, len(self.rows)) if segment.kind == "lists" else None


def files_of(record: Record) -> list[str]:
    """The files that an index of this record has."""
    names = [name for name in (record.trained, record.truth, record.removed) if name]
    of_kind = {"lists": lists.files_of, "graph": hnsw.files_of}
    for segment in record.segments:
        names += of_kind[segment.kind](segment.name) if segment.kind in of_kind else []
        names += [file for block in segment.blocks for file in rows.files_of(block.name, record.design.stored)]
    return names


def arrays_of(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an archive of numpy's. Raises CollectionDamaged."""
    import zipfile

    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise damaged(path) from error
