"""What a finder is, and the table that all findings share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tintype.core.columns import DIGEST
from tintype.core.errors import ConfigError
from tintype.core.names import shown
from tintype.index.base import Neighbors
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

    def take(self, rows: NDArray[np.int64], names: Sequence[str]) -> pa.Table:
        """Some rows by their number, from 0, in the order of `batches`; in the order asked for."""
        ...


class Memory(Protocol):
    """Tables that finders keep beside the findings, so that what was worked out once is not worked out again."""

    def load(self, name: str) -> pa.Table | None:
        """The table that was saved under the name, None where there is none or it cannot be read."""
        ...

    def save(self, name: str, rows: pa.Table) -> None:
        """Replace the table of that name. A disk that is full or read-only is no error: nothing is kept then."""
        ...


class NoMemory:
    """Remembers nothing."""

    def load(self, name: str) -> pa.Table | None:
        return None

    def save(self, name: str, rows: pa.Table) -> None:
        return


class NeighborsOf(Protocol):
    """Finds the neighbors of subjects by likeness of their vectors."""

    def __call__(self, digest: pa.Array, vectors: NDArray[np.float16], k: int) -> Neighbors:
        """The k nearest others of each of n distinct images: `digest` (n,) sorted, `vectors` (n, d) of unit length."""
        ...


class Tells(Protocol):
    """Hears how far a finder is: a phase in words and, where they are known, how much of it is done. Told now and
    then, never for each image."""

    def __call__(self, phase: str, done: int = 0, total: int = 0) -> None: ...


def _tell_nobody(phase: str, done: int = 0, total: int = 0) -> None:
    return


def _compared_all(digest: pa.Array, vectors: NDArray[np.float16], k: int) -> Neighbors:
    from tintype.index.graph import nearest_others

    return nearest_others(vectors, k)


@dataclass(frozen=True)
class Inputs:
    """What a finder may look at. Image files are not among it.

    `against` is a second collection that the first is compared with. `apart` holds pairs of digests, each sorted,
    that a person declared to be no copies. `settings` are those of other finders, by name, that this one builds on;
    one that is missing has its defaults.
    """

    columns: ColumnStreams
    against: ColumnStreams | None = None
    neighbors: NeighborsOf = _compared_all
    apart: frozenset[tuple[bytes, bytes]] = frozenset()
    memory: Memory = field(default_factory=NoMemory)
    settings: Mapping[str, Any] = field(default_factory=dict)
    tell: Tells = _tell_nobody


@dataclass(frozen=True)
class Finder:
    """From columns to findings, as a record. `find` yields batches whose first columns are FINDINGS.

    The findings and their order depend on the rows alone, not on the rows' order or where batches end.
    `columns` are the fields that the finder adds after FINDINGS. `builds_on` names finders whose settings count too.
    """

    name: str
    needs: Callable[[Any], tuple[str, ...]]  # columns, from its settings
    settings: type
    find: Callable[[Inputs, Any], Iterator[pa.RecordBatch]]
    columns: tuple[pa.Field, ...] = ()
    builds_on: tuple[str, ...] = ()

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
        for batch in self.store.batches([name for name in names if name in present] or ["uri"]):
            missing = pa.nulls(batch.num_rows)
            yield pa.RecordBatch.from_arrays(
                [batch.column(name) if name in present else missing for name in names], names=list(names)
            )

    def take(self, rows: NDArray[np.int64], names: Sequence[str]) -> pa.Table:
        present = [name for name in names if name in self.store.schema.names]
        found = self.store.take(rows, present or ["uri"])
        missing = pa.nulls(len(rows))
        return pa.table({name: found[name] if name in present else missing for name in names})


def require_numbers(section: str, settings: Any) -> None:
    """Raise ConfigError where a setting that is to be a number is none: text, a truth value, NaN or infinite, or a
    fraction where a whole number is wanted. The range is the caller's to check."""
    for each in fields(settings):
        value, kinds = getattr(settings, each.name), str(each.type).split(" | ")
        wanted = "whole number" if "int" in kinds else "number" if "float" in kinds else None
        if wanted is None or (value is None and "None" in kinds):
            continue
        fits = isinstance(value, int if "int" in kinds else int | float) and not isinstance(value, bool)
        if not fits or not -float("inf") < value < float("inf"):
            raise ConfigError(f"{section}.{each.name} must be a {wanted}, not {shown(repr(value))}")


def findings(*, kind: Any, score: Any, reason: Any, rows: int | None = None, **columns: Any) -> pa.RecordBatch:
    """A batch of FINDINGS, followed by the finder's own columns in the order given.

    Each value is an array with one item a row, or one value for all rows. `a`, `b`, `a_uri` and `b_uri` are null
    where they are not given. `rows` is needed only where no value is an array. Own columns are Arrow arrays.
    """
    given = {"kind": kind, "score": score, "reason": reason} | columns
    count = rows if rows is not None else _length(given)
    fields, arrays = [], []
    for known in FINDINGS:
        fields.append(known)
        arrays.append(_column(given.pop(known.name, None), known.type, count))
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
