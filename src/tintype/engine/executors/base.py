"""What an executor is: where the workers of a run are, and how long they are waited for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from tintype.engine.ledger.base import Lease


@dataclass(frozen=True)
class Patience:
    """How long a shard is waited for. A failure is followed by a pause, twice as long after each further one."""

    lease_s: float = 60.0
    attempts: int = 3
    pause_s: float = 1.0


@dataclass(frozen=True)
class Finished:
    """A shard whose result the ledger has taken."""

    lease: Lease
    result: Mapping[str, Any]
    seconds: Mapping[str, float]  # by activity


class Executor(Protocol):
    """Has workers take shards from a ledger, which others may share, here or elsewhere."""

    def run(self) -> Iterator[Finished | None]:
        """What the workers finish, until no shard is left; None where nothing finished for a moment, so that the
        caller can draw. At the end, however it comes, workers are gone and their leases given back.

        Raises StorageFull, WorkerFailed, and what the ledger raises.
        """
        ...
