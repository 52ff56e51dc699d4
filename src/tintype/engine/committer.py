"""Finished shards into the table, in groups, each once."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from tintype.core.platform import sync_file
from tintype.engine.ledger.base import Done, Lease, Ledger
from tintype.engine.planner import fragment_of, uris_replaced
from tintype.store.base import Store, Written

_FIRST_GROUP_ROWS = 4_096
_GROUP_SHARE = 0.05  # groups grow with the table: old manifests are rewritten with each commit
_SHARDS_AT_ONCE = 10_000
_LOOK_EVERY_S = 1.0
_LOOK_SHARE = 0.01  # of the time

Count = Callable[[str, Mapping[str, Any]], None]
"""Is told of each shard that is done, by whomever, once: its kind and its result."""


class Committer:
    """The only one who changes the table while workers are at work, those of this process and those of its helpers."""

    def __init__(self, store: Store, ledger: Ledger, updates: Path, count: Count = lambda kind, result: None) -> None:
        self._store, self._ledger, self._updates, self._count = store, ledger, updates, count
        self._rows_in_table = store.count()
        self._rows_waiting = 0
        self._noted = bytearray()  # by shard: whether it was counted
        self._waiting = 0  # shards that were counted, and not committed
        self._updates_left: Counter[int] = Counter()
        self._updates_due: set[int] = set()  # fragments whose shards are all done
        self._look_at = 0.0
        self.changed = False

    def expect_update(self, fragment: int) -> None:
        """One more shard of this fragment will come; its columns are rewritten once all have."""
        self._updates_left[fragment] += 1

    def add(self, lease: Lease, result: Mapping[str, Any]) -> None:
        """A shard is done; commit if that fills a group."""
        self._note(lease.shard, lease.kind, lease.payload, result)
        self._commit_what_is_due()

    def look(self) -> None:
        """The same for those that others have done, now and then."""
        begin = time.monotonic()
        if begin < self._look_at:
            return
        if self._ledger.counts().get("done", 0) > self._waiting:
            for kind in ("rows", "update"):
                self._note_all(self._done(kind))
            self._commit_what_is_due()
        end = time.monotonic()
        self._look_at = end + max(_LOOK_EVERY_S, (end - begin) / _LOOK_SHARE)

    def commit_all(self) -> None:
        """Commit whatever is done, also what an earlier, interrupted run left."""
        while shards := self._done("rows"):
            self._commit_rows(shards)
        while shards := self._done("update"):
            self._commit_updates(shards)

    def _done(self, kind: str) -> list[Done]:
        return self._ledger.done(kind, _SHARDS_AT_ONCE)

    def _note_all(self, shards: Sequence[Done]) -> None:
        for done in shards:
            if not self._is_noted(done.shard):
                self._note(done.shard, done.kind, done.payload, json.loads(done.result))

    def _note(self, shard: int, kind: str, payload: bytes, result: Mapping[str, Any]) -> None:
        if self._is_noted(shard):  # it was there already when others were committed
            return
        self._noted.extend(bytes(max(0, shard + 1 - len(self._noted))))
        self._noted[shard] = True
        self._waiting += 1
        self._count(kind, result)
        if kind == "rows":
            self._rows_waiting += result["rows"]
            return
        fragment = fragment_of(payload)
        self._updates_left[fragment] -= 1
        if not self._updates_left[fragment]:
            self._updates_due.add(fragment)

    def _is_noted(self, shard: int) -> bool:
        return shard < len(self._noted) and bool(self._noted[shard])

    def _commit_what_is_due(self) -> None:
        if self._rows_waiting >= max(_FIRST_GROUP_ROWS, self._rows_in_table * _GROUP_SHARE):
            self._commit_rows(self._done("rows"))
        if self._updates_due:
            self._commit_updates([one for one in self._done("update") if fragment_of(one.payload) in self._updates_due])
            self._updates_due.clear()

    def _commit_rows(self, shards: Sequence[Done]) -> None:
        self._note_all(shards)
        run = self._ledger.run
        written = [_written(run, done) for done in shards]
        # What a power cut took is planned anew by the next listing.
        whole = [part for part in written if self._store.is_whole(part)]
        self._store.commit(whole)
        self._mark_committed(shards)
        self._rows_in_table += sum(part.rows - len(part.replaces) for part in whole)
        self._rows_waiting -= sum(part.rows for part in written)

    def _commit_updates(self, shards: Sequence[Done]) -> None:
        self._note_all(shards)
        run = self._ledger.run
        by_fragment: dict[int, list[Done]] = {}
        for done in shards:
            by_fragment.setdefault(fragment_of(done.payload), []).append(done)
        for fragment, parts in by_fragment.items():
            files = [self._updates / update_file(f"{run}:{done.shard}:{done.fence}") for done in parts]
            readable = [file for file in files if _is_readable(file)]
            if readable:
                schema = pa.ipc.open_file(pa.memory_map(str(readable[0]))).schema
                self._store.update(fragment, _batches(readable), schema)
            self._mark_committed(parts)
            for file in files:
                file.unlink(missing_ok=True)

    def _mark_committed(self, shards: Sequence[Done]) -> None:
        self._ledger.mark_committed(done.shard for done in shards)
        self._waiting -= len(shards)
        self.changed = True


def update_file(name: str) -> str:
    """The file that holds what came of an update, by run, shard and fence. Never taken from the ledger itself."""
    return f"{name.replace(':', '-')}.arrow"


def write_update(updates: Path, name: str, rows: pa.Table) -> None:
    """New values of rows by `_rowid`, as the result of the task of that name; on the disk when this returns."""
    place = updates / update_file(name)
    with pa.OSFile(str(place), "wb") as sink, pa.ipc.new_file(sink, rows.schema) as file:
        file.write_table(rows)
    sync_file(place)


def _written(run: str, done: Done) -> Written:
    result = json.loads(done.result)
    name = f"{run}:{done.shard}:{done.fence}"
    return Written(name, result["rows"], result["payload"], tuple(uris_replaced(done.payload)))


def _is_readable(file: Path) -> bool:
    """False for what a power cut left; its rows are still stale and are planned anew."""
    try:
        pa.ipc.open_file(pa.memory_map(str(file)))
    except (OSError, pa.ArrowInvalid):
        return False
    return True


def _batches(files: Sequence[Path]) -> Iterator[Any]:
    for file in files:
        reader = pa.ipc.open_file(pa.memory_map(str(file)))
        for number in range(reader.num_record_batches):
            yield reader.get_batch(number)
