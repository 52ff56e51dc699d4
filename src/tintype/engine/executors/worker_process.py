"""A worker as its parent sees it: a process of this machine with its pipes, its slot, and what it is over."""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

from tintype.codec.limits import Limits
from tintype.core.platform import process_usage
from tintype.engine.ledger.base import Lease
from tintype.engine.messages import LENGTH, At, Job, Setup, Slot, Task
from tintype.engine.work import Verdict
from tintype.models.devices.client import Reach

_WALL_FACTOR = 20  # an image may wait for its disk this many times its CPU limit

_ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "LANCE_CPU_THREADS": "1",
    "LANCE_IO_THREADS": "1",
    "TOKIO_WORKER_THREADS": "1",
    "RAYON_NUM_THREADS": "1",
    "PYTHONSAFEPATH": "1",
}


class WorkerProcess:
    """One process with its pipes and its slot. Its seat is the least number that no other one has."""

    def __init__(self, job: Job, slots: Path, limits: Limits, seat: int, reach: Reach | None) -> None:
        self.slot = Slot.create(slots)
        self.limits, self.seat = limits, seat
        try:
            self.process = self._started()
        except OSError:
            self.slot.close()
            raise
        assert self.process.stdin is not None  # noqa: S101  both are pipes
        assert self.process.stdout is not None  # noqa: S101  as above
        self.downwards = self.process.stdin
        self.upwards = self.process.stdout.fileno()
        self.pid = self.process.pid
        self.buffer = bytearray()
        self.lease: Lease | None = None
        self.renewed = time.monotonic()
        self._at: At | None = None
        self._at_since = time.monotonic()
        self._send(Setup(job, self.slot.path, reach))

    def _started(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-m", "tintype.engine.worker", str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if os.environ.get("TINTYPE_WORKER_STDERR") else subprocess.DEVNULL,
            env={**os.environ, **_ONE_THREAD},
            start_new_session=True,  # Ctrl-C is the parent's to handle
        )

    def give(self, lease: Lease, task: Task) -> None:
        self.lease, self.renewed = lease, time.monotonic()
        self._at_since = self.renewed
        self.slot.forget()
        self._send(task)

    def overrun(self, now: float) -> Verdict | None:
        """What the image at hand is over, if anything."""
        at = self.slot.read()
        if at != self._at:
            self._at, self._at_since = at, now
        allowed = self.limits.cpu_seconds  # of a whole batch too: its images are tried alone before one is blamed
        if now - self._at_since > allowed * _WALL_FACTOR:
            return Verdict("timeout", f"no answer after {allowed * _WALL_FACTOR:g} seconds (limits.cpu_seconds)")
        usage = process_usage(self.pid)
        if usage is None:
            return None
        cpu_seconds, resident = usage
        if resident > self.limits.memory_mb * 1_000_000:
            return Verdict("rejected", f"takes more than {self.limits.memory_mb} MB of memory (limits.memory_mb)")
        if at.first >= 0 and cpu_seconds - at.cpu_seconds > allowed:
            return Verdict("timeout", f"takes more than {self.limits.cpu_seconds:g} CPU-seconds (limits.cpu_seconds)")
        return None

    def kill(self) -> None:
        self.process.kill()

    def stop(self, *, is_dead: bool = False) -> str:
        """End the process and free what belongs to it; says how it ended. One that is dead is only waited for."""
        with contextlib.suppress(OSError):  # it may be dead already
            self.downwards.close()
        if self.lease is not None and not is_dead:
            self.process.kill()
        try:
            code = self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.slot.close()
        return signal.Signals(-code).name if code < 0 else f"exit code {code}"

    def _send(self, message: object) -> None:
        body = pickle.dumps(message)
        with contextlib.suppress(OSError):  # where it died, reading from it will tell
            self.downwards.write(LENGTH.pack(len(body)) + body)
            self.downwards.flush()
