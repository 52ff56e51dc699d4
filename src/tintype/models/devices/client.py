"""A worker's runner of a model that a device process has loaded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tintype.models.base import Runner, RunnerInfo
from tintype.models.card import Card
from tintype.models.devices.arrays import checked, dims_of, rows_in
from tintype.models.devices.connection import Away, Connection, Outputs, Ticket, not_away
from tintype.models.devices.wire import MOST_ROWS


@dataclass(frozen=True)
class Reach:
    """Where a worker finds the models that a device process has loaded: `models` are pairs of a card's fingerprint and
    an engine's word."""

    path: str
    models: tuple[tuple[str, str], ...]


class DeviceRunner:
    """Runs a model in a device process, like any runner of it; two batches may be out at a time."""

    def __init__(self, card: Card, info: RunnerInfo, connection: Connection, number: int) -> None:
        self._card, self._info, self._connection, self._number = card, info, connection, number

    @property
    def info(self) -> RunnerInfo:
        return self._info

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> Outputs:
        """As any runner. Raises ModelError, and DeviceMemoryFull where the device's memory cannot hold one row."""
        rows = len(next(iter(inputs.values())))
        if rows == 0:
            return {output.name: np.empty((0, *output.shape), np.float32) for output in self._card.outputs}
        shapes = checked(self._card, dims_of(self._card, inputs))
        step = min(MOST_ROWS, rows_in(self._card, self._connection.slot_bytes, shapes))
        tickets = [
            self.submit({name: values[start : start + step] for name, values in inputs.items()})
            for start in range(0, rows, step)
        ]
        parts = [self.wait(ticket) for ticket in tickets]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    @property
    def most_rows(self) -> int:
        """How many rows may be submitted at once, whatever their shapes."""
        return min(MOST_ROWS, rows_in(self._card, self._connection.slot_bytes))

    def submit(self, inputs: Mapping[str, Sequence[NDArray[Any]] | NDArray[Any]]) -> Ticket:
        """Give a batch of at most `most_rows` rows to the device; where two are out, the older is waited for."""
        return self._connection.send(self._number, self._card, inputs)

    def wait(self, ticket: Ticket) -> Outputs:
        """What `run` gives for a batch that was submitted."""
        return self._connection.wait(ticket)

    def spent(self) -> dict[str, float]:
        """Seconds since this was last asked: "copy" into shared memory, or waiting for a device that waits for copies;
        "compute" is the rest of the waiting."""
        seconds = self._connection.seconds
        self._connection.seconds = dict.fromkeys(seconds, 0.0)
        return seconds


@dataclass
class _Place:
    """Which device process serves this process, and the connection to that one."""

    reach: Reach | None = None
    away: Away = not_away
    connection: Connection | None = None


_here = _Place()  # as what it is asked for, runners, is kept once a process (`models.running.runner`)


def reach_devices(reach: Reach | None, away: Away = not_away) -> None:
    """Have this process, a worker, run the models that a device process has loaded there and not load them itself."""
    _here.reach, _here.away, _here.connection = reach, away, None


def device_runner(card: Card, backend: str, precision: str, device: str) -> DeviceRunner | None:
    """The runner of a card on an engine that a device process has loaded; None where none has."""
    model = (card.fingerprint, f"{backend}:{precision}:{device}")
    if _here.reach is None or model not in _here.reach.models:
        return None
    if _here.connection is None:
        _here.connection = Connection(_here.reach.path, _here.away)
    info = RunnerInfo(card, backend, device, precision)
    return DeviceRunner(card, info, _here.connection, _here.reach.models.index(model))


_: type[Runner] = DeviceRunner
