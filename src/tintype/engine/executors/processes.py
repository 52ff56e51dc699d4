"""Workers as processes of this machine: started, fed, watched, and replaced when they die, hang or eat memory."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import selectors
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from tintype.codec.limits import Limits
from tintype.core.errors import StorageFull, WorkerFailed
from tintype.core.platform import process_usage
from tintype.engine.ledger.base import Lease, Ledger
from tintype.engine.messages import LENGTH, At, Setup, Slot, Task, frames
from tintype.engine.work import Verdict

LEASE_S = 60.0
MAX_ATTEMPTS = 3
_MAX_DEATHS_IN_A_ROW = 6
_TICK_S = 0.05
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


@dataclass(frozen=True)
class Finished:
    """A shard whose result the ledger has taken."""

    lease: Lease
    result: Mapping[str, Any]
    seconds: Mapping[str, float]


@dataclass
class _Trouble:
    """What a shard has already cost: images to try alone, deaths at one image, and those that failed twice."""

    alone: set[int] = field(default_factory=set)
    deaths: Counter[int] = field(default_factory=Counter)
    verdicts: dict[int, Verdict] = field(default_factory=dict)


class ProcessExecutor:
    """Leases shards, has `workers` processes work on them, and yields what they finish."""

    def __init__(self, setup: Setup, workers: int, limits: Limits, ledger: Ledger, run: str) -> None:
        self._setup, self._limits, self._ledger, self._run = setup, limits, ledger, run
        self._count = workers
        self._selector = selectors.DefaultSelector()
        self._workers: list[_Worker] = []
        self._trouble: dict[int, _Trouble] = {}
        self._deaths_in_a_row = 0  # of workers that were at no image

    def run(self) -> Iterator[Finished | None]:
        """Until no shard is left; None where nothing finished for a moment, so that the caller can draw."""
        try:
            self._start_all()
            while self._feed():
                finished = list(self._listen())
                yield from finished
                if not finished:
                    yield None
                self._watch()
        finally:
            for worker in self._workers:
                worker.kill()  # one that is idle holds nothing, and what others were at is not wanted any more
            for worker in self._workers:
                worker.stop(is_dead=True)
            self._selector.close()

    def _start_all(self) -> None:
        for _ in range(min(self._count, self._ledger.counts().get("pending", 0))):
            try:
                self._workers.append(self._start())
            except OSError as error:
                if not self._workers:
                    raise WorkerFailed(f"no worker can be started ({error.strerror}). Nothing was changed") from error
                return  # with those that there are

    def _start(self) -> _Worker:
        worker = _Worker(self._setup, self._limits)
        self._selector.register(worker.upwards, selectors.EVENT_READ, worker)
        return worker

    def _feed(self) -> bool:
        """Give work to idle workers; False where all is done."""
        for worker in self._workers:
            if worker.lease is None and (lease := self._ledger.lease(f"pid {worker.pid}", LEASE_S)) is not None:
                trouble = self._trouble.get(lease.shard, _Trouble())
                worker.give(lease, self._task(lease, trouble))
        return any(worker.lease is not None for worker in self._workers)

    def _task(self, lease: Lease, trouble: _Trouble) -> Task:
        entries = pa.ipc.open_stream(lease.payload).read_next_batch()
        name = f"{self._run}:{lease.shard}:{lease.fence}"
        return Task(name, lease.kind, entries, frozenset(trouble.alone), dict(trouble.verdicts))

    def _listen(self) -> Iterator[Finished]:
        for key, _ in self._selector.select(_TICK_S):
            worker: _Worker = key.data
            chunk = os.read(worker.upwards, 1 << 20)
            if not chunk:
                self._died(worker, "the worker ended unexpectedly", None)
                continue
            worker.buffer += chunk
            for frame in frames(worker.buffer):
                yield from self._take(worker, json.loads(frame))

    def _take(self, worker: _Worker, message: Mapping[str, Any]) -> Iterator[Finished]:
        lease, worker.lease = worker.lease, None
        if lease is None:
            return
        if message["event"] == "full":
            self._ledger.give_back(lease)
            raise StorageFull(str(self._setup.updates.parent.parent))
        if message["event"] == "failed":
            self._ledger.fail(lease, message["reason"], MAX_ATTEMPTS)
            return
        if self._ledger.finish(lease, json.dumps(message["result"]).encode()):
            self._trouble.pop(lease.shard, None)
            self._deaths_in_a_row = 0
            yield Finished(lease, message["result"], message["seconds"])

    def _watch(self) -> None:
        now = time.monotonic()
        for worker in list(self._workers):
            if worker.lease is None:
                continue
            if now - worker.renewed > LEASE_S / 3:
                self._ledger.renew(worker.lease, LEASE_S)
                worker.renewed = now
            if (overrun := worker.overrun(now)) is not None:
                worker.kill()
                self._died(worker, overrun.reason, overrun)

    def _died(self, worker: _Worker, reason: str, overrun: Verdict | None) -> None:
        """Replace a worker; the images it was at are tried alone, and one that was alone already gets its status."""
        self._selector.unregister(worker.upwards)
        self._workers.remove(worker)
        lease, at = worker.lease, worker.slot.read()
        died_of = worker.stop(is_dead=True)
        if lease is not None:
            if at.first < 0:
                self._ledger.fail(lease, f"{reason} ({died_of})", MAX_ATTEMPTS)
                self._deaths_in_a_row += 1
                if self._deaths_in_a_row >= _MAX_DEATHS_IN_A_ROW:
                    raise WorkerFailed(
                        f"workers end before they do anything ({died_of}). What was committed is kept. "
                        "See why: python -m tintype.engine.worker </dev/null"
                    )
            else:
                what = "the process died while the file was read" if at.reading else "the decoder died"
                verdict = overrun or Verdict("crashed", f"{what} ({died_of})")
                self._blame(lease, at, replace(verdict, while_reading=at.reading))
                self._ledger.give_back(lease)
        self._workers.append(self._start())

    def _blame(self, lease: Lease, at: At, verdict: Verdict) -> None:
        trouble = self._trouble.setdefault(lease.shard, _Trouble())
        trouble.alone.update(range(at.first, at.last + 1))
        if at.first == at.last:
            trouble.deaths[at.first] += 1
            if at.alone and trouble.deaths[at.first] > 1:
                trouble.verdicts[at.first] = verdict


class _Worker:
    """One process with its pipes and its slot."""

    def __init__(self, setup: Setup, limits: Limits) -> None:
        self.slot = Slot.create(setup.updates)
        self.limits = limits
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
        self._send(replace(setup, slot=self.slot.path))

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
