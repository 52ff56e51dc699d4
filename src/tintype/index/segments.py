"""From vectors as they come to the files of a segment: what is no vector left out, the rest coded and written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tintype.index import hnsw, lists
from tintype.index.choice import FLAT_MOST, Design
from tintype.index.lists import Trained
from tintype.index.record import Block, Segment, Skipped
from tintype.index.rows import BlockWriter, Rows, files_of
from tintype.index.vectors import LENGTH_TOLERANCE, Halves, widened
from tintype.store.vector_files import VectorBlock

_LEAST_PART, _MOST_PART = 1 << 14, 1 << 19  # rows
_CODES_SHARE = 8  # of the memory, one in so many for the codes of a part
_NOT_FINITE = np.float32(65_536)  # what is no number in float16 widens to this or more


@dataclass(frozen=True)
class Usable:
    """The rows of a block that an index can hold."""

    ids: pa.Array  # (n,) string
    vectors: Halves  # (n, d)
    places: NDArray[np.int64]  # (n,) where they stood in their block
    skipped: Skipped


def usable(block: VectorBlock) -> Usable:
    """Vectors at unit length; without those that are missing, not finite or zero, and without rows that have no id.

    A float16 of about unit length stays as it is, to the bit.
    """
    if block.vectors.dtype == np.float16:
        wide = widened(np.ascontiguousarray(block.vectors, np.float16))
        largest = np.abs(wide).max(axis=1, initial=0)
        is_finite = largest < _NOT_FINITE
    else:
        wide = np.array(block.vectors, np.float32)
        largest = np.abs(wide).max(axis=1, initial=0)
        is_finite = np.isfinite(largest)
    is_zero = is_finite & (largest == 0)
    has_id = pc.fill_null(pc.not_equal(block.ids, ""), False).to_numpy(zero_copy_only=False)
    good = is_finite & ~is_zero & ~block.is_missing
    skipped = Skipped(
        missing=int(block.is_missing.sum()),
        not_finite=int((~is_finite & ~block.is_missing).sum()),
        zero=int((is_zero & ~block.is_missing).sum()),
        without_id=int((good & ~has_id).sum()),
    )
    places = np.flatnonzero(good & has_id)
    wide = wide[places] / largest[places, None]  # no square overflows
    lengths = np.sqrt(np.einsum("nd,nd->n", wide, wide))
    halves = (wide / lengths[:, None]).astype(np.float16)
    if block.vectors.dtype == np.float16:
        units = np.flatnonzero(np.abs(lengths * largest[places] - 1) <= LENGTH_TOLERANCE)
        halves[units] = block.vectors[places[units]]
    return Usable(block.ids.take(pa.array(places)), halves, places, skipped)


def part_rows(memory_bytes: int, code_bytes: int) -> int:
    """How many rows a part has: as many as have codes that take a small share of the memory."""
    return max(_LEAST_PART, min(_MOST_PART, memory_bytes // _CODES_SHARE // (code_bytes + 8)))


class PartWriter:
    """Writes the files of one part: those of a block, and lists of the same name where the design has lists."""

    def __init__(
        self, folder: Path, name: str, design: Design, trained: Trained | None, dimensions: int, first_row: int
    ) -> None:
        """The part's first row is `first_row` of the index."""
        self._folder, self._name, self._trained, self._first = folder, name, trained, first_row
        self._block = BlockWriter(folder, name, design.stored, dimensions)
        self._labels: list[NDArray[np.int64]] = []
        self._codes: list[NDArray[np.uint8]] = []

    @property
    def next_row(self) -> int:
        return self._first + self._block.rows

    def add(self, ids: pa.Array, vectors: Halves) -> None:
        """Write some rows."""
        if not len(ids):
            return
        self._block.add(ids, vectors)
        if self._trained is not None:
            labels, codes = self._trained.coded(vectors)
            self._labels.append(labels)
            self._codes.append(codes)

    def close(self) -> Block:
        block = self._block.close()
        if self._trained is not None:
            width, count = self._trained.code_bytes, len(self._trained.centers)
            labels = np.concatenate([np.empty(0, np.int64), *self._labels])
            codes = np.concatenate([np.empty((0, width), np.uint8), *self._codes])
            lists.write_lists(self._folder, self._name, labels, codes, self._first, count)
        return block


def part_files(block: Block, design: Design) -> list[str]:
    """The files of a part."""
    of_lists = lists.files_of(block.name) if design.kind == "lists" else []
    return [*files_of(block.name, design.stored), *of_lists]


def joined(
    folder: Path, name: str, design: Design, trained: Trained | None, parts: Sequence[Block], before: Rows
) -> Segment:
    """Make one segment of parts that were written; `before` are the rows of the index in front of them."""
    kind = design.kind
    if kind == "graph" and len(before) and sum(block.rows for block in parts) <= FLAT_MOST:
        kind = "flat"  # few rows beside a graph are compared one and all
    segment = Segment(name, kind, tuple(parts))
    if kind == "lists" and trained is not None:
        lists.merge(folder, [block.name for block in parts], name, trained.code_bytes)
    if kind == "graph":
        rows = Rows(folder, parts, design.stored, before.dimensions)
        hnsw.write_graph(folder, name, rows)
    return segment
