"""How many rows a model is given at once, found by trying."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tintype.models.card import Card
from tintype.models.devices.arrays import Outputs, kinds, room, views
from tintype.models.devices.memory import anonymous
from tintype.models.devices.pipes import Part, Pipe

FEWEST, MOST = 16, 1_024
"""Rows that a trial begins with, and that it ends with at the latest."""

_LEAST_GAIN = 1.05  # that twice the rows must bring, in rows a second; more only keep workers waiting
_MOST_MISSES = 1  # sizes that bring less: devices have steps
_EACH_S = 0.1  # that a size is measured for
_ROWS = 64  # that are made; larger batches have them several times


def most_rows(pipe: Pipe, card: Card, seconds: float, clock: Callable[[], float] = time.perf_counter) -> int:
    """The rows a batch from which on more at once bring nothing, or the most that fit the device's memory.

    Doubles them from `FEWEST`, for at most about so many seconds, with two batches on their way as later on; where not
    even these fit, it halves. A model whose rows differ in shape is not tried: it begins with `FEWEST`. Raises
    MemoryError where not one row fits.
    """
    if not all(kind.is_fixed for kind in kinds(card)):
        return FEWEST
    memory = anonymous(room(card, _ROWS))
    pipe.hold(memory)
    try:
        return _doubled(pipe, _Made(card, memory), seconds, clock)
    finally:
        pipe.let_go(memory)


class _Made:
    """Rows of zeros, as large as those of images."""

    def __init__(self, card: Card, memory: NDArray[np.uint8]) -> None:
        self.card, self._memory, self._kinds = card, memory, kinds(card)
        sorts = [((_ROWS, *(most for _, most in kind.row)), kind.dtype) for kind in self._kinds]
        self._given, self._end = views(memory, 0, sorts)

    def parts(self, rows: int) -> list[Part]:
        return [self._part(min(_ROWS, rows - start)) for start in range(0, rows, _ROWS)]

    def _part(self, rows: int) -> Part:
        given = {kind.name: values[:rows] for kind, values in zip(self._kinds, self._given, strict=True)}

        def places(sorts: Outputs) -> list[NDArray[Any]]:
            return views(self._memory, self._end, [((rows, *row), dtype) for row, dtype in sorts])[0]

        return Part(rows, given, places)


def _doubled(pipe: Pipe, made: _Made, seconds: float, clock: Callable[[], float]) -> int:
    until = clock() + seconds
    best, best_rate = 0, 0.0
    rows, misses = FEWEST, 0
    while rows <= MOST and misses <= _MOST_MISSES:
        try:
            rate = _rate(pipe, made.parts(rows), rows, clock)
        except MemoryError:
            pipe.free()
            if best:
                break
            if rows == 1:
                raise
            rows //= 2
            continue
        if rate < best_rate * _LEAST_GAIN:
            misses += 1
        else:
            best, best_rate = rows, rate
        if rows < FEWEST or clock() >= until:
            break
        rows *= 2
    return best


def _rate(pipe: Pipe, parts: list[Part], rows: int, clock: Callable[[], float]) -> float:
    """Rows a second, after a first batch for which libraries choose their ways."""
    pipe.finish(pipe.start(parts))
    begin = clock()
    count = 0
    ahead = pipe.start(parts)
    try:
        while clock() - begin < _EACH_S or count == 0:
            following = pipe.start(parts)
            pipe.finish(ahead)
            ahead, count = following, count + 1
    finally:
        pipe.finish(ahead)  # also where there is no memory for the next: nothing may be on its way any more
    return (count + 1) * rows / (clock() - begin)
