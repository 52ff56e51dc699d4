"""What a source is: it lists shards, reads a shard's items in order, and opens one image by uri."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Protocol

import pyarrow as pa

from tintype.core.columns import Column

ENTRIES = pa.schema(
    [
        pa.field("uri", pa.string(), nullable=False),
        pa.field("size_bytes", pa.int64(), nullable=False),
        pa.field("mtime_ns", pa.int64(), nullable=False),
        pa.field("inode", pa.uint64(), nullable=False),
        pa.field("device", pa.uint64(), nullable=False),
        pa.field("offset", pa.int64()),  # null for a plain file
    ]
)
"""What a listing knows of each image without reading it. Equal rows mean an unchanged image (its stamp).

For a member of a tar or a row of a table, mtime, inode and device are those of the container."""


@dataclass(frozen=True)
class Shard:
    """A fixed list of images of one source, to be read in this order."""

    entries: pa.RecordBatch  # of ENTRIES; at least one row


@dataclass(frozen=True, slots=True)
class Item:
    """One image as it was read. Either `data` holds its bytes, or `status` and `reason` say why not.

    The stamp is taken from the open file at the time of reading, so a file that changed since the listing
    is remembered as it was when its bytes were read.
    """

    uri: str
    data: bytes | None
    size_bytes: int
    mtime_ns: int
    inode: int
    device: int
    offset: int | None = None
    status: str = "ok"
    reason: str | None = None
    labels: Mapping[str, Any] = field(default_factory=dict)  # values by column name; missing means null


@dataclass
class Notes:
    """What a listing left out and why: nothing is silently lost. Complete once `shards()` has been exhausted."""

    skipped: Counter[str] = field(default_factory=Counter)  # "other", "hidden", "ignored", "special", "link", …
    problems: list[tuple[str, str]] = field(default_factory=list)  # (uri of a folder, member or row, reason)
    incomplete: list[str] = field(default_factory=list)  # uri prefixes below which images may exist that were not seen


class Source(Protocol):
    """Where images come from. Implementations are picklable: workers get a copy."""

    @property
    def place(self) -> str:
        """The path or URL as the user may write it, absolute."""
        ...

    @property
    def labels(self) -> tuple[Column, ...]:
        """The label columns, with types that are fixed now; the field's own name stands in `words`."""
        ...

    @property
    def notes(self) -> Notes: ...

    def shards(self) -> Iterator[Shard]:
        """All images, each in one shard, in the same order on every call for the same files."""
        ...

    def read(self, shard: Shard, max_bytes: int) -> Iterator[Item]:
        """The shard's items in order, one for each entry. Larger ones than `max_bytes` come without data, `rejected`."""
        ...

    def open(self, uri: str) -> BinaryIO:
        """The bytes of one image. Raises ImageError where it is gone or cannot be read."""
        ...
