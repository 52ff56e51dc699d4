"""A tar or a table in an object store: fetched into the cache, and read there."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc

from tintype.core.columns import Column
from tintype.core.errors import SourceError
from tintype.core.names import shown
from tintype.core.object_facts import PATIENT, Budget, Changed, Facts, split_url
from tintype.core.object_store import ObjectStore
from tintype.sources.base import ENTRIES, Item, Notes, Shard
from tintype.sources.remote_cache import DEFAULT_CACHE, CacheSettings, FileCache
from tintype.sources.remote_objects import ObjectsBelow
from tintype.sources.remote_stamp import stamp_of
from tintype.sources.table import TableSource
from tintype.sources.tar import TarSource

Kind = type[TarSource] | type[TableSource]


class RemoteFileSource:
    """What a TarSource or a TableSource says of the object as a file; the stamp is the object's.

    The paths in a table lead to the objects below the table's own prefix.

    It is fetched whole where the cache does not hold it in its present state. Raises SourceError where it cannot be
    had, which fails the shard, never an image.
    """

    def __init__(
        self,
        url: str,
        kind: Kind,
        budget: Budget = PATIENT,
        cache: CacheSettings = DEFAULT_CACHE,
        labels: tuple[Column, ...] | None = None,
    ) -> None:
        self.url, self.kind, self.budget, self.cache = url, kind, budget, cache
        root, self._key = split_url(url)
        self._store = ObjectStore(root, budget)
        self._labels = labels
        self._notes = Notes()

    @property
    def place(self) -> str:
        return self.url

    @property
    def labels(self) -> tuple[Column, ...]:
        if self._labels is None:
            with self._fetched() as (source, _):
                self._labels = source.labels
        return self._labels

    def with_labels(self, labels: tuple[Column, ...]) -> RemoteFileSource:
        """The same source with columns that were fixed elsewhere."""
        return RemoteFileSource(self.url, self.kind, self.budget, self.cache, labels)

    @property
    def notes(self) -> Notes:
        return self._notes

    @property
    def is_ordered(self) -> bool:
        return self.kind is TarSource and self.url.lower().endswith(".tar")  # told without fetching it

    def shards(self) -> Iterator[Shard]:
        self._notes = Notes()
        with self._fetched() as (source, facts):
            if self.is_ordered and not source.is_ordered:
                raise SourceError(f"{shown(self.url)}: packed, though it is named .tar. Name it .tar.gz")
            own, object_s = _own_stamp(source), stamp_of(facts)[1:]
            try:
                for shard in source.shards():
                    yield Shard(_stamped(shard.entries, own, object_s))
            finally:
                self._notes = source.notes

    def read(self, shard: Shard, max_bytes: int) -> Iterator[Item]:
        with self._fetched() as (source, facts):
            own, (_, inode, device) = _own_stamp(source), stamp_of(facts)
            for item in source.read(shard, max_bytes):
                is_own = (item.inode, item.device) == own
                yield replace(item, inode=inode, device=device) if is_own else item

    def open(self, uri: str) -> BinaryIO:
        with self._fetched() as (source, _):
            return source.open(uri)

    @contextlib.contextmanager
    def _fetched(self) -> Iterator[tuple[TarSource | TableSource, Facts]]:
        """The source over the file in the cache. Its errors speak of the object, not of the file."""
        with contextlib.ExitStack() as stack:
            try:
                path, facts = self._held(stack)
            except Changed:  # between the question and the fetching
                path, facts = self._held(stack)
            try:
                yield self._opened(path), facts
            except SourceError as error:
                raise SourceError(str(error).replace(shown(str(path)), shown(self.url))) from error

    def _opened(self, path: Path) -> TarSource | TableSource:
        if self.kind is TarSource:
            return TarSource(path, self._labels)
        return TableSource(path, self._labels, ObjectsBelow(self._store, self._key[: self._key.rfind("/") + 1]))

    def _held(self, stack: contextlib.ExitStack) -> tuple[Path, Facts]:
        try:
            facts = self._store.facts(self._key)
            return stack.enter_context(FileCache(self.cache).held(self._store, facts)), facts
        except FileNotFoundError:
            raise SourceError(f"{shown(self.url)}: not there") from None


def _own_stamp(source: TarSource | TableSource) -> tuple[int, int]:
    """Inode and device of the file in the cache, which mean nothing to anybody else."""
    facts = source.path.stat()
    return facts.st_ino, facts.st_dev


def _stamped(entries: pa.RecordBatch, own: tuple[int, int], given: tuple[int, int]) -> pa.RecordBatch:
    """The entries with another inode and device for their container's. Rows of a table that lead to an object of their
    own keep that object's."""
    columns = dict(zip(ENTRIES.names, entries.columns, strict=True))
    kind = ENTRIES.field("inode").type
    same_inode, same_device = (
        pc.equal(columns[name], pa.scalar(value, kind)) for name, value in zip(("inode", "device"), own, strict=True)
    )
    is_own = pc.and_(same_inode, same_device)
    for name, value in zip(("inode", "device"), given, strict=True):
        columns[name] = pc.if_else(is_own, pa.scalar(value, kind), columns[name])
    return pa.RecordBatch.from_arrays(list(columns.values()), schema=ENTRIES)
