"""Finished shards into the table, in groups, each once."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from tintype.engine.ledger.base import Done, Ledger
from tintype.engine.planner import fragment_of, uris_replaced
from tintype.store.base import Store, Written

_FIRST_GROUP_ROWS = 4_096
_GROUP_SHARE = 0.05  # groups grow with the table: old manifests are rewritten with each commit
_SHARDS_AT_ONCE = 10_000


class Committer:
    """The only one who changes the table while workers are at work."""

    def __init__(self, store: Store, ledger: Ledger, updates: Path) -> None:
        self._store, self._ledger, self._updates = store, ledger, updates
        self._rows_in_table = store.count()
        self._rows_waiting = 0
        self._updates_left: Counter[int] = Counter()
        self.changed = False

    def expect_update(self, fragment: int) -> None:
        """One more shard of this fragment will come; its columns are rewritten once all have."""
        self._updates_left[fragment] += 1

    def add(self, kind: str, payload: bytes, rows: int) -> None:
        """A shard is done; commit if that fills a group."""
        if kind == "update":
            fragment = fragment_of(payload)
            self._updates_left[fragment] -= 1
            if not self._updates_left[fragment]:
                self._commit_updates([done for done in self._done("update") if fragment_of(done.payload) == fragment])
            return
        self._rows_waiting += rows
        if self._rows_waiting >= max(_FIRST_GROUP_ROWS, self._rows_in_table * _GROUP_SHARE):
            self._commit_rows(self._done("rows"))

    def commit_all(self) -> None:
        """Commit whatever is done, also what an earlier, interrupted run left."""
        while shards := self._done("rows"):
            self._commit_rows(shards)
        while shards := self._done("update"):
            self._commit_updates(shards)

    def _done(self, kind: str) -> list[Done]:
        return self._ledger.done(kind, _SHARDS_AT_ONCE)

    def _commit_rows(self, shards: Sequence[Done]) -> None:
        run = self._ledger.run
        written = [_written(run, done) for done in shards]
        # What a power cut took is planned anew by the next listing.
        whole = [part for part in written if self._store.is_whole(part)]
        self._store.commit(whole)
        self._ledger.mark_committed(done.shard for done in shards)
        self._rows_in_table += sum(part.rows - len(part.replaces) for part in whole)
        self._rows_waiting = 0
        self.changed = True

    def _commit_updates(self, shards: Sequence[Done]) -> None:
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
            self._ledger.mark_committed(done.shard for done in parts)
            for file in files:
                file.unlink(missing_ok=True)
            self.changed = True


def update_file(name: str) -> str:
    """The file that holds what came of an update, by run, shard and fence. Never taken from the ledger itself."""
    return f"{name.replace(':', '-')}.arrow"


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
