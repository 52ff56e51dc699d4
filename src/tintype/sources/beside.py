"""The files that the paths of a table lead to: below the table's folder, here or in an object store."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol, Self

from tintype.core.errors import ImageError
from tintype.sources.base import Entry, Item, modified_ns
from tintype.sources.beneath import Beneath, open_file, read_file


class Stamp(NamedTuple):
    """What tells that a file is unchanged."""

    size_bytes: int
    mtime_ns: int
    inode: int
    device: int


class Beside(Protocol):
    """Paths are bytes, relative to the table's folder, without `..`."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def stamps(self, paths: Sequence[bytes]) -> list[Stamp | None]:
        """The stamp of each file; None for one that cannot be asked about."""
        ...

    def read(self, path: bytes, entry: Entry, max_bytes: int) -> Item:
        """The file as an item of this entry."""
        ...

    def open(self, path: bytes) -> BinaryIO:
        """Raises ImageError."""
        ...

    def in_order(self, calls: Iterable[tuple[int, Callable[[], Item]]]) -> Iterator[Item]:
        """What the calls give, in their order; each comes with the bytes that it will take."""
        ...


class FilesBeside:
    """Files of this machine; no link is followed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __enter__(self) -> Self:
        self._files = Beneath(self._folder)
        return self

    def __exit__(self, *_: object) -> None:
        self._files.__exit__()

    def stamps(self, paths: Sequence[bytes]) -> list[Stamp | None]:
        return [self._stamp(path) for path in paths]

    def read(self, path: bytes, entry: Entry, max_bytes: int) -> Item:
        return read_file(self._files, path, entry, max_bytes)

    def open(self, path: bytes) -> BinaryIO:
        return os.fdopen(open_file(self._files, path), "rb")

    def in_order(self, calls: Iterable[tuple[int, Callable[[], Item]]]) -> Iterator[Item]:
        return (call() for _, call in calls)

    def _stamp(self, path: bytes) -> Stamp | None:
        try:
            facts = self._files.facts(path)
        except (OSError, ImageError):
            return None
        return Stamp(facts.st_size, modified_ns(facts), facts.st_ino, facts.st_dev)


_: type[Beside] = FilesBeside
