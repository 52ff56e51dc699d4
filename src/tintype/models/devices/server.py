"""The socket of a device process: takes batches of workers, has them run, and answers."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tintype.core.errors import ModelError
from tintype.models.card import Card
from tintype.models.devices.arrays import given_views, room, rows_in
from tintype.models.devices.batches import Batches, Job
from tintype.models.devices.memory import made, sent
from tintype.models.devices.pipes import Pipe
from tintype.models.devices.wire import (
    DONE,
    HELLO,
    MEMORY,
    MOST_BYTES,
    MOST_ROWS,
    REFUSED,
    SLOTS,
    Answer,
    Request,
    sorts_said,
)

MOST_SLOT_BYTES = 32 << 20
"""Of a slot, but that one row has room in any."""

MOST_WORKERS = 256
"""Each takes two of a process's file handles."""

_IDLE_S = 0.5
_LOOK_S = 0.0005  # for new rows, while a batch is computed
_PAGE_BYTES = 4_096


@dataclass(frozen=True)
class Served:
    """A model that is loaded, the rows that it is given at once, and what to say where not even one fits."""

    card: Card
    pipe: Pipe
    rows: int
    too_large: str


@dataclass(eq=False)
class _Worker:
    """One at the other end of a connection, with its memory."""

    channel: socket.socket
    memory: NDArray[np.uint8]
    holder: Pipe | None  # what keeps the memory in its place
    busy: set[int] = field(default_factory=set)  # slots with a batch that has no answer
    is_gone: bool = False


class Server:
    """Runs what workers send until it is told to stop. One thread does all, so nothing is shared but memory."""

    def __init__(self, served: Sequence[Served], path: Path) -> None:
        """`path` is that of the socket, in a folder that is this user's alone. Raises OSError."""
        self._served = served
        self._batches = Batches([one.pipe for one in served], [one.rows for one in served])
        self._slot_bytes = slot_bytes([one.card for one in served])
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        path.unlink(missing_ok=True)  # of a process that was here before
        self._listener.bind(os.fspath(path))
        self._listener.listen(MOST_WORKERS)
        self._listener.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._workers: list[_Worker] = []

    def serve(self, beat: Callable[[], None]) -> None:
        """Calls `beat` in every round, and at least twice a second where nothing takes longer. Raises DeviceLost."""
        while True:
            beat()
            for key, _ in self._selector.select(self._pause_s()):
                if key.data is None:
                    self._accept()
                else:
                    self._receive(key.data)
            self._batches.crowd = len(self._workers) * SLOTS * MOST_ROWS
            for job in self._batches.step():
                self._answer(job)
            self._let_go()

    def _pause_s(self) -> float:
        if self._batches.is_idle:
            return _IDLE_S
        return 0.0 if self._batches.is_waiting else _LOOK_S

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # one that is gone again
            channel, _ = self._listener.accept()
            channel.setblocking(False)
            if len(self._workers) >= MOST_WORKERS:
                _send(channel, Answer(REFUSED, words=f"a GPU's process serves {MOST_WORKERS} workers, and has them"))
                channel.close()
                return
            try:
                handle, memory = made(SLOTS * self._slot_bytes)
            except ModelError as error:
                _send(channel, Answer(REFUSED, words=str(error)))
                channel.close()
                return
            holder = next((one.pipe for one in self._served if one.pipe.hold(memory)), None)
            worker = _Worker(channel, memory, holder)
            self._workers.append(worker)
            self._selector.register(channel, selectors.EVENT_READ, worker)
            try:
                sent(channel, Answer(HELLO, dims=(self._slot_bytes,)).packed(), handle)
            except OSError:
                self._leave(worker)
            finally:
                os.close(handle)

    def _receive(self, worker: _Worker) -> None:
        try:
            message = worker.channel.recv(MOST_BYTES + 1)
        except BlockingIOError:
            return
        except OSError:
            message = b""
        if not message:
            self._leave(worker)
            return
        number = 0
        try:
            request = Request.of(message)
            number = request.number
            self._batches.add(self._job(worker, request))
            worker.busy.add(request.slot)
        except (ValueError, ModelError) as error:  # none of ours says this
            if _send(worker.channel, Answer(REFUSED, number, words=str(error))):
                return
            self._leave(worker)

    def _job(self, worker: _Worker, request: Request) -> Job:
        """Raises ValueError or ModelError for what makes no sense."""
        if not (request.card < len(self._served) and request.slot < SLOTS):
            raise ValueError(f"there is no card {request.card} or no slot {request.slot}")
        if request.slot in worker.busy:
            raise ValueError(f"slot {request.slot} has a batch already")
        start = request.slot * self._slot_bytes
        memory = worker.memory[start : start + self._slot_bytes]
        given, end = given_views(self._served[request.card].card, memory, request.dims)
        rows = len(next(iter(given.values())))
        if rows > MOST_ROWS:
            raise ValueError(f"a batch has {MOST_ROWS} rows at most, not {rows:,}")
        return Job(worker, request.number, request.slot, request.card, rows, given, memory, end)

    def _answer(self, job: Job) -> None:
        worker: _Worker = job.owner
        worker.busy.discard(job.slot)
        if job.is_too_large:
            answer = Answer(MEMORY, job.number, words=self._served[job.card].too_large)
        elif job.failure is not None:
            answer = Answer(REFUSED, job.number, words=job.failure)
        else:
            answer = Answer(DONE, job.number, job.copy_s, job.compute_s, sorts_said(job.sorts or ()))
        if not _send(worker.channel, answer):
            self._leave(worker)

    def _leave(self, worker: _Worker) -> None:
        """Forget one that is gone; its memory stays until nothing is copied from it or to it."""
        if worker.is_gone:
            return
        worker.is_gone = True
        self._selector.unregister(worker.channel)
        worker.channel.close()
        self._batches.drop(worker)

    def _let_go(self) -> None:
        for worker in [worker for worker in self._workers if worker.is_gone]:
            if not self._batches.is_using(worker):
                self._workers.remove(worker)
                if worker.holder is not None:
                    worker.holder.let_go(worker.memory)


def slot_bytes(cards: Sequence[Card]) -> int:
    """Of one batch of any of the cards: `MOST_ROWS` rows, or as many as fit `MOST_SLOT_BYTES`, but one at least."""
    size = max(room(card, min(MOST_ROWS, rows_in(card, MOST_SLOT_BYTES))) for card in cards)
    return -(-size // _PAGE_BYTES) * _PAGE_BYTES


def _send(channel: socket.socket, answer: Answer) -> bool:
    """False where nobody takes it: gone, or one who asks and never reads, so that the socket's own memory is full."""
    try:
        channel.send(answer.packed())
    except OSError:
        return False
    return True
