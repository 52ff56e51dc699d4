"""The ledger of an output: which it is, and its shards put in."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tintype.core.errors import UsageError
from tintype.core.platform import network_file_system
from tintype.engine.ledger.base import Ledger
from tintype.engine.ledger.sqlite import SqliteLedger
from tintype.engine.vectors.leavings import LEDGER_FILE
from tintype.store.outputs.plan import Plan
from tintype.store.places.base import Place
from tintype.store.places.local import LocalPlace

KIND = "embed"
EVERY = 1 << 31
"""More shards than there can be."""


@contextlib.contextmanager
def opened_ledger(place: Place, plan: Plan) -> Iterator[Ledger]:
    """Raises UsageError where an output of that place cannot have such a ledger."""
    scheme, _, name = plan.ledger.partition(":")
    if scheme == "dynamodb":
        from tintype.engine.ledger.dynamodb import DynamoLedger  # its library is slow to load

        yield DynamoLedger(name)
        return
    if scheme != "sqlite" or not isinstance(place, LocalPlace):
        raise UsageError(f"{place.url}: an output there needs a ledger in DynamoDB: --ledger dynamodb:NAME")
    if kind := network_file_system(place.folder):
        raise UsageError(
            f"{place.url} lies on a network file system ({kind}), where locks cannot be relied on. Nothing was "
            "changed. Name a local --output, or a ledger in DynamoDB: --ledger dynamodb:NAME"
        )
    with contextlib.closing(SqliteLedger(place.folder / LEDGER_FILE)) as ledger:
        yield ledger


def fill(ledger: Ledger, plan: Plan) -> None:
    """Put in the shards that are missing: all of a new output, or those that a planner that died did not get to."""
    _ = ledger.run  # begins one where there is none
    there = sum(ledger.counts().values())
    ledger.add(KIND, (payload_of(plan, shard) for shard in range(there, plan.shards)))


def payload_of(plan: Plan, shard: int) -> bytes:
    return f"{plan.id} {shard}".encode()


def shard_of(plan: Plan, payload: bytes) -> int:
    """Raises ValueError for a shard of another output: two of them must not share a ledger."""
    of, _, number = payload.decode().partition(" ")
    if of != plan.id:
        raise ValueError("a shard of another output: each needs a ledger of its own")
    return int(number)
