"""What a finder is, and the table that all findings share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from tintype.core.columns import DIGEST
from tintype.store.base import Store

FINDINGS = pa.schema(
    [
        pa.field("a", DIGEST),  # subject: an image's digest; null where its bytes could not be read
        pa.field("b", DIGEST),  # the other subject; null where one is meant
        pa.field("a_uri", pa.string()),  # where the finding is about files at places
        pa.field("b_uri", pa.string()),
        pa.field("kind", pa.string(), nullable=False),  # relation or issue
        pa.field("score", pa.float32(), nullable=False),  # 0 to 1, 1 is surest
        pa.field("reason", pa.string(), nullable=False),
    ]
)
"""The first columns of every findings table; a finder may add its own after them."""


class ColumnStreams(Protocol):
    """The columns of the collection, streamed."""

    def batches(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """All rows, in any order, with these columns in this order. One that the collection lacks is all null."""
        ...


@dataclass(frozen=True)
class Inputs:
    """What a finder may look at. Image files are not among it."""

    columns: ColumnStreams


@dataclass(frozen=True)
class Finder:
    """From columns to findings, as a record. `find` yields batches whose first columns are FINDINGS.

    The findings and their order depend on the rows alone, not on the rows' order or where batches end.
    `columns` are the fields that the finder adds after FINDINGS.
    """

    name: str
    needs: Callable[[Any], tuple[str, ...]]  # columns, from its settings
    settings: type
    find: Callable[[Inputs, Any], Iterator[pa.RecordBatch]]
    columns: tuple[pa.Field, ...] = ()

    @property
    def schema(self) -> pa.Schema:
        """Schema of the batches that `find` yields."""
        return pa.schema([*FINDINGS, *self.columns])


@dataclass(frozen=True)
class StoreColumns:
    """The columns of a store; those of stages that never ran are null."""

    store: Store

    def batches(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
        present = set(self.store.schema.names)
        for batch in self.store.batches([name for name in names if name in present]):
            missing = pa.nulls(batch.num_rows)
            yield pa.RecordBatch.from_arrays(
                [batch.column(name) if name in present else missing for name in names], names=list(names)
            )


def findings(*, kind: Any, score: Any, reason: Any, rows: int | None = None, **columns: Any) -> pa.RecordBatch:
    """A batch of FINDINGS, followed by the finder's own columns in the order given.

    Each value is an array with one item a row, or one value for all rows. `a`, `b`, `a_uri` and `b_uri` are null
    where they are not given. `rows` is needed only where no value is an array. Own columns are Arrow arrays.
    """
    given = {"kind": kind, "score": score, "reason": reason} | columns
    count = rows if rows is not None else _length(given)
    fields, arrays = [], []
    for field in FINDINGS:
        fields.append(field)
        arrays.append(_column(given.pop(field.name, None), field.type, count))
    for name, value in given.items():
        array = value.combine_chunks() if isinstance(value, pa.ChunkedArray) else value
        fields.append(pa.field(name, array.type))
        arrays.append(array)
    return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def _length(given: dict[str, Any]) -> int:
    for value in given.values():
        if value is not None and not isinstance(value, str | bytes | int | float):
            return len(value)
    raise ValueError("findings of scalars alone need `rows`")


def _column(value: Any, kind: pa.DataType, count: int) -> pa.Array:
    if value is None:
        return pa.nulls(count, kind)
    if isinstance(value, str | bytes | int | float):
        return pa.repeat(pa.scalar(value, kind), count)
    if isinstance(value, pa.ChunkedArray):
        value = value.combine_chunks()
    return value.cast(kind) if isinstance(value, pa.Array) else pa.array(value, kind)
