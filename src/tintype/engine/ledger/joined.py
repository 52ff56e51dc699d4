"""A ledger as one who helps with a single run sees it."""

from __future__ import annotations

from pathlib import Path

from tintype.engine.ledger.base import Lease
from tintype.engine.ledger.sqlite import SqliteLedger


class JoinedLedger(SqliteLedger):
    """Where another run has begun, nothing is left: its shards are never worked on as those of this one.

    `has_lost` says whether a shard was given to somebody else while it was worked on here.
    """

    def __init__(self, place: Path, run: str) -> None:
        super().__init__(place)
        self._joined = run
        self.has_lost = False

    @property
    def is_superseded(self) -> bool:
        """Whether another run has begun since."""
        return self.run != self._joined

    def lease(self, owner: str, seconds: float) -> Lease | None:
        lease = super().lease(owner, seconds)
        # Asked afterwards: names of runs never come again, so the shard is of the one that is there now, or gone.
        if lease is not None and self.is_superseded:
            super().give_back(lease)
            return None
        return lease

    def is_over(self) -> bool:
        return self.is_superseded or super().is_over()

    def _change(self, lease: Lease, assignments: str, values: tuple[object, ...]) -> bool:
        is_kept = super()._change(lease, assignments, values)
        self.has_lost |= not is_kept
        return is_kept
