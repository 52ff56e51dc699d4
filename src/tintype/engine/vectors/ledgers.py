"""The ledger of an output: which it is, and its shards put in."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from tintype.core.errors import CollectionDamaged, UsageError
from tintype.core.names import shown
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
    """Its run is named for the plan. Raises UsageError where an output of that place cannot have such a ledger, or
    where the ledger is another output's."""
    scheme, _, name = plan.ledger.partition(":")
    if scheme == "dynamodb":
        from tintype.engine.ledger.dynamodb import DynamoLedger  # its library is slow to load

        shared = DynamoLedger(name)
        if not shared.join(plan.id):
            raise UsageError(
                f"the ledger {shown(name)} in DynamoDB is another output's. Nothing was changed. Name a new one: "
                f"--ledger dynamodb:NAME, and a new --output in the place of {place.url}, whose plan names this one"
            )
        yield shared
        return
    if scheme != "sqlite" or not isinstance(place, LocalPlace):
        raise UsageError(f"{place.url}: an output there needs a ledger in DynamoDB: --ledger dynamodb:NAME")
    if kind := network_file_system(place.folder):
        raise UsageError(
            f"{place.url} lies on a network file system ({kind}), where locks cannot be relied on. Nothing was "
            "changed. Name a local --output, or a ledger in DynamoDB: --ledger dynamodb:NAME"
        )
    with contextlib.closing(SqliteLedger(place.folder / LEDGER_FILE)) as ledger:
        if not ledger.join(plan.id):
            what, mend = f"{LEDGER_FILE} is another output's", "Delete it: what is finished stays, the rest begins anew"
            raise CollectionDamaged(place.url, what, mend)
        yield ledger


def fill(ledger: Ledger, plan: Plan) -> None:
    """Put in the shards that are missing: all of a new output, or those that a planner that died did not get to.

    Several may do it at once: each shard is put in once.
    """
    while (there := sum(ledger.counts().values())) < plan.shards:
        ledger.add(KIND, (payload_of(plan, shard) for shard in range(there, plan.shards)), onto=there)


def payload_of(plan: Plan, shard: int) -> bytes:
    return f"{plan.id} {shard}".encode()


def shard_of(plan: Plan, payload: bytes) -> int:
    """Raises ValueError for a shard of another output: two of them must not share a ledger."""
    of, _, number = payload.decode().partition(" ")
    if of != plan.id:
        raise ValueError("a shard of another output: each needs a ledger of its own")
    return int(number)
