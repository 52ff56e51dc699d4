"""Several sources as one: their uris begin with where each lies below the folder that they share."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby, pairwise
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from tintype.core.columns import Column
from tintype.core.errors import ImageError, SourceError
from tintype.core.names import shown, uri_from_path
from tintype.sources.base import ENTRIES, HasLabels, Item, Notes, Shard, Source
from tintype.sources.folder import FolderSource
from tintype.sources.labels import union
from tintype.sources.places import below, folder_of, name_of, shared_by
from tintype.sources.remote_file import RemoteFileSource
from tintype.sources.remote_folder import RemoteFolderSource
from tintype.sources.tar import TarSource

TARS_ASKED = 16
"""How many of many tars, evenly spread, are looked into for the types of the labels."""


@dataclass(frozen=True)
class _Part:
    source: Source
    prefix: str  # what its uris begin with here, before what they are in the source itself
    container: str | None  # what stands before the `#` of its uris; None for a folder

    @property
    def begins(self) -> str:
        """What all its uris begin with."""
        return self.prefix if self.container is None else self.container + "#"


class SeveralSources:
    """Sources whose uris are made unique by the path below the folder that all of them share.

    For `a/x.tar` and `b/photos` in one folder, uris are `a/x.tar#member` and `b/photos/name`. A source that cannot
    be read is noted, and the others are; where none can, SourceError is raised. Raises SourceError for a folder
    that lies within another one.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        unique = {source.place: source for source in sources}
        self._shared = shared_by(_base(source) for source in unique.values())
        parts = [_part(source, self._shared) for source in unique.values()]
        self._parts = sorted(parts, key=lambda part: part.begins)
        _check_overlaps(self._folders)
        self._labels: tuple[Column, ...] | None = None
        self._finished = Notes()
        self._current: _Part | None = None

    @property
    def place(self) -> str:
        return self._shared

    @property
    def labels(self) -> tuple[Column, ...]:
        if self._labels is None:
            self._fix_labels(union(_labels(part.source) for part in self._asked()))
        return self._labels or ()

    def with_labels(self, labels: tuple[Column, ...]) -> SeveralSources:
        """The same sources with columns that were fixed elsewhere."""
        others = SeveralSources([part.source for part in self._parts])
        others._fix_labels(labels)
        return others

    @property
    def notes(self) -> Notes:
        notes = Notes(self._finished.skipped.copy(), self._finished.problems.copy(), self._finished.incomplete.copy())
        if self._current:
            _add(notes, self._current)
        return notes

    @property
    def is_ordered(self) -> bool:
        beginnings = [part.begins for part in self._parts]
        apart = not any(second.startswith(first) for first, second in pairwise(beginnings))
        return apart and all(part.source.is_ordered for part in self._parts)

    def shards(self) -> Iterator[Shard]:
        self._finished = Notes()
        failures: list[SourceError] = []
        for part in self._parts:
            self._current = part
            is_empty = True
            try:
                for shard in part.source.shards():
                    is_empty = False
                    yield Shard(_prefixed(shard.entries, part.prefix))
            except SourceError as error:
                failures.append(error)
                self._finished.unseen(part.begins, str(error))
            else:
                _add(self._finished, part)
                if is_empty:  # as a disk that is not mounted is; what is known of it must not be forgotten
                    self._finished.unseen(part.begins, f"no images there now: {shown(part.source.place)}")
            self._current = None
        if len(failures) == len(self._parts):
            raise failures[0]

    def read(self, shard: Shard, max_bytes: int) -> Iterator[Item]:
        for part, entries in groupby(shard, key=lambda entry: self._owner(entry.uri)):
            inner = Shard.of([entry._replace(uri=entry.uri[len(part.prefix) :]) for entry in entries])
            for item in part.source.read(inner, max_bytes):
                yield replace(item, uri=part.prefix + item.uri) if part.prefix else item

    def open(self, uri: str) -> BinaryIO:
        part = self._owner(uri)
        return part.source.open(uri[len(part.prefix) :])

    def _owner(self, uri: str) -> _Part:
        container, in_container, _ = uri.partition("#")
        if in_container and container in self._containers:
            return self._containers[container]
        for part in self._folders:
            if not in_container and uri.startswith(part.prefix):
                return part
        raise ImageError("unreadable", "in none of the sources")

    @cached_property
    def _containers(self) -> dict[str, _Part]:
        return {part.container: part for part in self._parts if part.container is not None}

    @cached_property
    def _folders(self) -> list[_Part]:
        return [part for part in self._parts if part.container is None]

    def _asked(self) -> list[_Part]:
        """The parts that the types of the labels are learned from."""
        tars = [part for part in self._parts if _is_tar(part.source)]
        chosen = {int(index) for index in np.linspace(0, len(tars) - 1, min(len(tars), TARS_ASKED))}
        left_out = {id(part) for index, part in enumerate(tars) if index not in chosen}
        return [part for part in self._parts if id(part) not in left_out]

    def _fix_labels(self, labels: tuple[Column, ...]) -> None:
        self._labels = labels
        self._parts = [
            replace(part, source=part.source.with_labels(labels)) if isinstance(part.source, HasLabels) else part
            for part in self._parts
        ]
        for name in ("_containers", "_folders"):
            self.__dict__.pop(name, None)


def _base(source: Source) -> str:
    """The folder that the source's own uris are relative to."""
    return source.place if _is_folder(source) else folder_of(source.place)


def _part(source: Source, shared: str) -> _Part:
    prefix = uri_from_path(os.fsencode(below(_base(source), shared)))
    if _is_folder(source):
        return _Part(source, prefix, None)
    return _Part(source, prefix, prefix + uri_from_path(os.fsencode(name_of(source.place))))


def _is_folder(source: Source) -> bool:
    return isinstance(source, FolderSource | RemoteFolderSource)


def _is_tar(source: Source) -> bool:
    return isinstance(source, TarSource) or (isinstance(source, RemoteFileSource) and source.kind is TarSource)


def _check_overlaps(folders: list[_Part]) -> None:
    for outer in folders:
        for inner in folders:
            if inner is not outer and inner.prefix.startswith(outer.prefix):
                raise SourceError(
                    f"{shown(inner.source.place)} lies within {shown(outer.source.place)}, so its images would be "
                    "taken twice. Name only one of them"
                )


def _labels(source: Source) -> tuple[Column, ...]:
    try:
        return source.labels
    except SourceError:  # its listing will say so
        return ()


def _add(notes: Notes, part: _Part) -> None:
    found = part.source.notes
    notes.skipped.update(found.skipped)
    for uri, reason in found.problems:
        notes.problem(part.prefix + uri, reason)
    notes.incomplete.extend(part.prefix + beginning for beginning in found.incomplete)


def _prefixed(entries: pa.RecordBatch, prefix: str) -> pa.RecordBatch:
    if not prefix:
        return entries
    uris = pa.array([prefix + uri for uri in entries["uri"].to_pylist()], pa.string())
    return pa.RecordBatch.from_arrays([uris, *entries.columns[1:]], schema=ENTRIES)
