"""A model on a device that a second batch may be on its way to while the first is computed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tintype.models.base import Runner
from tintype.models.devices.arrays import Outputs

Places = Callable[[Outputs], list[NDArray[Any]]]
"""Where outputs go that look like this, each (rows, *row). Raises ModelError where there is no room for them."""


class DeviceLost(Exception):
    """The device answers nothing any more from this process; another one may still reach it."""


@dataclass(frozen=True)
class Part:
    """Some rows of a batch: what a worker gave, by name, and where the outputs go."""

    rows: int
    given: Mapping[str, NDArray[Any]]
    places: Places


@dataclass(frozen=True)
class Spent:
    """Seconds of a batch: what computing waited for copies, and computing itself."""

    copy_s: float
    compute_s: float


class Pipe(Protocol):
    """A model on a device. Batches begun come to their end in the same order."""

    def start(self, parts: Sequence[Part]) -> Any:
        """Have the rows of all parts run as one batch. Their memory must stay as it is until `finish`.

        Raises MemoryError where the device has too little memory for so many rows, ModelError for whatever else goes
        wrong with them, DeviceLost. What was begun before is not touched.
        """
        ...

    def is_over(self, started: Any) -> bool:
        """Whether `finish` would not wait."""
        ...

    def finish(self, started: Any) -> Spent:
        """Wait until the outputs of a batch are in their places. Raises as `start`."""
        ...

    def hold(self, memory: NDArray[np.uint8]) -> bool:
        """Keep memory where it is, so that the device itself can copy from it and to it; False where that cannot be,
        and then copies take longer."""
        ...

    def let_go(self, memory: NDArray[np.uint8]) -> None:
        """What was held, and has no batch on its way, may be given back to the system."""
        ...

    def free(self) -> None:
        """Give back the device's memory that is kept for later batches."""
        ...


class PlainPipe:
    """Any runner: each batch comes to its end as soon as it is begun."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        card = runner.info.card
        self._names, self._outputs = card.input_names, tuple(output.name for output in card.outputs)

    def start(self, parts: Sequence[Part]) -> Spent:
        begin = time.perf_counter()
        given = {name: _joined([part.given[name] for part in parts]) for name in self._names}
        copied = time.perf_counter()
        made = self._runner.run(given)
        computed = time.perf_counter()
        outputs = [made[name] for name in self._outputs]
        at = 0
        for part in parts:
            places = part.places([(values.shape[1:], values.dtype) for values in outputs])
            for place, values in zip(places, outputs, strict=True):
                place[:] = values[at : at + part.rows]
            at += part.rows
        return Spent(copied - begin + time.perf_counter() - computed, computed - copied)

    def is_over(self, started: Spent) -> bool:
        return True

    def finish(self, started: Spent) -> Spent:
        return started

    def hold(self, memory: NDArray[np.uint8]) -> bool:
        return False

    def let_go(self, memory: NDArray[np.uint8]) -> None:
        pass

    def free(self) -> None:
        pass


def _joined(values: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return values[0] if len(values) == 1 else np.concatenate(values)


_: type[Pipe] = PlainPipe
