"""Batches of several workers, run together: as large as a device can, halved where its memory does not suffice."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tintype.core.errors import ModelError
from tintype.models.devices.arrays import Outputs, Sort, views
from tintype.models.devices.pipes import Part, Pipe
from tintype.models.devices.wire import MOST_ROWS

_FLYING = 2  # one is computed while the next is copied


@dataclass(eq=False)
class Job:
    """A worker's batch. `memory` is its slot, in which outputs follow the inputs, which end at `end`."""

    owner: Any
    number: int
    slot: int
    card: int
    rows: int
    given: dict[str, NDArray[Any]]
    memory: NDArray[np.uint8]
    end: int
    left: int = 0  # rows that are not done
    copy_s: float = 0.0
    compute_s: float = 0.0
    sorts: Outputs | None = None  # of its outputs, once they are known
    outputs: list[NDArray[Any]] = field(default_factory=list)
    failure: str | None = None
    is_too_large: bool = False  # for the device's memory, even row by row
    is_dropped: bool = False  # nobody waits for it
    is_told: bool = False

    def __post_init__(self) -> None:
        self.left = self.rows

    @property
    def shape(self) -> tuple[Any, ...]:
        """What must be the same of batches that are run together."""
        return self.card, *(values.shape[1:] for values in self.given.values())

    @property
    def is_lost(self) -> bool:
        """Whether it need not be gone on with."""
        return self.is_dropped or self.failure is not None

    def place(self, sorts: Outputs, start: int, stop: int) -> list[NDArray[Any]]:
        """Where the outputs of some rows go. Raises ModelError."""
        if self.sorts is None:
            wanted: list[Sort] = [((self.rows, *row), dtype) for row, dtype in sorts]
            self.outputs, _ = views(self.memory, self.end, wanted)
            self.sorts = list(sorts)
        elif list(sorts) != self.sorts:
            raise ModelError(f"outputs of one batch look different: {self.sorts} and {list(sorts)}")
        return [values[start:stop] for values in self.outputs]


@dataclass(frozen=True, eq=False)
class _Rows:
    """Rows of a job that have not been run. Those that failed in company are run `alone`."""

    job: Job
    start: int
    stop: int
    is_alone: bool = False

    def part(self) -> Part:
        given = {name: values[self.start : self.stop] for name, values in self.job.given.items()}
        return Part(self.stop - self.start, given, lambda sorts: self.job.place(sorts, self.start, self.stop))


@dataclass(frozen=True, eq=False)
class _Flight:
    card: int
    rows: list[_Rows]
    started: Any


