"""What device processes run: a card on an engine, and on which devices."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from dataclasses import dataclass

from tintype.models.card import Card
from tintype.models.devices import memory
from tintype.models.devices.pipes import Pipe, PlainPipe
from tintype.models.engines import Engine, load

TRIAL_S = 2.0


@dataclass(frozen=True)
class Hosted:
    """A card that one process a device runs for all workers, on an engine (its word)."""

    card: Card
    engine: str
    trial_s: float = TRIAL_S
    """For how long a process tries at its start how many rows at once are fastest."""

    def open(self) -> Pipe:
        """In the device process: the model, ready to run. Raises ModelError, MissingExtra."""
        engine = Engine.of(self.engine)
        runner = load(self.card, engine)
        if engine.backend == "torch":
            from tintype.models.backends.torch import TorchRunner
            from tintype.models.backends.torch_pipe import TorchPipe

            if isinstance(runner, TorchRunner):
                return TorchPipe(runner)
        return PlainPipe(runner)


def hosted(models: Iterable[tuple[Card, str]]) -> tuple[Hosted, ...]:
    """Those of some cards, each with its engine's word, that are better loaded once a device than once a worker: those
    on a GPU of this machine, where processes can share memory."""
    if not memory.IS_THERE:
        return ()
    wanted = dict.fromkeys((card, word) for card, word in models if word and Engine.of(word).device == "cuda")
    return tuple(Hosted(card, word) for card, word in wanted)


def device_ids() -> tuple[str, ...]:
    """The GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them; one where none is found, so that the
    engine itself says what is wrong."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    count = _gpus()
    if named is None:
        return tuple(map(str, range(max(count, 1))))
    return tuple(part.strip() for part in named.split(",")[: max(count, 1)])


def _gpus() -> int:
    """How many GPUs the driver lets this process see; 0 without a driver. No memory is taken on any of them."""
    try:
        driver = ctypes.CDLL("libcuda.so.1")
        count = ctypes.c_int(0)
        if driver.cuInit(0) != 0 or driver.cuDeviceGetCount(ctypes.byref(count)) != 0:
            return 0
    except (OSError, AttributeError):
        return 0
    return count.value
