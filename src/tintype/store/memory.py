"""The images table in memory: plain lists of rows, the oracle of the store's tests."""

from __future__ import annotations

import json
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tintype.core.errors import CollectionError
from tintype.core.expressions import Expression, to_arrow
from tintype.store.base import SHARD, StaleFragment, Writer, Written

Row = dict[str, Any]


class MemoryStore:
    """A store that forgets. It does the plainest thing everywhere; its worth is that it is easy to believe."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._rows: list[tuple[int, Row]] = []  # (row id, row)
        self._next_id = 0
        self._version = 1

    @property
    def version(self) -> int:
        return self._version

    @property
    def schema(self) -> pa.Schema:
        return self._schema

    def writer(self, place: Path | None = None) -> Writer:
        return MemoryWriter(self.table())

    def table(self) -> pa.Table:
        return pa.Table.from_pylist([row for _, row in self._rows], schema=self._schema)

    def count(self, where: Expression | None = None) -> int:
        return sum(batch.num_rows for batch in self.batches(["uri"], where=where))

    def batches(
        self, columns: Sequence[str], *, where: Expression | None = None, order_by: str | None = None
    ) -> Iterator[pa.RecordBatch]:
        table = self.table()
        if where is not None:
            table = table.filter(to_arrow(where))
        if order_by is not None:
            table = table.sort_by(order_by)
        return iter(table.select(list(columns)).to_batches())

    def take(self, rows: NDArray[np.int64], columns: Sequence[str]) -> pa.Table:
        return self.table().select(list(columns)).take(pa.array(rows))

    def rows(self, where: Expression) -> NDArray[np.int64]:
        table = self.table()
        numbered = table.append_column("_number", pa.array(np.arange(len(table)))).filter(to_arrow(where))
        return np.asarray(numbered["_number"].to_numpy(), np.int64)

    def add_columns(self, columns: pa.Schema) -> None:
        for field in columns:
            if field.name not in self._schema.names:
                self._schema = self._schema.append(field)
            elif self._schema.field(field.name).type != field.type:
                raise CollectionError(f"column {field.name} has another type")
        self._version += 1

    def note(self, facts: Mapping[str, Mapping[str, str]]) -> None:
        for name, told in facts.items():
            at, field = self._schema.get_field_index(name), self._schema.field(name)
            keys = {key.encode(): value.encode() for key, value in told.items()}
            self._schema = self._schema.set(at, field.with_metadata({**(field.metadata or {}), **keys}))
        self._version += 1

    def is_whole(self, written: Written) -> bool:
        return True

    def commit(self, written: Sequence[Written]) -> None:
        there = {row[SHARD] for _, row in self._rows}
        fresh = [part for part in written if part.shard not in there]
        if not fresh:
            return
        gone = {uri for part in fresh for uri in part.replaces}
        self._rows = [(key, row) for key, row in self._rows if row["uri"] not in gone]
        for part in fresh:
            rows = pa.ipc.open_stream(bytes.fromhex(json.loads(part.payload))).read_all()
            for row in rows.to_pylist():
                self._rows.append((self._next_id, row))
                self._next_id += 1
        self._version += 1

    def stale(self, where: Expression, columns: Sequence[str]) -> Iterator[StaleFragment]:
        table = self.table().append_column("_rowid", pa.array([key for key, _ in self._rows], pa.uint64()))
        rows = table.filter(to_arrow(where)).select(["_rowid", *columns])
        if rows.num_rows:
            yield StaleFragment(0, rows)

    def update(self, fragment: int, rows: Iterable[pa.RecordBatch], schema: pa.Schema) -> None:
        changed = {row.pop("_rowid"): row for batch in rows for row in batch.to_pylist()}
        for key, row in self._rows:
            row.update(changed.get(key, {}))
        self._version += 1

    def delete(self, uris: Sequence[str]) -> None:
        gone = set(uris)
        self._rows = [(key, row) for key, row in self._rows if row["uri"] not in gone]
        self._version += 1

    def compact(self) -> None:
        self._version += 1

    def clean_up(self, older_than_s: float, held: Container[int] = ()) -> None:
        """There is nothing to clean up."""


class MemoryWriter:
    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def write(self, shard: str, rows: pa.Table) -> Written:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, rows.schema) as stream:
            stream.write_table(rows)
        return Written(shard, rows.num_rows, json.dumps(sink.getvalue().to_pybytes().hex()))

    def take(self, positions: pa.Array, columns: Sequence[str]) -> pa.Table:
        return self._table.select(list(columns)).take(positions)
