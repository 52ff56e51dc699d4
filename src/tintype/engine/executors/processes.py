"""Workers as processes of this machine: started, fed, watched, and replaced when they die, hang or eat memory."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import selectors
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tintype.codec.limits import Limits
from tintype.core.errors import DeviceMemoryFull, StorageFull, TintypeError, WorkerFailed
from tintype.engine.executors.base import Executor, Finished, Patience
from tintype.engine.executors.worker_process import WorkerProcess
from tintype.engine.ledger.base import Lease, Ledger
from tintype.engine.messages import At, Job, Task, frames, hosted_of
from tintype.engine.work import Verdict
from tintype.models.devices.starting import devices_for

_MAX_DEATHS_IN_A_ROW = 6
_TICK_S = 0.05
_ASK_AGAIN_S = 0.5  # where other processes have all that is left


@dataclass
class _Trouble:
    """What a shard has already cost: images to try alone, deaths at one image, and those that failed twice."""

    alone: set[int] = field(default_factory=set)
    deaths: Counter[int] = field(default_factory=Counter)
    verdicts: dict[int, Verdict] = field(default_factory=dict)


@dataclass
class _Held:
    """A lease that no worker has just now: one for another try, or a failure that is told when its pause is over."""

    lease: Lease
    renewed: float
    failure: str | None = None
    until: float = 0.0


class ProcessExecutor:
    """Leases shards, has up to `workers` processes work on them, and yields what they finish.

    Other executors may share the ledger, here or elsewhere: one that has nothing to do waits for what the others have
    leased, and takes it over where a lease runs out.
    """

    def __init__(
        self,
        job: Job,
        workers: int,
        limits: Limits,
        ledger: Ledger,
        run: str,
        slots: Path,
        patience: Patience | None = None,
    ) -> None:
        """`slots` is a folder of this machine, for small files that are mapped into memory."""
        self._job, self._limits, self._ledger, self._run, self._slots = job, limits, ledger, run, slots
        self._patience = patience or Patience()
        self._count = workers
        self._selector = selectors.DefaultSelector()
        self._workers: list[WorkerProcess] = []
        self._held: list[_Held] = []
        self._ask_at = self._watched = 0.0
        self._trouble: dict[int, _Trouble] = {}
        self._deaths_in_a_row = 0  # of workers that were at no image

    def run(self) -> Iterator[Finished | None]:
        """Until no shard is left; None where nothing finished for a moment, so that the caller can draw."""
        with devices_for(hosted_of(self._job)) as self._devices:
            yield from self._run_workers()

    def _run_workers(self) -> Iterator[Finished | None]:
        try:
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
            self._give_back_all()

    def _give_back_all(self) -> None:
        """So that whoever goes on need not wait until the leases run out."""
        leases = [worker.lease for worker in self._workers if worker.lease is not None]
        for lease in (*leases, *(held.lease for held in self._held)):
            with contextlib.suppress(TintypeError):  # then they run out
                self._ledger.give_back(lease)

    def _feed(self) -> bool:
        """Give work to idle workers; False where all is done, by whomever."""
        is_over = False
        for _ in range(self._count - sum(worker.lease is not None for worker in self._workers)):
            if (lease := self._next_lease()) is None:
                if self._is_time_to_ask():
                    self._ask_at = time.monotonic() + _ASK_AGAIN_S
                    is_over = self._ledger.is_over()
                break
            worker = next((worker for worker in self._workers if worker.lease is None), None) or self._start(lease)
            if worker is not None:
                worker.give(lease, self._task(lease))
        return bool(self._held) or any(worker.lease is not None for worker in self._workers) or not is_over

    def _next_lease(self) -> Lease | None:
        for held in self._held:
            if held.failure is None:
                self._held.remove(held)
                return held.lease
        return self._ledger.lease(f"pid {os.getpid()}", self._patience.lease_s) if self._is_time_to_ask() else None

    def _is_time_to_ask(self) -> bool:
        return time.monotonic() >= self._ask_at

    def _start(self, lease: Lease) -> WorkerProcess | None:
        """A new worker; None where no more can be started, and those that there are go on."""
        try:
            taken = {worker.seat for worker in self._workers}
            seat = next(seat for seat in itertools.count() if seat not in taken)
            worker = WorkerProcess(self._job, self._slots, self._limits, seat, self._devices.reach(seat))
        except OSError as error:
            self._held.append(_Held(lease, time.monotonic()))
            if not self._workers:
                raise WorkerFailed(f"no worker can be started ({error.strerror}). Nothing was changed") from error
            self._count = len(self._workers)
            return None
        self._selector.register(worker.upwards, selectors.EVENT_READ, worker)
        self._workers.append(worker)
        return worker

    def _task(self, lease: Lease) -> Task:
        trouble = self._trouble.get(lease.shard, _Trouble())
        name = f"{self._run}:{lease.shard}:{lease.fence}"
        return Task(name, lease.kind, lease.payload, frozenset(trouble.alone), dict(trouble.verdicts))

    def _listen(self) -> Iterator[Finished]:
        for key, _ in self._selector.select(_TICK_S):
            worker: WorkerProcess = key.data
            chunk = os.read(worker.upwards, 1 << 20)
            if not chunk:
                self._died(worker, "the worker ended unexpectedly", None)
                continue
            worker.buffer += chunk
            for frame in frames(worker.buffer):
                yield from self._take(worker, json.loads(frame))

    def _take(self, worker: WorkerProcess, message: Mapping[str, Any]) -> Iterator[Finished]:
        lease, worker.lease = worker.lease, None
        self._ask_at = 0.0
        if lease is None:
            return
        if message["event"] == "full":
            self._ledger.give_back(lease)
            raise StorageFull(self._job.place)
        if message["event"] == "refused":
            self._ledger.give_back(lease)
            error = DeviceMemoryFull if message.get("is_of_memory") else WorkerFailed
            raise error(f"{message['reason']}. What was finished is kept")
        if message["event"] == "failed":
            self._rest(lease, message["reason"])
            return
        if self._ledger.finish(lease, json.dumps(message["result"]).encode()):
            self._trouble.pop(lease.shard, None)
            self._deaths_in_a_row = 0
            yield Finished(lease, message["result"], message["seconds"])

    def _rest(self, lease: Lease, reason: str) -> None:
        """Hold a shard that failed for a while: what failed just now, say a disk or a server, may be back then."""
        now = time.monotonic()
        is_last = lease.attempts + 1 >= self._patience.attempts
        pause_s = 0.0 if is_last else self._patience.pause_s * 2**lease.attempts
        self._held.append(_Held(lease, now, reason, now + pause_s))

    def _watch(self) -> None:
        now = time.monotonic()
        if now - self._watched < _TICK_S:  # small shards come faster than that
            return
        self._watched = now
        self._devices.check()
        for worker in list(self._workers):
            if worker.lease is None:
                continue
            if now - worker.renewed > self._patience.lease_s / 3:
                worker.renewed = now
                if not self._ledger.renew(worker.lease, self._patience.lease_s):
                    worker.kill()  # another has the shard: nobody wants what this one makes of it
                    self._end(worker)
                    continue
            if (overrun := worker.overrun(now)) is not None:
                worker.kill()
                self._died(worker, overrun.reason, overrun)
        for held in list(self._held):
            if now - held.renewed > self._patience.lease_s / 3:
                held.renewed = now
                if not self._ledger.renew(held.lease, self._patience.lease_s):
                    self._held.remove(held)
                    continue
            if held.failure is not None and now >= held.until:
                self._held.remove(held)
                self._ledger.fail(held.lease, held.failure, self._patience.attempts)
                self._ask_at = 0.0

    def _end(self, worker: WorkerProcess) -> str:
        """Take out a worker that is dead; says how it ended."""
        self._selector.unregister(worker.upwards)
        self._workers.remove(worker)
        return worker.stop(is_dead=True)

    def _died(self, worker: WorkerProcess, reason: str, overrun: Verdict | None) -> None:
        """The images that a worker was at are tried alone, and one that was alone already gets its status."""
        lease, at = worker.lease, worker.slot.read()
        died_of = self._end(worker)
        if lease is None:
            return
        if at.first < 0 and at.ahead >= 0:
            at = replace(at, first=at.ahead, last=at.ahead, reading=True)
        if at.first < 0:
            if at.is_away:
                self._held.append(_Held(lease, time.monotonic()))
            else:
                self._ledger.fail(lease, f"{reason} ({died_of})", self._patience.attempts)
            self._ask_at = 0.0
            self._deaths_in_a_row += 1
            if self._deaths_in_a_row >= _MAX_DEATHS_IN_A_ROW:
                raise WorkerFailed(
                    f"workers end before they do anything ({died_of}). What was committed is kept. "
                    "See why: python -m tintype.engine.worker </dev/null"
                )
            return
        what = "the process died while the file was read" if at.reading else "the decoder died"
        verdict = overrun or Verdict("crashed", f"{what} ({died_of})")
        self._blame(lease, at, replace(verdict, while_reading=at.reading))
        self._held.append(_Held(lease, time.monotonic()))

    def _blame(self, lease: Lease, at: At, verdict: Verdict) -> None:
        trouble = self._trouble.setdefault(lease.shard, _Trouble())
        trouble.alone.update(range(at.first, at.last + 1))
        if at.ahead >= 0:
            trouble.alone.add(at.ahead)
        if at.first == at.last:
            trouble.deaths[at.first] += 1
            if at.alone and trouble.deaths[at.first] > 1:
                trouble.verdicts[at.first] = verdict


_: type[Executor] = ProcessExecutor
