"""How the parent and its workers talk: frames over pipes, pickled downwards, JSON upwards.

Only the parent's messages are pickled: it trusts itself. A worker has decoded hostile bytes, so what comes
back from it is data and nothing else.
"""

from __future__ import annotations

import contextlib
import mmap
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from tintype.engine.work import Clock, Verdict, Watch
from tintype.models.devices.client import Reach
from tintype.models.devices.hosted import Hosted

LENGTH = struct.Struct("<Q")
MAX_FRAME = 256_000_000


@dataclass(frozen=True)
class Task:
    """One shard to work on; `payload` is the lease's."""

    name: str  # run, shard and fence
    kind: str
    payload: bytes
    alone: frozenset[int]  # images that share no batch with others
    verdicts: dict[int, Verdict]  # images that are not tried again


Handler = Callable[[Task, Watch, Clock], dict[str, Any]]
"""Works on a task and returns what came of it, as JSON values. Raises StorageFull; any other exception fails the
shard."""


class Job(Protocol):
    """What the workers of a run do, as a record that is pickled to each of them once."""

    @property
    def place(self) -> str:
        """Where results are written, for words about a full disk."""
        ...

    def begin(self) -> Handler:
        """In the worker, once: open and load what all tasks need."""
        ...


@runtime_checkable
class HasModels(Protocol):
    """A job whose workers run models that one process a device has loaded for all of them."""

    @property
    def hosted(self) -> tuple[Hosted, ...]:
        """Those of them that are on a GPU (`models.devices.hosted`)."""
        ...


def hosted_of(job: Job) -> tuple[Hosted, ...]:
    """What device processes are to load for the workers of a job."""
    return job.hosted if isinstance(job, HasModels) else ()


@dataclass(frozen=True)
class Setup:
    """The first message to a worker."""

    job: Job
    slot: Path
    reach: Reach | None = None  # of the device process that it is to use


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
_AHEAD = struct.Struct("<q")  # stands after these: another thread writes it
_NOWHERE, _AWAY = -1, -2  # in the place of an image


@dataclass(frozen=True)
class At:
    """Which images of its shard a worker is at; none where `first` is negative."""

    first: int
    last: int
    alone: bool
    reading: bool
    cpu_seconds: float
    number: int
    ahead: int  # the image that is read meanwhile; negative for none

    @property
    def is_away(self) -> bool:
        """Whether it waits for something that is neither an image's matter nor the shard's."""
        return self.first == _AWAY


class Slot(Watch):
    """A few bytes of memory that a worker shares with its parent: noting a place costs no I/O."""

    def __init__(self, path: Path, cpu_seconds: Callable[[], float] = time.process_time) -> None:
        self.path = path
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _SLOT.size + _AHEAD.size)
        self._cpu_seconds = cpu_seconds
        self._number = 0

    @classmethod
    def create(cls, folder: Path) -> Slot:
        with tempfile.NamedTemporaryFile(prefix="slot-", dir=folder, delete=False) as file:
            file.write(_SLOT.pack(-1, -1, 0, 0, 0.0, 0) + _AHEAD.pack(-1))
        return cls(Path(file.name))

    def at(self, first: int, last: int, *, alone: bool) -> None:
        self._note(first, last, alone, False)

    def reading(self, index: int) -> None:
        self._note(index, index, True, True)  # images are read one by one

    def ahead(self, index: int) -> None:
        _AHEAD.pack_into(self._memory, _SLOT.size, index)

    def nowhere(self) -> None:
        self._note(_NOWHERE, _NOWHERE, False, False)

    @contextlib.contextmanager
    def away(self) -> Iterator[Callable[[], None]]:
        """While something is waited for that is neither an image's matter nor the shard's. What it gives is to be
        called every second or so: a worker that notes nothing for long is taken for one that hangs."""
        first, last, alone, is_reading, _, _ = _SLOT.unpack_from(self._memory)

        def still() -> None:
            self._note(_AWAY, _AWAY, False, False)

        still()
        try:
            yield still
        finally:
            self._note(first, last, bool(alone), bool(is_reading))

    def forget(self) -> None:
        """Clear the place from the parent's side, before a new task is given."""
        _SLOT.pack_into(self._memory, 0, -1, -1, 0, 0, 0.0, 0)
        self.ahead(-1)

    def read(self) -> At:
        first, last, alone, reading, cpu_seconds, number = _SLOT.unpack_from(self._memory)
        (ahead,) = _AHEAD.unpack_from(self._memory, _SLOT.size)
        return At(first, last, bool(alone), bool(reading), cpu_seconds, number, ahead)

    def close(self) -> None:
        self._memory.close()
        self.path.unlink(missing_ok=True)

    def _note(self, first: int, last: int, alone: bool, reading: bool) -> None:
        self._number += 1
        _SLOT.pack_into(self._memory, 0, first, last, int(alone), int(reading), self._cpu_seconds(), self._number)