class Batches:
    """What waits for a device, and what is on its way. `pipes` are its models, by the number of the card, and `most`
    the rows that each is given at once at first."""

    def __init__(self, pipes: Sequence[Pipe], most: Sequence[int]) -> None:
        self._pipes, self.most = pipes, list(most)
        self.crowd = 4 * max(most, default=1)
        """Rows that may be out at once. A batch takes a quarter of them at most, so that while two are on their way
        others wait for the device and it does not wait for them."""
        self._waiting: deque[_Rows] = deque()
        self._flying: deque[_Flight] = deque()
        self._over: list[Job] = []

    @property
    def is_idle(self) -> bool:
        return not self._waiting and not self._flying

    @property
    def is_waiting(self) -> bool:
        """Whether there is anything to begin."""
        return bool(self._waiting)

    def add(self, job: Job) -> None:
        self._waiting.append(_Rows(job, 0, job.rows))

    def drop(self, owner: Any) -> None:
        """Nobody waits for what an owner gave; what is on its way comes to its end."""
        for rows in (*self._waiting, *(part for flight in self._flying for part in flight.rows)):
            rows.job.is_dropped |= rows.job.owner is owner
        self._waiting = deque(rows for rows in self._waiting if not rows.job.is_lost)

    def is_using(self, owner: Any) -> bool:
        """Whether memory of an owner's is still copied from or to."""
        return any(rows.job.owner is owner for flight in self._flying for rows in flight.rows)

    def step(self) -> list[Job]:
        """Begin a batch if there is one, and end the oldest: wait for it only where enough are on their way.

        Returns the jobs that are over, done or failed, but not those that were dropped. Raises DeviceLost.
        """
        if self._waiting:
            self._start(self._next())
        if len(self._flying) >= _FLYING or self._is_landed():
            self._finish()
        over, self._over = [job for job in self._over if not job.is_dropped], []
        return over

    def _is_landed(self) -> bool:
        """Whether the oldest batch is over. What waits for that in vain learns of new rows too late."""
        return bool(self._flying) and self._pipes[self._flying[0].card].is_over(self._flying[0].started)

    def _next(self) -> list[_Rows]:
        """Rows for a batch, the oldest first: all of one model and shape, as many as it takes."""
        first = self._waiting[0]
        room = min(self.most[first.job.card], max(MOST_ROWS, self.crowd // 4))
        taken: list[_Rows] = []
        kept: deque[_Rows] = deque()
        while self._waiting and room:
            rows = self._waiting.popleft()
            is_company = not (taken and (rows.is_alone or first.is_alone))
            if not is_company or rows.job.shape != first.job.shape:
                kept.append(rows)
                continue
            stop = min(rows.stop, rows.start + room)
            taken.append(_Rows(rows.job, rows.start, stop, rows.is_alone))
            room -= stop - rows.start
            if stop < rows.stop:
                kept.append(_Rows(rows.job, stop, rows.stop, rows.is_alone))
        self._waiting.extendleft(reversed(kept))
        return taken

    def _start(self, batch: list[_Rows]) -> None:
        card = batch[0].job.card
        try:
            started = self._pipes[card].start([rows.part() for rows in batch])
        except MemoryError:
            self._halve(card, batch)
        except ModelError as error:
            self._fail(batch, error)
        else:
            self._flying.append(_Flight(card, batch, started))

    def _finish(self) -> None:
        flight = self._flying.popleft()
        try:
            spent = self._pipes[flight.card].finish(flight.started)
        except MemoryError:
            self._halve(flight.card, flight.rows)
        except ModelError as error:
            self._fail(flight.rows, error)
        else:
            for rows in flight.rows:
                job, share = rows.job, (rows.stop - rows.start) / _count(flight.rows)
                job.copy_s += spent.copy_s * share
                job.compute_s += spent.compute_s * share
                job.left -= rows.stop - rows.start
            self._settle(flight.rows)

    def _halve(self, card: int, batch: list[_Rows]) -> None:
        """Run the rows again, at most half as many at once from now on, when nothing else takes the device's memory."""
        was_alone = not self._flying
        while self._flying:
            self._finish()
        self._pipes[card].free()
        count = _count(batch)
        if count == 1 and was_alone:
            batch[0].job.failure, batch[0].job.is_too_large = "", True
        self.most[card] = max(1, min(self.most[card], count // 2))
        self._again(batch)

    def _fail(self, batch: list[_Rows], error: ModelError) -> None:
        """One that cannot be run costs no other: what failed in company is run alone."""
        if len(batch) == 1 and batch[0].job.failure is None:
            batch[0].job.failure = str(error)
        self._again([_Rows(rows.job, rows.start, rows.stop, True) for rows in batch])

    def _again(self, batch: list[_Rows]) -> None:
        self._waiting.extendleft(reversed(batch))
        self._waiting = deque(rows for rows in self._waiting if not rows.job.is_lost)
        self._settle(batch)

    def _settle(self, batch: list[_Rows]) -> None:
        """Tell of the jobs that are over. One that failed still has its memory until its last rows are back."""
        for job in {id(rows.job): rows.job for rows in batch}.values():
            is_flying = any(rows.job is job for flight in self._flying for rows in flight.rows)
            if not job.is_told and not is_flying and (job.failure is not None or job.left == 0):
                job.is_told = True
                self._over.append(job)


def _count(batch: Sequence[_Rows]) -> int:
    return sum(rows.stop - rows.start for rows in batch)
