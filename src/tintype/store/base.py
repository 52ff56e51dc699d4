"""What a store of images is: one table, written by fragments that are committed in groups."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tintype.core.expressions import Expression

SHARD = "_shard"


@dataclass(frozen=True)
class Written:
    """Rows that lie on disk but are not part of the table until `commit`.

    `shard` is the value of their column `_shard`, `payload` the store's own words (JSON) for where they are.
    """

    shard: str
    rows: int
    payload: str
    replaces: tuple[str, ...] = ()  # uris whose earlier rows leave when these come


@dataclass(frozen=True)
class StaleFragment:
    """A fragment of the table with rows whose columns are to be computed again.

    `rows` has the columns `_rowid` (uint64), `uri` and whatever else was asked for, in the order of the table.
    """

    fragment: int
    rows: pa.Table


class Writer(Protocol):
    """The half of a store that a worker holds: it writes fragments and reads known rows, and commits nothing."""

    def write(self, shard: str, rows: pa.Table) -> Written:
        """Write rows of the store's schema (columns that are missing are null) aside."""
        ...

    def take(self, positions: pa.Array, columns: Sequence[str]) -> pa.Table:
        """Rows by their position (0-based, uint64) in a scan of the version that the writer was opened at."""
        ...


class Store(Protocol):
    """The images table. One process at a time commits; any number may read."""

    @property
    def version(self) -> int:
        """Grows with every change."""
        ...

    @property
    def schema(self) -> pa.Schema: ...

    def writer(self, place: Path | None = None) -> Writer:
        """A writer at the present version."""
        ...

    def count(self, where: Expression | None = None) -> int: ...

    def batches(
        self, columns: Sequence[str], *, where: Expression | None = None, order_by: str | None = None
    ) -> Iterator[pa.RecordBatch]:
        """Stream columns; by default in the order of the positions that `Writer.take` uses."""
        ...

    def take(self, rows: NDArray[np.int64], columns: Sequence[str]) -> pa.Table:
        """Rows by their number, from 0, in the unordered stream of `batches`; in the order asked for."""
        ...

    def rows(self, where: Expression) -> NDArray[np.int64]:
        """The numbers of the rows that pass, ascending, as `take` has them."""
        ...

    def add_columns(self, columns: pa.Schema) -> None:
        """Add all-null columns that are not there yet; one that is there with another type is a CollectionError."""
        ...

    def note(self, facts: Mapping[str, Mapping[str, str]]) -> None:
        """Set keys of the metadata of columns' fields, by column; a reader finds them in the schema."""
        ...

    def is_whole(self, written: Written) -> bool:
        """Whether what was written still lies on disk as it was: a power cut may have taken it."""
        ...

    def commit(self, written: Sequence[Written]) -> None:
        """Add the rows and remove the earlier rows of the uris that they replace, all at once.

        A shard that the table holds already is passed over, so a commit whose outcome was not seen can be
        tried again.
        """
        ...

    def stale(self, where: Expression, columns: Sequence[str]) -> Iterator[StaleFragment]: ...

    def update(self, fragment: int, rows: Iterable[pa.RecordBatch], schema: pa.Schema) -> None:
        """Set columns of some rows of a fragment, found by `_rowid`; rows that are gone are passed over."""
        ...

    def delete(self, uris: Sequence[str]) -> None: ...

    def compact(self) -> None:
        """Gather small fragments where there are many, and drop deleted rows; no writer may be at work."""
        ...

    def clean_up(self, older_than_s: float, held: Container[int] = ()) -> None:
        """Remove versions older than this but those held, and files of no version; no writer may be at work."""
        ...
