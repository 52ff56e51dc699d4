"""A worker's side of the connection to a device process: batches go into shared memory, outputs come out of it."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tintype.core.errors import DeviceMemoryFull, ModelError
from tintype.models.card import Card
from tintype.models.devices.arrays import checked, dims_of, given_views, views
from tintype.models.devices.memory import mapped, received
from tintype.models.devices.wire import DONE, HELLO, MEMORY, MOST_BYTES, SLOTS, Answer, Request, sorts_heard

_AGAIN_S = 0.05  # between two tries to reach a process that is being started again
_TICK_S = 1.0

Away = Callable[[], AbstractContextManager[Callable[[], None]]]
"""Entered while a device is waited for; what it gives is called every second of that."""

Outputs = dict[str, NDArray[Any]]


@dataclass(eq=False)
class Ticket:
    """A batch that a device process has, or has run."""

    card: Card
    request: Request
    outputs: Outputs | None = None
    error: ModelError | None = None

    @property
    def is_done(self) -> bool:
        return self.outputs is not None or self.error is not None


@contextlib.contextmanager
def not_away() -> Iterator[Callable[[], None]]:
    """Where nobody looks whether this process is still alive."""
    yield lambda: None


@dataclass(eq=False)
class Connection:
    """To a device process, with two slots for batches. Where the process ends and is started again, batches that have
    no answer are sent once more: they lie in this process's memory too."""

    path: str
    away: Away = not_away
    seconds: dict[str, float] = field(default_factory=lambda: {"copy": 0.0, "compute": 0.0})
    _out: deque[Ticket] = field(default_factory=deque)
    _number: int = 0

    def __post_init__(self) -> None:
        with self._waiting():
            self._connect()

    @property
    def slot_bytes(self) -> int:
        return self._slot_bytes

    def send(self, number: int, card: Card, inputs: Mapping[str, Sequence[NDArray[Any]] | NDArray[Any]]) -> Ticket:
        """Give a batch to the device, its card's `number` there; waits for a slot where both are taken.

        Raises ModelError for arrays that the card does not take.
        """
        dims = dims_of(card, inputs)
        checked(card, dims)
        if len(self._out) >= SLOTS:
            with self._waiting():
                while len(self._out) >= SLOTS:
                    self._take()
        begin = time.perf_counter()
        slot = next(slot for slot in range(SLOTS) if all(ticket.request.slot != slot for ticket in self._out))
        self._number += 1
        ticket = Ticket(card, Request(self._number, number, slot, dims))
        given, _ = given_views(card, self._slot(slot), dims)
        for name, places in given.items():
            for place, row in zip(places, inputs[name], strict=True):
                place[:] = row
        self._out.append(ticket)
        self.seconds["copy"] += time.perf_counter() - begin
        try:
            self._channel.send(ticket.request.packed())
        except OSError:
            with self._waiting():
                self._reconnect()
        return ticket

    def wait(self, ticket: Ticket) -> Outputs:
        """The outputs of a batch. Raises ModelError, and DeviceMemoryFull where the device cannot hold one row."""
        if not ticket.is_done:
            with self._waiting():
                while not ticket.is_done:
                    self._take()
        if ticket.outputs is None:
            raise ticket.error or ModelError(f"card {ticket.card.name}: no answer")
        return ticket.outputs

    @contextlib.contextmanager
    def _waiting(self) -> Iterator[None]:
        """Time that passes here is the device's, in the shares of its last answer."""
        begin = time.perf_counter()
        self._copy_s = self._compute_s = 0.0
        with self.away() as self._tick:
            yield
        waited = time.perf_counter() - begin
        whole = self._copy_s + self._compute_s
        copy_s = waited * self._copy_s / whole if whole else 0.0
        self.seconds["copy"] += copy_s
        self.seconds["compute"] += waited - copy_s

    def _slot(self, slot: int) -> NDArray[np.uint8]:
        return self._memory[slot * self._slot_bytes : (slot + 1) * self._slot_bytes]

    def _take(self) -> None:
        """Wait for one answer, or for a second."""
        try:
            message = self._channel.recv(MOST_BYTES)
        except TimeoutError:
            self._tick()
            return
        except OSError:
            message = b""
        if not message:
            self._reconnect()
            return
        answer = Answer.of(message)
        ticket = next((ticket for ticket in self._out if ticket.request.number == answer.number), None)
        if ticket is None:
            raise ModelError(f"the GPU's process does not know what it is asked: {answer.words}")
        self._copy_s, self._compute_s = self._copy_s + answer.copy_s, self._compute_s + answer.compute_s
        if answer.kind == DONE:
            ticket.outputs = self._outputs(ticket, answer)
        elif answer.kind == MEMORY:
            ticket.error = DeviceMemoryFull(answer.words)
        else:
            ticket.error = ModelError(answer.words)
        self._out.remove(ticket)

    def _outputs(self, ticket: Ticket, answer: Answer) -> Outputs:
        """Copied out: the slot is filled again."""
        memory = self._slot(ticket.request.slot)
        given, end = given_views(ticket.card, memory, ticket.request.dims)
        rows = len(next(iter(given.values())))
        made, _ = views(memory, end, [((rows, *row), dtype) for row, dtype in sorts_heard(answer.dims)])
        return {output.name: values.copy() for output, values in zip(ticket.card.outputs, made, strict=True)}

    def _connect(self) -> None:
        """Reach the process; waits where it is being started again. Raises ModelError where it has no room."""
        while True:
            channel = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            channel.settimeout(_TICK_S)
            try:
                channel.connect(self.path)
                message, handle = self._hello(channel)
            except OSError:  # not there yet, or not any more; how often it may end is for its starter to say
                channel.close()
                self._tick()
                time.sleep(_AGAIN_S)
                continue
            answer = Answer.of(message)
            if answer.kind != HELLO or handle is None:
                raise ModelError(answer.words)
            self._slot_bytes = answer.dims[0]
            self._memory = mapped(handle, SLOTS * self._slot_bytes)
            os.close(handle)  # the mapping has its own
            self._channel = channel
            return

    def _hello(self, channel: socket.socket) -> tuple[bytes, int | None]:
        """Raises OSError where the process is gone before it says anything."""
        while True:
            try:
                message, handle = received(channel, MOST_BYTES)
            except TimeoutError:
                self._tick()
                continue
            if not message:
                raise ConnectionResetError
            return message, handle

    def _reconnect(self) -> None:
        """To the process in the place of one that ended, and give it what that one had."""
        self._channel.close()
        before = self._memory
        while True:
            self._connect()
            self._memory[:] = before
            try:
                for ticket in self._out:
                    self._channel.send(ticket.request.packed())
            except OSError:
                continue
            return
