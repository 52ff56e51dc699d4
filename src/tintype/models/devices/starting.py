"""Starts a process for each device, sees that they live, and ends them."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tintype.core.errors import DeviceMemoryFull, MissingExtra, ModelError, TintypeError, UsageError, WorkerFailed
from tintype.core.names import shown
from tintype.models.devices.client import Reach
from tintype.models.devices.hosted import Hosted, device_ids
from tintype.models.devices.process import Setup
from tintype.models.engines import Engine

MOST_DEATHS = 3
"""Of a device process within `WITHIN_S`, after which a run is given up."""

WITHIN_S = 600.0
SILENT_S = 300.0
"""After so long without a sign of life a process that was ready is ended: its device does not answer it."""

_MOST_PATH_BYTES = 100  # of 108 that a socket's path may have
_TICK_S = 0.1
_GOODBYE_S = 5.0  # from the end of what it says to its own
_ERRORS: dict[str, type[TintypeError]] = {
    "ModelError": ModelError,
    "DeviceMemoryFull": DeviceMemoryFull,
    "MissingExtra": MissingExtra,
}
_FEW_THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


class Devices:
    """The device processes of a run: none where nothing is hosted, and then nothing here costs anything."""

    def __init__(self, hosted: Sequence[Hosted], ids: Sequence[str], folder: Path) -> None:
        self._hosted = tuple(hosted)
        models = tuple((one.card.fingerprint, one.engine) for one in self._hosted)
        self._processes = [_Process(self._hosted, device, folder / f"{at}") for at, device in enumerate(ids)]
        self._reaches = [Reach(os.fspath(process.path), models) for process in self._processes]

    def start(self) -> None:
        for process in self._processes:
            process.start()

    def wait(self) -> None:
        """Until all have loaded their models. Workers wait for that by themselves. Raises as `check`."""
        while not all(process.is_ready for process in self._processes):
            for process in self._processes:
                process.check(_TICK_S)

    def check(self) -> None:
        """See that all live, and start those again that do not.

        Raises ModelError, DeviceMemoryFull or MissingExtra where the models cannot be loaded, and WorkerFailed where a
        process ends again and again.
        """
        for process in self._processes:
            process.check(0)

    def reach(self, seat: int) -> Reach | None:
        """For a worker by its number: the device that it is to use."""
        return self._reaches[seat % len(self._reaches)] if self._reaches else None

    def stop(self) -> None:
        for process in self._processes:
            process.stop()


@contextlib.contextmanager
def devices_for(hosted: Sequence[Hosted], ids: Sequence[str] | None = None) -> Iterator[Devices]:
    """Have one process for each GPU (or as many as `ids`) load models and run them until the end of the block; whoever
    enters it calls `check` now and then.

    Raises WorkerFailed where no process can be started, and UsageError where the folder for temporary files has too
    long a path.
    """
    if not hosted:
        yield Devices((), (), Path())
        return
    if ids is None:
        ids = device_ids() if any(Engine.of(one.engine).device == "cuda" for one in hosted) else ("0",)
    with tempfile.TemporaryDirectory(prefix="tintype-") as folder:  # only this user may enter it
        if len(os.fsencode(folder)) > _MOST_PATH_BYTES:
            raise UsageError(f"{shown(folder)} is too long a path for a socket. Set TMPDIR to a shorter one")
        devices = Devices(hosted, ids, Path(folder))
        try:
            devices.start()
            yield devices
        finally:
            devices.stop()


class _Process:
    """One device's process, and those that come in its place."""

    def __init__(self, hosted: tuple[Hosted, ...], device: str, path: Path) -> None:
        self._hosted, self._device, self.path = hosted, device, path
        on_gpu = any(Engine.of(one.engine).device == "cuda" for one in hosted)
        self._name = (f"GPU {device}" if device.isdigit() else device) if on_gpu else "the processor"
        self.is_ready = False
        self._was_ready = False
        self._deaths: list[float] = []
        self._running: _Running | None = None

    def start(self) -> None:
        """Raises WorkerFailed where no process can be started."""
        self.is_ready, self._why = False, ""
        self._heard = time.monotonic()
        try:
            self._running = _Running(self._device, Setup(self._hosted, self.path, self._name))
        except OSError as error:
            raise WorkerFailed(f"no process for {self._name} can be started ({error.strerror})") from error

    def check(self, wait_s: float) -> None:
        """Hear what it says, for so long at most, and start it again where it ended.

        Raises what it refuses to begin with; WorkerFailed once it ended too often.
        """
        if self._running is None:
            return
        said = self._running.said(wait_s)
        for message in said or ():
            self._heard = time.monotonic()
            self._hear(message)
        is_silent = self.is_ready and time.monotonic() - self._heard > SILENT_S
        if is_silent:
            self._why = f"it did not answer for {SILENT_S:g} seconds"
        if said is None or is_silent:
            self._start_again(self._running.end())

    def stop(self) -> None:
        if self._running is not None:
            self._running.end()
            self._running = None

    def _hear(self, message: dict[str, Any]) -> None:
        if message["event"] == "ready":
            self.is_ready = self._was_ready = True
        elif message["event"] == "lost":
            self._why = message["reason"]
        elif message["event"] == "refused":
            error = _ERRORS[message["error"]](*message["args"])
            if not self._was_ready or isinstance(error, DeviceMemoryFull):
                raise error
            raise WorkerFailed(f"{self._name} cannot be used any more: {error}. What was finished is kept")

    def _start_again(self, ended: str) -> None:
        now = time.monotonic()
        self._deaths = [at for at in self._deaths if now - at < WITHIN_S] + [now]
        if len(self._deaths) > MOST_DEATHS:
            raise WorkerFailed(
                f"the process that runs {self._hosted[0].card.name} on {self._name} ended {len(self._deaths)} times "
                f"({shown(self._why or ended)}). What was finished is kept. See why: run the same command again with "
                "TINTYPE_WORKER_STDERR=1"
            )
        self.start()


class _Running:
    """A process with the pipe that it reports by."""

    def __init__(self, device: str, setup: Setup) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tintype.models.devices.process", str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if os.environ.get("TINTYPE_WORKER_STDERR") else subprocess.DEVNULL,
            env={**os.environ, **_FEW_THREADS, "CUDA_VISIBLE_DEVICES": device, "PYTHONSAFEPATH": "1"},
            start_new_session=True,  # Ctrl-C is the parent's to handle
        )
        assert self._process.stdin is not None  # noqa: S101  both are pipes
        assert self._process.stdout is not None  # noqa: S101  as above
        self._upwards, self._buffer, self._is_over = self._process.stdout.fileno(), b"", False
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._upwards, selectors.EVENT_READ)
        with contextlib.suppress(OSError):  # where it died, reading from it will tell
            self._process.stdin.write(pickle.dumps(setup))
            self._process.stdin.close()

    def said(self, wait_s: float) -> list[dict[str, Any]] | None:
        """What it reported, waiting for so long at most; None where it ended."""
        if not self._selector.select(wait_s):
            return []
        chunk = os.read(self._upwards, 1 << 16)
        self._is_over = not chunk
        *lines, self._buffer = (self._buffer + chunk).split(b"\n")
        return [json.loads(line) for line in lines] if chunk else None

    def end(self) -> str:
        """End it, if it has not ended; says how it did."""
        try:
            code = self._process.wait(_GOODBYE_S if self._is_over else 0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._selector.close()
        self._process.stdout.close()  # type: ignore[union-attr]  # a pipe
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"
