"""How the scan of a collection stands, from its table, its ledger and its lock."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pyarrow as pa

from tintype.core.errors import TintypeError
from tintype.core.expressions import Compare, Reference
from tintype.core.platform import FileLock
from tintype.engine.ledger.sqlite import SqliteLedger, given_up_in, look_at
from tintype.store.lance import LanceStore
from tintype.store.layout import Layout, read_record
from tintype.store.scan_run import read_run
from tintype.store.trust import require_trust

_MOST_FAILURES = 20


@dataclass(frozen=True, kw_only=True)
class CollectionStatus:
    """How the scan of a collection stands."""

    collection: str
    is_complete: bool  # no shard of its last scan waits, is being worked on, or was given up
    scanned_by: str | None  # whoever scans it just now
    is_helpable: bool  # whether `tintype work` finds something to do
    shards: Mapping[str, int]  # of the last scan by state: pending, leased, done, committed, abandoned
    images: int  # in the table
    status: Mapping[str, int]  # of those
    failures: list[dict[str, Any]]  # some images that could not be read or decoded: id, status, reason
    abandoned: list[dict[str, Any]]  # shards: shard, images, reason
    retried: int = 0

    def to_json(self) -> dict[str, Any]:
        """The document of `tintype status --json`."""
        return {
            "schema": 1,
            "collection": self.collection,
            "complete": self.is_complete,
            "scanned_by": self.scanned_by,
            "helpable": self.is_helpable,
            "shards": dict(self.shards),
            "images": self.images,
            "status": dict(self.status),
            "failures": self.failures,
            "abandoned": self.abandoned,
            "retried": self.retried,
        }


def collection_status(layout: Layout, *, retry: bool = False) -> CollectionStatus:
    """With `retry`, shards that were given up are made pending again first: a scan that is running takes them, and one
    that begins tries them anyway. Raises CollectionNotFound, CollectionDamaged, CollectionNotTrusted."""
    record = read_record(layout)
    has_ledger = layout.ledger.is_file()
    retried = 0
    if retry and has_ledger:
        require_trust(layout, record, "worked on")
        with contextlib.closing(SqliteLedger(layout.ledger)) as ledger:
            retried = ledger.retry()
    shards = look_at(layout.ledger) if has_ledger else {}
    store = LanceStore.open(layout.images)
    status: Counter[str] = Counter()
    for batch in store.batches(["status"]):
        status.update({entry["values"]: entry["counts"] for entry in batch["status"].value_counts().to_pylist()})
    return CollectionStatus(
        collection=str(layout.place),
        is_complete=not set(shards) - {"committed"},
        scanned_by=scanned_by(layout),
        is_helpable=bool(set(shards) & {"pending", "leased"}) and _tells_helpers(layout),
        shards=dict(sorted(shards.items())),
        images=status.total(),
        status=dict(sorted(status.items())),
        failures=_failures(store),
        abandoned=[
            {"shard": shard, "images": pa.ipc.open_stream(payload).read_all().num_rows, "reason": reason}
            for shard, payload, reason in (given_up_in(layout.ledger) if has_ledger else ())
        ],
        retried=retried,
    )


def scanned_by(layout: Layout) -> str | None:
    """Whoever holds the collection just now, in words; None for nobody."""
    lock = FileLock(layout.lock)
    return lock.holder() if layout.lock.exists() and not lock.is_free() else None


def _tells_helpers(layout: Layout) -> bool:
    with contextlib.suppress(TintypeError):
        return read_run(layout) is not None
    return False


def _failures(store: LanceStore) -> list[dict[str, Any]]:
    """The first by uri."""
    columns = ["uri", "status", "reason"]
    failed = Compare(Reference("status", pa.string()), "!=", "ok")
    rows = (row for batch in store.batches(columns, where=failed, order_by="uri") for row in batch.to_pylist())
    return [
        {"id": row["uri"], "status": row["status"], "reason": row["reason"]} for row in islice(rows, _MOST_FAILURES)
    ]
