"""What a ledger is: who has which shard, under which fence, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class Lease:
    """A shard that was given to an owner. A result is taken only while `fence` is the shard's latest."""

    shard: int
    fence: int
    kind: str
    payload: bytes
    attempts: int  # how often it was given out and failed before


@dataclass(frozen=True)
class Done:
    """A shard whose work is finished and waits to be committed."""

    shard: int
    fence: int
    kind: str
    payload: bytes
    result: bytes


class Ledger(Protocol):
    """Shards go pending → leased → done → committed, or back to pending, and after too many failures abandoned.

    Every method is atomic and safe to call from several processes, but for `add` and `retry`, whose shards may be
    worked on one after the other before the call returns. Payloads and results are kept and handed back as they are;
    where many images make megabytes, a payload had better name what lies elsewhere.
    """

    @property
    def run(self) -> str:
        """A name for the run that the pending shards belong to; new with every `begin`."""
        ...

    def begin(self) -> str:
        """Drop all shards and start a run; returns its new name."""
        ...

    def join(self, run: str) -> bool:
        """Begin a run of that name where none was begun; of several who do so at once all join the same. False where
        the ledger is another run's, and then nothing changes."""
        ...

    def add(self, kind: str, payloads: Iterable[bytes], onto: int | None = None) -> bool:
        """More shards, numbered on from the last one, the first being 1. Payloads are taken as they come.

        With `onto`, only on top of so many shards: False where others have added some meanwhile, and then some of the
        first of these payloads are there, once each, or none.
        """
        ...

    def lease(self, owner: str, seconds: float) -> Lease | None:
        """The next pending shard, or one whose lease has run out; None where there is none now."""
        ...

    def renew(self, lease: Lease, seconds: float) -> bool:
        """Move the deadline; False where the lease was lost."""
        ...

    def finish(self, lease: Lease, result: bytes) -> bool:
        """Take a result; False where the fence is old, and then nothing changes."""
        ...

    def fail(self, lease: Lease, reason: str, max_attempts: int) -> bool:
        """Give a shard back, or abandon it after its `max_attempts`-th failure; False where the fence is old."""
        ...

    def give_back(self, lease: Lease) -> bool:
        """Give a shard back without a failure."""
        ...

    def done(self, kind: str, limit: int) -> list[Done]:
        """The first shards of a kind that wait for their commit, in order of their number."""
        ...

    def mark_committed(self, shards: Iterable[int]) -> None:
        """These shards, which were done, are in the table now; their payloads and results may be forgotten."""
        ...

    def counts(self) -> Mapping[str, int]:
        """Number of shards by state."""
        ...

    def is_over(self) -> bool:
        """Whether no shard is pending or leased; cheaper than counting while there is one."""
        ...

    def abandoned(self) -> list[tuple[int, bytes, str]]:
        """(shard, payload, reason) of each shard that was given up, in order of their number."""
        ...

    def retry(self) -> int:
        """Make each shard that was given up pending again, as if it had never failed; returns how many."""
        ...
