"""What a finder is, and the table that all findings share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from tintype.core.columns import DIGEST

FINDINGS = pa.schema(
    [
        pa.field("a", DIGEST),  # subject: an image's digest
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
    """The columns of the collection, streamed; the order of rows is that of the uris."""

    def batches(self, names: Sequence[str]) -> Iterator[pa.RecordBatch]: ...


@dataclass(frozen=True)
class Inputs:
    """What a finder may look at. Image files are not among it."""

    columns: ColumnStreams


@dataclass(frozen=True)
class Finder:
    """From columns to findings, as a record. `find` yields batches whose first columns are FINDINGS."""

    name: str
    needs: Callable[[Any], tuple[str, ...]]  # columns, from its settings
    settings: type
    find: Callable[[Inputs, Any], Iterator[pa.RecordBatch]]
