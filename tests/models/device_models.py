"""Models on a processor in the place of a GPU: with less memory, slower, or lost at the wrong moment."""

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tintype.models import registry
from tintype.models.card import Card
from tintype.models.devices.arrays import kinds, views
from tintype.models.devices.batches import Job
from tintype.models.devices.hosted import Hosted
from tintype.models.devices.pipes import DeviceLost, Part, Pipe

ONNX = "onnx:fp32:cpu"
HERE = Path(__file__).parent


def on_path() -> str:
    """For PYTHONPATH, so that device processes find this."""
    return os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])


@dataclass(frozen=True)
class Tight(Hosted):
    """Takes at most so many rows at once, as if its memory were full, and `each_s` more for each batch.

    Its memory is full for good, or the device is lost, after so many batches that are not of the trial.
    """

    most: int = 1_000_000
    each_s: float = 0.0
    full_after: int = 1_000_000
    lost_after: int = 1_000_000
    trial_s: float = 0.0

    def open(self) -> Pipe:
        return tight(super().open(), self.most, self.each_s, self.full_after, self.lost_after)


def tight(pipe: Pipe, most: int, each_s: float = 0.0, full_after: int = 1_000_000, lost_after: int = 1_000_000) -> Pipe:
    begin = pipe.start
    done = 0

    def start(parts: Sequence[Part]) -> Any:
        nonlocal done
        done += any(values.any() for part in parts for values in part.given.values())  # trials are of zeros
        if done > lost_after:
            raise DeviceLost("CUDA error: an illegal memory access was encountered")
        time.sleep(each_s)
        if sum(part.rows for part in parts) > most or done > full_after:
            raise MemoryError
        return begin(parts)

    pipe.start = start  # type: ignore[method-assign]  # of this one alone
    return pipe


def descriptor() -> Card:
    return registry.card("descriptor")


def pixels(card: Card, rows: int, seed: int = 0) -> np.ndarray:
    """Noise of a few levels: as images, fast to make."""
    wanted = card.pixels
    return np.random.default_rng(seed).integers(0, 256, (rows, wanted.height, wanted.width, 3), np.uint8)


def job(card: Card, values: np.ndarray, owner: Any = None, number: int = 0) -> Job:
    """A worker's batch, as it lies in its slot."""
    (kind,) = kinds(card)
    memory = np.zeros(values.nbytes + 1_000 + len(values) * 8 * sum(np.prod(o.shape) for o in card.outputs), np.uint8)
    (given,), end = views(memory, 0, [(values.shape, kind.dtype)])
    given[:] = values
    return Job(owner, number, 0, 0, len(values), {kind.name: given}, memory, end)
