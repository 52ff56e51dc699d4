"""PyTorch on a GPU with copies beside the computing: while a batch is computed, the next one is copied.

Written to what PyTorch documents of CUDA's streams and events (docs.pytorch.org, "CUDA semantics") and NVIDIA of
`cudaHostRegister`. `torch.cpu` has streams of the same names that do nothing, so on a processor the same lines run.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tintype.models.backends.torch import TorchRunner, is_of_memory, one_line, told
from tintype.models.devices.pipes import DeviceLost, Part, Pipe, Spent


@dataclass(frozen=True)
class _Mark:
    """A place in the work of a stream, and when it was reached; on a processor, where that is at once, by the clock."""

    event: Any
    at_s: float | None

    def since(self, other: _Mark) -> float:
        """Seconds, once both are reached; negative where this one was first."""
        if self.at_s is not None and other.at_s is not None:
            return self.at_s - other.at_s
        return float(other.event.elapsed_time(self.event)) / 1000


@dataclass(frozen=True)
class _Started:
    """A batch on its way. Its tensors are kept until the end: their memory must not be given to another before."""

    rows: int
    copied_from: _Mark
    copied: _Mark
    computed: _Mark
    done: _Mark
    before: _Mark | None  # when the batch before it was computed
    tensors: tuple[list[torch.Tensor], list[torch.Tensor]]


class TorchPipe:
    """One model on one device, with a stream each for what goes there, for computing, and for what comes back."""

    def __init__(self, runner: TorchRunner) -> None:
        self._runner, self._device = runner, torch.device(runner.info.device)
        self._card = runner.info.card
        self._is_gpu = self._device.type == "cuda"
        self._module: Any = torch.cuda if self._is_gpu else torch.cpu
        self._there, self._compute, self._back = (self._module.Stream() for _ in range(3))
        self._before: _Mark | None = None
        self._module.synchronize()  # the weights are there

    def start(self, parts: Sequence[Part]) -> _Started:
        rows = sum(part.rows for part in parts)
        with self._errors(rows), self._all_or_nothing(), torch.inference_mode():
            with self._module.stream(self._there):
                copied_from = self._mark(self._there)
                given = [self._copied(name, rows, parts) for name in self._card.input_names]
                copied = self._mark(self._there)
            with self._module.stream(self._compute):
                self._compute.wait_event(copied.event)
                made = [values.contiguous() for values in self._runner.compute(given)]
                computed = self._mark(self._compute)
            with self._module.stream(self._back):
                self._back.wait_event(computed.event)
                self._bring_back(made, parts)
                done = self._mark(self._back)
        before, self._before = self._before, computed
        return _Started(rows, copied_from, copied, computed, done, before, (given, made))

    def is_over(self, started: _Started) -> bool:
        with self._errors(started.rows):
            return bool(started.done.event.query())

    def finish(self, started: _Started) -> Spent:
        with self._errors(started.rows):
            started.done.event.synchronize()
        with contextlib.suppress(RuntimeError):  # figures are worth no batch
            return _spent(started)
        return Spent(0.0, 0.0)

    def hold(self, memory: NDArray[np.uint8]) -> bool:
        if not self._is_gpu or len(memory) == 0:
            return False
        try:
            status = int(torch.cuda.cudart().cudaHostRegister(memory.ctypes.data, memory.nbytes, 0))
        except (RuntimeError, TypeError, ValueError):
            status = -1
        if status != 0:
            # CUDA keeps the failure for whoever asks next, which would be the first batch: this asks.
            with contextlib.suppress(RuntimeError):
                torch.ones(1, device=self._device).add_(1)
                torch.cuda.synchronize()
        return status == 0

    def let_go(self, memory: NDArray[np.uint8]) -> None:
        if self._is_gpu:
            with contextlib.suppress(RuntimeError, TypeError, ValueError):
                torch.cuda.cudart().cudaHostUnregister(memory.ctypes.data)

    def free(self) -> None:
        if self._is_gpu:
            torch.cuda.empty_cache()

    def _copied(self, name: str, rows: int, parts: Sequence[Part]) -> torch.Tensor:
        """One input of all parts as a single tensor on the device."""
        first = parts[0].given[name]
        whole = torch.empty((rows, *first.shape[1:]), dtype=torch.from_numpy(first).dtype, device=self._device)
        at = 0
        for part in parts:
            whole[at : at + part.rows].copy_(torch.from_numpy(part.given[name]), non_blocking=True)
            at += part.rows
        return whole

    def _bring_back(self, made: Sequence[torch.Tensor], parts: Sequence[Part]) -> None:
        sorts = [(tuple(values.shape[1:]), torch.empty(0, dtype=values.dtype).numpy().dtype) for values in made]
        at = 0
        for part in parts:
            for place, values in zip(part.places(sorts), made, strict=True):
                torch.from_numpy(place).copy_(values[at : at + part.rows], non_blocking=True)
            at += part.rows

    def _mark(self, stream: Any) -> _Mark:
        # One that blocks: waiting for it takes no processor from the decoders.
        event = torch.cuda.Event(enable_timing=True, blocking=True) if self._is_gpu else torch.cpu.Event()
        event.record(stream)
        return _Mark(event, None if self._is_gpu else time.perf_counter())

    @contextlib.contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """Nothing of a batch that failed is on its way any more when that is told."""
        try:
            yield
        except BaseException:
            with contextlib.suppress(RuntimeError):
                self._module.synchronize()
            raise

    @contextlib.contextmanager
    def _errors(self, rows: int) -> Iterator[None]:
        with told(self._card, rows):
            try:
                yield
            except RuntimeError as error:
                if "CUDA error" in str(error) and not is_of_memory(error):
                    raise DeviceLost(one_line(error)) from error  # CUDA answers nothing else from now on
                raise


def _spent(started: _Started) -> Spent:
    """Copying counts from when the batch before was computed: until then nothing waited for it."""
    copying = started.copied.since(started.copied_from)
    if started.before is None:
        return Spent(copying, started.computed.since(started.copied))
    waited = started.copied.since(started.before)
    begin = started.copied if waited > 0 else started.before
    return Spent(min(max(waited, 0.0), copying), started.computed.since(begin))


_: type[Pipe] = TorchPipe
