"""Changing an index that stands: more vectors without a rebuild, and fewer."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from tintype.core.errors import UsageError
from tintype.core.names import shown
from tintype.core.platform import full_disk_is_said
from tintype.index.building import Telling, changed, put_in_place, settled
from tintype.index.measure import Truth
from tintype.index.opened import OpenIndex, arrays_of
from tintype.index.record import Block, Record, Segment, Skipped, facts_of, read_record, remove_others
from tintype.index.rows import Rows, write_array
from tintype.index.segments import PartWriter, joined, part_rows, usable
from tintype.index.vectors import Halves
from tintype.store.vector_files import block_rows
from tintype.store.vectors import VectorSource

_ABSORBED_ROWS = 16_384


@dataclass(frozen=True)
class Changed:
    """What a change did."""

    record: Record
    rows: int  # added or removed
    known: int  # that were there before, or were not there to be removed
    skipped: Skipped


def add(place: Path, source: VectorSource, telling: Telling) -> Changed:
    """Add the vectors of a source whose ids are not in the index yet; the others stay as they are.

    They become a segment of their own, with the centers and codes that were learned once. A segment that was added
    before and is not larger is written anew together with them, so that there are never many. Recall is measured
    again. Raises UsageError for another dimension, CollectionLocked, CollectionDamaged, SourceError, StorageFull.
    """
    read_record(place)  # where there is no index, no folder is made
    with changed(place), full_disk_is_said(str(place)):
        opened = OpenIndex.open(place)
        if source.dimensions != opened.dimensions:
            raise UsageError(
                f"{shown(source.place)} has vectors of {source.dimensions} numbers; those of the index have "
                f"{opened.dimensions}"
            )
        remove_others(place, opened.record)
        return _Addition(opened, source, telling).run()


def remove(place: Path, names: Sequence[str]) -> Changed:
    """Remove ids: their rows are found no more. Raises CollectionLocked, CollectionDamaged, StorageFull."""
    read_record(place)
    with changed(place), full_disk_is_said(str(place)):
        opened = OpenIndex.open(place)
        rows = {row for name in names if (row := opened.row(name)) is not None}
        unknown = len(set(names)) - len(rows)
        if not rows:
            return Changed(opened.record, 0, unknown, Skipped())
        record = dataclasses.replace(opened.record, serial=opened.record.serial + 1)
        gone = np.union1d(opened.removed, np.array(sorted(rows), np.int64))
        path = f"removed-{record.serial}.npy"
        write_array(place / path, gone)
        files = {**record.files, path: facts_of(place / path)}
        files.pop(record.removed, None)
        record = dataclasses.replace(record, removed=path, removed_rows=len(gone), files=files)
        put_in_place(place, record)
        return Changed(record, len(rows), unknown, Skipped())


class _Addition:
    def __init__(self, opened: OpenIndex, source: VectorSource, telling: Telling) -> None:
        self.opened, self.source, self.telling = opened, source, telling
        self.place, self.serial = opened.place, opened.record.serial + 1
        self.truth = Truth.of(arrays_of(self.place / opened.record.truth))
        self.known, self.added, self.skipped = 0, 0, Skipped()

    def run(self) -> Changed:
        old, design = self.opened.record, self.opened.record.design
        kept = list(old.segments)
        absorbed: list[Segment] = []
        while len(kept) > 1 and kept[-1].rows <= max(_ABSORBED_ROWS, len(self.source)):
            absorbed.insert(0, kept.pop())
        before = Rows(
            self.place, [block for segment in kept for block in segment.blocks], design.stored, old.dimensions
        )
        try:
            parts = self._written(itertools.chain(self._absorbed(len(before)), self._fresh()), len(before))
            if not self.added:
                remove_others(self.place, old)
                return Changed(old, 0, self.known, self.skipped)
            name = f"segment-{self.serial}"
            segment = joined(self.place, name, design, self.opened.trained, parts, before)
            return self._settled((*kept, segment), segment)
        except BaseException:
            remove_others(self.place, old)
            raise

    def _absorbed(self, first: int) -> Iterator[tuple[pa.Array, Halves]]:
        """The rows of segments that are written anew, the removed ones too: rows keep their numbers."""
        rows = self.opened.rows
        step = block_rows(rows.dimensions)
        for start in range(first, len(rows), step):
            stop = min(len(rows), start + step)
            yield pa.array(rows.ids(range(start, stop)), pa.string()), rows[start:stop].astype(np.float16)

    def _fresh(self) -> Iterator[tuple[pa.Array, Halves]]:
        """What comes and is not there yet."""
        at, row = 0, len(self.opened.rows)
        for block in self.source.blocks(0, len(self.source)):
            good = usable(block)
            self.skipped += good.skipped
            is_new = ~self.opened.rows.known(good.ids, self.opened.removed)
            self.known += int((~is_new).sum())
            ids, vectors = good.ids.filter(pa.array(is_new)), good.vectors[is_new]
            self.truth = self.truth.seeing(np.arange(row, row + len(ids)), vectors)
            at, row = at + len(block.ids), row + len(ids)
            self.added += len(ids)
            self.telling("indexing", at, len(self.source))
            yield ids, vectors

    def _written(self, chunks: Iterable[tuple[pa.Array, Halves]], first: int) -> list[Block]:
        record, trained = self.opened.record, self.opened.trained
        most = part_rows(record.memory_bytes, record.design.code_bytes(record.dimensions))
        parts: list[Block] = []
        writer: PartWriter | None = None
        for ids, vectors in chunks:
            if writer is None:
                name = f"block-{self.serial}-{len(parts)}"
                writer = PartWriter(self.place, name, record.design, trained, record.dimensions, first)
            writer.add(ids, vectors)
            if writer.next_row - first >= most:
                first = writer.next_row
                parts.append(writer.close())
                writer = None
        if writer is not None:
            parts.append(writer.close())
        return [part for part in parts if part.rows]

    def _settled(self, segments: tuple[Segment, ...], fresh: Segment) -> Changed:
        old, origin = self.opened.record, self.opened.record.origin
        if (self.source.place, self.source.column) == (origin.place, origin.column):
            origin = dataclasses.replace(origin, stamp=self.source.stamp, rows=len(self.source))
        record = dataclasses.replace(old, serial=self.serial, segments=segments, origin=origin)
        blocks = [block for segment in segments for block in segment.blocks]
        repeated = Rows(self.place, blocks, old.design.stored, old.dimensions).repeated(self.opened.removed)
        self.skipped += Skipped(duplicate=len(repeated))
        record = dataclasses.replace(record, skipped=record.skipped + self.skipped)
        removed = np.union1d(self.opened.removed, repeated)
        record = settled(self.place, record, removed, self.truth, old.files, self.telling)
        put_in_place(self.place, record)
        return Changed(record, self.added - len(repeated), self.known, self.skipped)
