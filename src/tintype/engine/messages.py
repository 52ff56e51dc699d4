"""How the parent and its workers talk: frames over pipes, pickled downwards, JSON upwards.

Only the parent's messages are pickled: it trusts itself. A worker has decoded hostile bytes, so what comes
back from it is data and nothing else.
"""

from __future__ import annotations

import mmap
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from tintype.engine.work import Verdict, Watch, Work
from tintype.sources.base import Source
from tintype.store.base import Writer

LENGTH = struct.Struct("<Q")
MAX_FRAME = 256_000_000


@dataclass(frozen=True)
class Setup:
    """The first message to a worker: what stays the same for the whole run."""

    source: Source
    writer: Writer
    work: Work
    known: Path | None  # of a KnownBytes
    updates: Path  # folder for new values of old rows
    slot: Path


@dataclass(frozen=True)
class Task:
    """One shard to work on. `entries` has the columns of ENTRIES, for updates also `_rowid` and `digest`."""

    name: str  # run, shard and fence: the rows' `_shard`
    kind: str  # "rows" or "update"
    entries: pa.RecordBatch
    alone: frozenset[int]
    verdicts: dict[int, Verdict]


def frames(buffer: bytearray) -> Iterator[bytes]:
    """Take the complete frames from the front of a buffer."""
    while len(buffer) >= LENGTH.size:
        (length,) = LENGTH.unpack_from(buffer)
        if length > MAX_FRAME:
            raise ValueError("a frame is too long")
        if len(buffer) < LENGTH.size + length:
            return
        frame = bytes(buffer[LENGTH.size : LENGTH.size + length])
        del buffer[: LENGTH.size + length]
        yield frame


_SLOT = struct.Struct("<qqqqdq")  # first, last, alone, reading, CPU-seconds when it began, number of the note


@dataclass(frozen=True)
class At:
    """Which images of its shard a worker is at; none where `first` is negative."""

    first: int
    last: int
    alone: bool
    reading: bool
    cpu_seconds: float
    number: int


class Slot(Watch):
    """A few bytes of memory that a worker shares with its parent: noting a place costs no I/O."""

    def __init__(self, path: Path, cpu_seconds: Callable[[], float] = time.process_time) -> None:
        self.path = path
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _SLOT.size)
        self._cpu_seconds = cpu_seconds
        self._number = 0

    @classmethod
    def create(cls, folder: Path) -> Slot:
        with tempfile.NamedTemporaryFile(prefix="slot-", dir=folder, delete=False) as file:
            file.write(_SLOT.pack(-1, -1, 0, 0, 0.0, 0))
        return cls(Path(file.name))

    def at(self, first: int, last: int, *, alone: bool) -> None:
        self._note(first, last, alone, False)

    def reading(self, index: int) -> None:
        self._note(index, index, True, True)  # images are read one by one

    def nowhere(self) -> None:
        self._note(-1, -1, False, False)

    def forget(self) -> None:
        """Clear the place from the parent's side, before a new task is given."""
        _SLOT.pack_into(self._memory, 0, -1, -1, 0, 0, 0.0, 0)

    def read(self) -> At:
        first, last, alone, reading, cpu_seconds, number = _SLOT.unpack_from(self._memory)
        return At(first, last, bool(alone), bool(reading), cpu_seconds, number)

    def close(self) -> None:
        self._memory.close()
        self.path.unlink(missing_ok=True)

    def _note(self, first: int, last: int, alone: bool, reading: bool) -> None:
        self._number += 1
        _SLOT.pack_into(self._memory, 0, first, last, int(alone), int(reading), self._cpu_seconds(), self._number)
