"""The ledger of workers that share nothing but object storage: states in DynamoDB, what comes next in SQS.

DynamoDB alone says who has a shard: each step is one conditional write, four in a shard's life (its payload, lease,
finish, commit). A message in SQS only says that a shard may be free: one that is not true any more is dropped, and
shards that have lost theirs are found again. While a shard is worked on its message is hidden; a heartbeat hides it
longer and writes nothing.
"""

from __future__ import annotations

import re
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from tintype.core.errors import UsageError
from tintype.core.names import shown
from tintype.engine.ledger import aws
from tintype.engine.ledger.base import Done, Lease, Ledger
from tintype.engine.ledger.dynamodb_items import Current, number_of, open_when
from tintype.engine.ledger.dynamodb_table import ShardTable
from tintype.engine.ledger.sqs_queue import Message, ShardQueue

_NAME = re.compile(r"[A-Za-z0-9_-]{3,60}")  # fits a table, and a queue together with the name of a run
_ADDED_AT_ONCE = 500
_REASON_CHARACTERS = 2_000
_FENCES_APART = 1_000_000  # more than the leases of one shard in one run


class DynamoLedger:
    """Raises MissingExtra, and CollectionError in one line for what AWS refuses or where it cannot be reached.

    `name` is that of the table and begins the queues' names; the first `begin` makes the table. AWS_REGION, AWS_PROFILE
    and the other AWS_* variables say where and as whom.
    """

    reclaim_s = 60.0
    """How often at most somebody who finds nothing to do looks for shards that have lost their message."""

    def __init__(self, name: str, clock: Callable[[], float] = time.time) -> None:
        if not _NAME.fullmatch(name):
            raise UsageError(f"{shown(name)}: no name for a ledger: 3 to 60 letters, digits, _ and - are")
        self._name, self._clock = name, clock
        self._looked = clock()
        self._held: dict[tuple[int, int], tuple[str, str]] = {}  # queue and receipt by shard and fence
        dynamo, sqs = aws.clients(name)
        self._table, self._queue = ShardTable(dynamo, name), ShardQueue(sqs)

    @property
    def run(self) -> str:
        with aws.errors_are_said(self._name):
            return self._current().run

    def begin(self) -> str:
        with aws.errors_are_said(self._name):
            return self._begin().run

    def join(self, run: str) -> bool:
        with aws.errors_are_said(self._name):
            current = self._table.current()
            if current is None:
                self._table.make()
                queue = self._queue.make(f"{self._name}-{run}")
                self._table.begin_first(run, queue, self._base())
                current = self._current()
                if current.run != run:  # somebody else was quicker
                    self._queue.drop(queue)
            return current.run == run

    def add(self, kind: str, payloads: Iterable[bytes], onto: int | None = None) -> bool:
        waiting: list[bytes] = []
        for payload in payloads:
            waiting.append(payload)
            if len(waiting) == _ADDED_AT_ONCE:
                if not self._add(kind, waiting, onto):
                    return False
                onto = None if onto is None else onto + len(waiting)
                waiting = []
        return not waiting or self._add(kind, waiting, onto)

    def lease(self, owner: str, seconds: float) -> Lease | None:
        with aws.errors_are_said(self._name):
            while True:
                current, now = self._current(), self._clock()
                message = self._queue.receive(current.queue, seconds)
                if message is not None:
                    if (lease := self._take(current, message, owner, now, seconds)) is not None:
                        return lease
                elif not self._reclaim(current):
                    return None

    def renew(self, lease: Lease, seconds: float) -> bool:
        with aws.errors_are_said(self._name):
            run = self._current().run
            shard = self._table.shards(run, [lease.shard]).get(lease.shard)
            if shard is None or (shard.fence, shard.state) != (lease.fence, "leased"):
                self._held.pop((lease.shard, lease.fence), None)
                return False
            held = self._held.get((lease.shard, lease.fence))
            if held is not None and self._queue.hide(*held, seconds):
                return True
            # Leased by another process, or the message is out again: whoever gets it must read that it is not free.
            return self._table.change(run, lease.shard, lease.fence, {"deadline": self._clock() + seconds}, ())

    def finish(self, lease: Lease, result: bytes) -> bool:
        values = {"state": "done", "result": result, "open": open_when("done", lease.shard, lease.kind)}
        return self._end(lease, values, is_over=True)

    def fail(self, lease: Lease, reason: str, max_attempts: int) -> bool:
        attempts, reason = lease.attempts + 1, reason[:_REASON_CHARACTERS]
        if attempts < max_attempts:
            return self._end(lease, {"state": "pending", "attempts": attempts, "reason": reason}, is_over=False)
        opened = open_when("abandoned", lease.shard)
        values = {"state": "abandoned", "attempts": attempts, "reason": reason, "open": opened}
        return self._end(lease, values, is_over=True)

    def give_back(self, lease: Lease) -> bool:
        return self._end(lease, {"state": "pending"}, is_over=False)

    def done(self, kind: str, limit: int) -> list[Done]:
        with aws.errors_are_said(self._name):
            run = self._current().run
            numbers = [number_of(value) for value in self._table.open_values(run, f"done#{kind}#", limit)]
            shards, payloads = self._table.shards(run, numbers), self._table.payloads(run, numbers)
        found = (shards[number] for number in numbers if number in shards and number in payloads)
        return [
            Done(shard.number, shard.fence, kind, payloads[shard.number][1], shard.result)
            for shard in found
            if shard.state == "done"
        ]

    def mark_committed(self, shards: Iterable[int]) -> None:
        with aws.errors_are_said(self._name):
            self._table.commit(self._current().run, list(shards))

    def counts(self) -> Mapping[str, int]:
        """Number of shards by state: one read, and one more for every 10,000 that are leased, done or abandoned.

        While others are at work, a shard that is just changing hands may be counted as pending.
        """
        with aws.errors_are_said(self._name):
            current = self._current()
            found = Counter(value.partition("#")[0] for value in self._table.open_values(current.run))
        found["committed"] = current.committed
        found["pending"] = max(0, current.total - found.total())
        return {state: count for state, count in found.items() if count}

    def is_over(self) -> bool:
        with aws.errors_are_said(self._name):
            is_leased = any(self._table.open_values(self._current().run, "leased#", 1))
        if is_leased:
            return False
        counts = self.counts()
        return not counts.get("pending") and not counts.get("leased")

    def abandoned(self) -> list[tuple[int, bytes, str]]:
        with aws.errors_are_said(self._name):
            run = self._current().run
            numbers = [number_of(value) for value in self._table.open_values(run, "abandoned#")]
            shards, payloads = self._table.shards(run, numbers), self._table.payloads(run, numbers)
        return [
            (number, payloads[number][1] if number in payloads else b"", shards[number].reason)
            for number in numbers
            if number in shards
        ]

    def retry(self) -> int:
        with aws.errors_are_said(self._name):
            current = self._current()
            numbers = [number_of(value) for value in self._table.open_values(current.run, "abandoned#")]
            shards = self._table.shards(current.run, numbers).values()
            again = [one for one in shards if self._table.take_up_again(current.run, one.number)]
            self._queue.send(current.queue, current.run, ((one.number, one.kind) for one in again))
        return len(again)

    def _current(self) -> Current:
        return self._table.current() or self._begin()

    def _begin(self) -> Current:
        self._table.make()
        before, run = self._table.current(), uuid.uuid4().hex[:12]
        queue = self._queue.make(f"{self._name}-{run}")
        base = self._base(before)
        self._table.begin(run, queue, base)
        if before is not None:
            self._queue.drop(before.queue)
        return Current(run, queue, base)

    def _base(self, before: Current | None = None) -> int:
        """What all fences of a run are above: a lease of an earlier run must never look like one of this run."""
        return max(int(self._clock() * 1_000), (before.base if before else 0) + _FENCES_APART)

    def _add(self, kind: str, payloads: Sequence[bytes], onto: int | None) -> bool:
        with aws.errors_are_said(self._name):
            current = self._current()
            if onto not in (None, current.total):
                return False
            numbers = self._table.give_numbers(current.run, len(payloads))
            if not self._table.put_payloads(current.run, kind, dict(zip(numbers, payloads, strict=True)), onto):
                return False
            self._queue.send(current.queue, current.run, ((number, kind) for number in numbers))
            return True

    def _take(self, current: Current, message: Message, owner: str, now: float, seconds: float) -> Lease | None:
        """The lease of the shard that a message speaks of; None where it is not free, or not of this run."""
        if message.run != current.run:
            self._queue.delete(current.queue, message.receipt)
            return None
        shard = self._table.lease(current, message.number, message.kind, owner, now + seconds, now)
        if isinstance(shard, float):
            if shard:
                self._queue.hide(current.queue, message.receipt, shard - now)
            else:
                self._queue.delete(current.queue, message.receipt)
            return None
        self._held[shard.number, shard.fence] = (current.queue, message.receipt)
        found = self._table.payloads(current.run, [shard.number]).get(shard.number)
        lease = Lease(shard.number, shard.fence, shard.kind, found[1] if found else b"", shard.attempts)
        if found is None:
            self.fail(lease, "its payload is gone from the table", 1)
            return None
        return lease

    def _end(self, lease: Lease, values: Mapping[str, object], *, is_over: bool) -> bool:
        """End a lease; False where it was lost. The message goes, or shows again so that somebody else can take it."""
        remove = ("owner", "deadline") if is_over else ("owner", "deadline", "open")
        with aws.errors_are_said(self._name):
            taken = self._table.change(self._current().run, lease.shard, lease.fence, values, remove)
            held = self._held.pop((lease.shard, lease.fence), None)
            if taken and held is not None:  # else it shows again by itself, and whoever gets it sees how things stand
                if is_over:
                    self._queue.delete(*held)
                else:
                    self._queue.hide(*held, 0)
        return taken

    def _reclaim(self, current: Current) -> bool:
        """Send messages for shards that are free and have none; True where there were such.

        A message is lost where a process died between two writes, and after two weeks. It is looked for only where SQS
        counts no message at all, so never while others are at work.
        """
        now = self._clock()
        if now - self._looked < self.reclaim_s:
            return False
        self._looked = now
        if not self._queue.is_empty(current.queue):
            return False
        shards = self._table.shards(current.run)
        free = {
            shard.number: shard.kind
            for shard in shards.values()
            if shard.state == "pending" or (shard.state == "leased" and shard.deadline < now)
        }
        untouched = [number for numbers in current.ranges for number in numbers if number not in shards]
        free |= {number: kind for number, (kind, _) in self._table.payloads(current.run, untouched).items()}
        self._queue.send(current.queue, current.run, sorted(free.items()))
        return bool(free)


_: type[Ledger] = DynamoLedger
