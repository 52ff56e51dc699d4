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
        self._commit_rows(self._done("rows"))
        self._commit_updates(self._done("update"))

    def _done(self, kind: str) -> list[Done]:
        return [done for done in self._ledger.done(_SHARDS_AT_ONCE) if done.kind == kind]

    def _commit_rows(self, shards: Sequence[Done]) -> None:
        if not shards:
            return
        run = self._ledger.run
        written: list[Written] = []
        replaced: list[str] = []
        for done in shards:
            result = json.loads(done.result)
            written.append(Written(f"{run}:{done.shard}:{done.fence}", result["rows"], result["payload"]))
            replaced += uris_replaced(done.payload)
        self._store.commit(written, replaced)
        self._ledger.mark_committed(done.shard for done in shards)
        self._rows_in_table += sum(part.rows for part in written) - len(replaced)
        self._rows_waiting = 0
        self.changed = True

    def _commit_updates(self, shards: Sequence[Done]) -> None:
        by_fragment: dict[int, list[Done]] = {}
        for done in shards:
            by_fragment.setdefault(fragment_of(done.payload), []).append(done)
        for fragment, parts in by_fragment.items():
            files = [self._updates / json.loads(done.result)["file"] for done in parts]
            files = [file for file in files if file.is_file()]
            if files:
                schema = pa.ipc.open_file(pa.memory_map(str(files[0]))).schema
                self._store.update(fragment, _batches(files), schema)
            self._ledger.mark_committed(done.shard for done in parts)
            for file in files:
                file.unlink(missing_ok=True)
            self.changed = True


def _batches(files: Sequence[Path]) -> Iterator[Any]:
    for file in files:
        reader = pa.ipc.open_file(pa.memory_map(str(file)))
        for number in range(reader.num_record_batches):
            yield reader.get_batch(number)
