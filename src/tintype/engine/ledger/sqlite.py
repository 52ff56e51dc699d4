"""The ledger of one machine, in SQLite."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from tintype.core.errors import CollectionDamaged, StorageFull
from tintype.core.platform import free_bytes
from tintype.engine.ledger.base import Done, Lease

_NO_SPACE_BYTES = 100_000  # with less than this left, SQLite calls a full disk an I/O error now and then

_SCHEMA = """
CREATE TABLE IF NOT EXISTS run (name TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS shards (
    shard INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    payload BLOB NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending',
    fence INTEGER NOT NULL DEFAULT 0,
    owner TEXT,
    deadline REAL,
    attempts INTEGER NOT NULL DEFAULT 0,
    reason TEXT,
    result BLOB
);
CREATE INDEX IF NOT EXISTS shards_by_state ON shards (state, shard);
"""


def look_at(place: Path) -> dict[str, int]:
    """Shards by state, read without changing the file. Raises CollectionDamaged."""
    with _errors_are_said(place):
        # A ledger on a medium that cannot be written to has no journal beside it that could change what it says.
        how = "mode=ro" if os.access(place.parent, os.W_OK) else "immutable=1"
        connection = sqlite3.connect(f"{place.absolute().as_uri()}?{how}", uri=True)
        try:
            faults = connection.execute("PRAGMA quick_check").fetchall()
            if faults != [("ok",)]:
                raise sqlite3.DatabaseError(str(faults[0][0]))
            return dict(connection.execute("SELECT state, count(*) FROM shards GROUP BY state"))
        finally:
            connection.close()


@contextlib.contextmanager
def _errors_are_said(place: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        if "full" in str(error) or ("I/O" in str(error) and free_bytes(place.parent) < _NO_SPACE_BYTES):
            raise StorageFull(str(place)) from error
        raise CollectionDamaged(
            str(place),
            f"the ledger cannot be used ({error})",
            "It only holds unfinished work: delete it (ledger.sqlite and its -wal and -shm) and scan again",
        ) from error


class SqliteLedger:
    """Raises CollectionDamaged where the file is not a ledger, StorageFull where the disk is full."""

    def __init__(self, place: Path, clock: Callable[[], float] = time.time) -> None:
        self._place = place
        self._clock = clock
        with _errors_are_said(self._place):
            self._connection = sqlite3.connect(place, timeout=60, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode=WAL")
            # A power cut may lose the last results: their shards are worked on again.
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        self._connection.close()

    @property
    def run(self) -> str:
        with _errors_are_said(self._place):
            row = self._connection.execute("SELECT name FROM run").fetchone()
        return str(row[0]) if row else self.begin()

    def begin(self) -> str:
        name = uuid.uuid4().hex[:12]
        with self._transaction() as connection:
            connection.execute("DELETE FROM shards")
            connection.execute("DELETE FROM run")
            connection.execute("INSERT INTO run VALUES (?)", (name,))
        return name

    def add(self, kind: str, payloads: Iterable[bytes]) -> None:
        with self._transaction() as connection:
            connection.executemany(
                "INSERT INTO shards (kind, payload) VALUES (?, ?)", ((kind, payload) for payload in payloads)
            )

    def lease(self, owner: str, seconds: float) -> Lease | None:
        now = self._clock()
        with self._transaction() as connection:
            row = connection.execute(
                "SELECT shard, fence, kind, payload, attempts FROM shards WHERE state = 'pending' "
                "ORDER BY shard LIMIT 1"
            ).fetchone()
            row = (
                row
                or connection.execute(
                    "SELECT shard, fence, kind, payload, attempts FROM shards WHERE state = 'leased' AND deadline < ? "
                    "ORDER BY shard LIMIT 1",
                    (now,),
                ).fetchone()
            )
            if row is None:
                return None
            shard, fence, kind, payload, attempts = row
            connection.execute(
                "UPDATE shards SET state = 'leased', fence = ?, owner = ?, deadline = ? WHERE shard = ?",
                (fence + 1, owner, now + seconds, shard),
            )
        return Lease(shard, fence + 1, kind, payload, attempts)

    def renew(self, lease: Lease, seconds: float) -> bool:
        return self._change(lease, "deadline = ?", (self._clock() + seconds,))

    def finish(self, lease: Lease, result: bytes) -> bool:
        return self._change(lease, "state = 'done', owner = NULL, deadline = NULL, result = ?", (result,))

    def fail(self, lease: Lease, reason: str, max_attempts: int) -> bool:
        return self._change(
            lease,
            "state = CASE WHEN attempts + 1 >= ? THEN 'abandoned' ELSE 'pending' END, "
            "owner = NULL, deadline = NULL, attempts = attempts + 1, reason = ?",
            (max_attempts, reason),
        )

    def give_back(self, lease: Lease) -> bool:
        return self._change(lease, "state = 'pending', owner = NULL, deadline = NULL", ())

    def done(self, kind: str, limit: int) -> list[Done]:
        with _errors_are_said(self._place):
            rows = self._connection.execute(
                "SELECT shard, fence, kind, payload, result FROM shards WHERE state = 'done' AND kind = ? "
                "ORDER BY shard LIMIT ?",
                (kind, limit),
            ).fetchall()
        return [Done(*row) for row in rows]

    def mark_committed(self, shards: Iterable[int]) -> None:
        with self._transaction() as connection:
            # What was worked on and how is in the table now; only the state is still of use.
            connection.executemany(
                "UPDATE shards SET state = 'committed', payload = x'', result = NULL WHERE shard = ?",
                ((shard,) for shard in shards),
            )

    def counts(self) -> Mapping[str, int]:
        with _errors_are_said(self._place):
            return dict(self._connection.execute("SELECT state, count(*) FROM shards GROUP BY state"))

    def abandoned(self) -> list[tuple[int, bytes, str]]:
        with _errors_are_said(self._place):
            return self._connection.execute(
                "SELECT shard, payload, reason FROM shards WHERE state = 'abandoned' ORDER BY shard"
            ).fetchall()

    def _change(self, lease: Lease, assignments: str, values: tuple[object, ...]) -> bool:
        with self._transaction() as connection:
            changed = connection.execute(
                f"UPDATE shards SET {assignments} WHERE shard = ? AND fence = ? AND state = 'leased'",  # noqa: S608  fixed texts of this file
                (*values, lease.shard, lease.fence),
            )
            return changed.rowcount == 1

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with _errors_are_said(self._place):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
