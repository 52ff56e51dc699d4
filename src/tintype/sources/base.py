"""What a source is: it lists shards, reads a shard's items in order, and opens one image by uri."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NamedTuple, Protocol, runtime_checkable

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


def modified_ns(facts: os.stat_result) -> int:
    """When a file was modified, in ns, held to what 64 bits can say: some file systems know later years than 2262."""
    return max(-(1 << 63), min(facts.st_mtime_ns, (1 << 63) - 1))


class Entry(NamedTuple):
    """One row of ENTRIES."""

    uri: str
    size_bytes: int
    mtime_ns: int
    inode: int
    device: int
    offset: int | None


@dataclass(frozen=True)
class Shard:
    """A fixed list of images of one source, to be read in this order."""

    entries: pa.RecordBatch  # the columns of ENTRIES, more may follow; at least one row

    @classmethod
    def of(cls, entries: Sequence[Entry]) -> Shard:
        columns = zip(zip(*entries, strict=True), ENTRIES, strict=True)
        arrays = [pa.array(values, field.type) for values, field in columns]
        return cls(pa.RecordBatch.from_arrays(arrays, schema=ENTRIES))

    def __iter__(self) -> Iterator[Entry]:
        columns = (self.entries.column(name).to_pylist() for name in ENTRIES.names)
        return map(Entry._make, zip(*columns, strict=True))


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
    digest: bytes | None = None  # the subject, where it is not the digest of `data`: see sources/objects.py


MAX_PROBLEMS = 1_000
"""How many problems of a listing are kept with their reasons."""


@dataclass
class Notes:
    """What a listing left out and why: nothing is silently lost. Complete once `shards()` is exhausted."""

    skipped: Counter[str] = field(default_factory=Counter)
    """How many were left out, by kind: "other", "hidden", "ignored", "special", "link", "refused", …"""
    problems: list[tuple[str, str]] = field(default_factory=list)
    """The first problems: uri of a folder, member or row, and the reason."""
    incomplete: list[str] = field(default_factory=list)
    """Beginnings of uris under which there may be images that were not seen."""

    def problem(self, uri: str, reason: str) -> None:
        """Keep a problem; past MAX_PROBLEMS they are only counted, so that memory stays bounded."""
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append((uri, reason))
        else:
            self.skipped["problems not listed"] += 1

    def refuse(self, uri: str, reason: str) -> None:
        """A member or row that is not read at all: counted as "refused", with its reason."""
        self.skipped["refused"] += 1
        self.problem(uri, reason)

    def unseen(self, prefix: str, reason: str) -> None:
        """There may be images below this prefix that were not seen: those known from before are not gone."""
        self.problem(prefix, reason)
        self.incomplete.append(prefix)


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

    @property
    def is_ordered(self) -> bool:
        """Whether `shards()` lists uris in ascending order of their UTF-8 bytes: a rescan can then stream."""
        ...

    def shards(self) -> Iterator[Shard]:
        """All images, each in one shard, in the same order on every call for the same files."""
        ...

    def read(self, shard: Shard, max_bytes: int) -> Iterator[Item]:
        """The shard's items in order, one for each entry; what is over `max_bytes` is `rejected`, unread."""
        ...

    def open(self, uri: str) -> BinaryIO:
        """The bytes of one image. Raises ImageError where it is gone or cannot be read."""
        ...


@runtime_checkable
class HasLabels(Source, Protocol):
    """A source whose label columns can be fixed from outside."""

    def with_labels(self, labels: tuple[Column, ...]) -> Source: ...
