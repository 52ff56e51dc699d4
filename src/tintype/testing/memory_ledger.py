"""A ledger in memory: the plainest there is, and what the others are compared with."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from tintype.engine.ledger.base import Done, Lease, Ledger


@dataclass
class _Shard:
    kind: str
    payload: bytes
    state: str = "pending"
    fence: int = 0
    deadline: float = 0.0
    attempts: int = 0
    reason: str = ""
    result: bytes = b""


@dataclass
class Memory:
    """What a ledger in memory knows; several may share it."""

    run: str = ""
    shards: dict[int, _Shard] = field(default_factory=dict)
    fence: int = 0  # the greatest that was given
    lock: threading.RLock = field(default_factory=threading.RLock)


class MemoryLedger:
    """The plainest ledger there is; within one process, and gone with it."""

    def __init__(self, memory: Memory, clock: Callable[[], float] = time.time) -> None:
        self._memory, self._clock, self._lock = memory, clock, memory.lock

    @property
    def run(self) -> str:
        return self._memory.run or self.begin()

    def begin(self) -> str:
        self._memory.run, self._memory.shards = uuid.uuid4().hex[:12], {}
        return self._memory.run

    def join(self, run: str) -> bool:
        with self._lock:
            self._memory.run = self._memory.run or run
            return self._memory.run == run

    def add(self, kind: str, payloads: Iterable[bytes], onto: int | None = None) -> bool:
        for index, payload in enumerate(payloads):
            with self._lock:
                count = len(self._memory.shards)
                if onto is not None and count != onto + index:
                    return False
                self._memory.shards[count + 1] = _Shard(kind, payload)
        return True

    def lease(self, owner: str, seconds: float) -> Lease | None:
        with self._lock:
            free = self.free()
            return self.take(free[0], seconds) if free else None

    def free(self) -> list[int]:
        """The shards that may be leased now, in the order in which they are."""
        now, shards = self._clock(), self._memory.shards
        pending = [number for number, shard in shards.items() if shard.state == "pending"]
        lost = [number for number, shard in shards.items() if shard.state == "leased" and shard.deadline < now]
        return pending + lost

    def take(self, number: int, seconds: float) -> Lease:
        """Lease this very shard."""
        shard = self._memory.shards[number]
        self._memory.fence += 1
        shard.state, shard.fence, shard.deadline = "leased", self._memory.fence, self._clock() + seconds
        return Lease(number, shard.fence, shard.kind, shard.payload, shard.attempts)

    def renew(self, lease: Lease, seconds: float) -> bool:
        return self._change(lease, deadline=self._clock() + seconds)

    def finish(self, lease: Lease, result: bytes) -> bool:
        return self._change(lease, state="done", result=result)

    def fail(self, lease: Lease, reason: str, max_attempts: int) -> bool:
        attempts = lease.attempts + 1
        state = "abandoned" if attempts >= max_attempts else "pending"
        return self._change(lease, state=state, attempts=attempts, reason=reason)

    def give_back(self, lease: Lease) -> bool:
        return self._change(lease, state="pending")

    def done(self, kind: str, limit: int) -> list[Done]:
        found = [
            Done(number, shard.fence, shard.kind, shard.payload, shard.result)
            for number, shard in self._memory.shards.items()
            if shard.state == "done" and shard.kind == kind
        ]
        return found[:limit]

    def mark_committed(self, shards: Iterable[int]) -> None:
        for number in shards:
            self._memory.shards[number].state = "committed"

    def counts(self) -> Mapping[str, int]:
        return dict(Counter(shard.state for shard in self._memory.shards.values()))

    def is_over(self) -> bool:
        return not any(shard.state in ("pending", "leased") for shard in self._memory.shards.values())

    def abandoned(self) -> list[tuple[int, bytes, str]]:
        return [
            (number, shard.payload, shard.reason)
            for number, shard in self._memory.shards.items()
            if shard.state == "abandoned"
        ]

    def retry(self) -> int:
        numbers = [number for number, _, _ in self.abandoned()]
        for number in numbers:
            shard = self._memory.shards[number]
            shard.state, shard.attempts, shard.reason = "pending", 0, ""
        return len(numbers)

    def _change(self, lease: Lease, **values: object) -> bool:
        with self._lock:
            shard = self._memory.shards.get(lease.shard)
            if shard is None or shard.fence != lease.fence or shard.state != "leased":
                return False
            for name, value in values.items():
                setattr(shard, name, value)
            return True


_: type[Ledger] = MemoryLedger
