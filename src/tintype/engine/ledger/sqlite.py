"""The ledger of one machine, in SQLite."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from tintype.core.errors import CollectionDamaged, StorageFull
from tintype.core.platform import free_bytes, lock_waiting
from tintype.engine.ledger.base import Done, Lease

_NO_SPACE_BYTES = 100_000  # with less than this left, SQLite calls a full disk an I/O error now and then

_ADDED_AT_ONCE = 1_000  # shards, or
_ADDED_BYTES = 4_000_000  # of payload, whichever comes first: how long others wait, and how long the log gets
_LOG_PAGES = 4_000  # 16 MB; moving them into the file waits for the disk

# Payloads lie apart: SQLite writes a row as a whole, and a shard's row changes three times.
_SCHEMA = """
CREATE TABLE run (name TEXT NOT NULL, base INTEGER NOT NULL);
CREATE TABLE shards (
    shard INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'pending',
    fence INTEGER NOT NULL DEFAULT 0,
    owner TEXT,
    deadline REAL,
    attempts INTEGER NOT NULL DEFAULT 0,
    reason TEXT,
    result BLOB
);
CREATE TABLE payloads (shard INTEGER PRIMARY KEY, payload BLOB NOT NULL);
CREATE INDEX shards_by_state ON shards (state, shard);
PRAGMA user_version = 2;
"""
_LAYOUT = 2
# The first layout had the payload in the shard's own row. What was finished there still waits for its commit.
_OLD_COLUMNS = "shard, kind, state, fence, owner, deadline, attempts, reason, result"
_PUT_ASIDE = """
ALTER TABLE run RENAME TO old_run;
ALTER TABLE shards RENAME TO old;
DROP INDEX shards_by_state;
"""
_FROM_OLD = f"""
INSERT INTO shards ({_OLD_COLUMNS}) SELECT {_OLD_COLUMNS} FROM old;
INSERT INTO payloads SELECT shard, payload FROM old WHERE state != 'committed';
INSERT INTO run SELECT name, 0 FROM old_run;
DROP TABLE old;
DROP TABLE old_run;
"""  # noqa: S608  fixed texts of this file

_NEXT = "SELECT shard, fence, kind, attempts, payload FROM shards JOIN payloads USING (shard) WHERE "
_NEXT_PENDING = _NEXT + "state = 'pending' ORDER BY shard LIMIT 1"
_NEXT_LOST = (
    _NEXT + "state = 'leased' AND deadline < ? ORDER BY shard LIMIT 1"
)  # as many are leased as there are workers


_GIVEN_UP = (
    "SELECT shard, payload, reason FROM shards JOIN payloads USING (shard) WHERE state = 'abandoned' ORDER BY shard"
)


def look_at(place: Path) -> dict[str, int]:
    """Shards by state, read without changing the file. Raises CollectionDamaged."""
    with _read_only(place) as connection:
        faults = connection.execute("PRAGMA quick_check").fetchall()
        if faults != [("ok",)]:
            raise sqlite3.DatabaseError(str(faults[0][0]))
        return dict(connection.execute("SELECT state, count(*) FROM shards GROUP BY state"))


def given_up_in(place: Path) -> list[tuple[int, bytes, str]]:
    """What `abandoned` of the ledger gives, read without changing the file. Raises CollectionDamaged."""
    with _read_only(place) as connection:
        return connection.execute(_GIVEN_UP).fetchall()


@contextlib.contextmanager
def _read_only(place: Path) -> Iterator[sqlite3.Connection]:
    with _errors_are_said(place):
        # A ledger on a medium that cannot be written to has no journal beside it that could change what it says.
        how = "mode=ro" if os.access(place.parent, os.W_OK) else "immutable=1"
        with contextlib.closing(sqlite3.connect(f"{place.absolute().as_uri()}?{how}", uri=True)) as connection:
            yield connection


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
    """Raises CollectionDamaged where the file is not a ledger, StorageFull where the disk is full.

    Writers queue at the system's lock on the ledger's folder. SQLite's own waiting is sleep and try again, which with
    many processes is slow and unfair, and leaves its log no quiet moment in which to begin anew.
    """

    def __init__(self, place: Path, clock: Callable[[], float] = time.time) -> None:
        self._place = place
        self._clock = clock
        with _errors_are_said(self._place):
            self._connection = sqlite3.connect(place, timeout=60, isolation_level=None)
            with self._turn():
                self._connection.execute("PRAGMA journal_mode=WAL")
                # A power cut may lose the last results: their shards are worked on again.
                self._connection.execute("PRAGMA synchronous=NORMAL")
                self._connection.execute(f"PRAGMA wal_autocheckpoint={_LOG_PAGES}")
                self._connection.execute(f"PRAGMA journal_size_limit={2 * _LOG_PAGES * 4_096}")
                self._lay_out()

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
            # A lease of an earlier run must never look like one of this run: its fences are all smaller.
            (base,) = connection.execute(
                "SELECT max(coalesce((SELECT max(fence) FROM shards), 0), coalesce((SELECT max(base) FROM run), 0))"
            ).fetchone()
            for table in ("shards", "payloads", "run"):
                connection.execute(f"DELETE FROM {table}")  # noqa: S608  one of three fixed names
            connection.execute("INSERT INTO run VALUES (?, ?)", (name, base))
        return name

    def join(self, run: str) -> bool:
        with self._transaction() as connection:
            row = connection.execute("SELECT name FROM run").fetchone()
            if row is None:
                connection.execute("INSERT INTO run VALUES (?, 0)", (run,))
        return row is None or row[0] == run

    def add(self, kind: str, payloads: Iterable[bytes], onto: int | None = None) -> bool:
        waiting: list[bytes] = []
        size = 0
        for payload in payloads:  # whoever makes them takes his time, so no lock is held meanwhile
            waiting.append(payload)
            size += len(payload)
            if len(waiting) == _ADDED_AT_ONCE or size > _ADDED_BYTES:
                if not self._add(kind, waiting, onto):
                    return False
                onto = None if onto is None else onto + len(waiting)
                waiting, size = [], 0
        return not waiting or self._add(kind, waiting, onto)

    def _add(self, kind: str, payloads: Sequence[bytes], onto: int | None) -> bool:
        with self._transaction() as connection:
            (last,) = connection.execute("SELECT coalesce(max(shard), 0) FROM shards").fetchone()
            if onto not in (None, last):  # none is ever removed, so the last number is how many there are
                return False
            numbers = range(last + 1, last + 1 + len(payloads))
            (base,) = connection.execute("SELECT coalesce(max(base), 0) FROM run").fetchone()
            connection.executemany(
                "INSERT INTO shards (shard, kind, fence) VALUES (?, ?, ?)", ((n, kind, base) for n in numbers)
            )
            connection.executemany("INSERT INTO payloads VALUES (?, ?)", zip(numbers, payloads, strict=True))
        return True

    def lease(self, owner: str, seconds: float) -> Lease | None:
        now = self._clock()
        with self._transaction() as connection:
            row = connection.execute(_NEXT_PENDING).fetchone() or connection.execute(_NEXT_LOST, (now,)).fetchone()
            if row is None:
                return None
            shard, fence, kind, attempts, payload = row
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
                "SELECT shard, fence, kind, payload, result FROM shards JOIN payloads USING (shard) "
                "WHERE state = 'done' AND kind = ? ORDER BY shard LIMIT ?",
                (kind, limit),
            ).fetchall()
        return [Done(*row) for row in rows]

    def mark_committed(self, shards: Iterable[int]) -> None:
        numbers = [(shard,) for shard in shards]
        with self._transaction() as connection:
            # What was worked on and how is in the table now; only the state is still of use.
            connection.executemany("UPDATE shards SET state = 'committed', result = NULL WHERE shard = ?", numbers)
            connection.executemany("DELETE FROM payloads WHERE shard = ?", numbers)

    def counts(self) -> Mapping[str, int]:
        with _errors_are_said(self._place):
            return dict(self._connection.execute("SELECT state, count(*) FROM shards GROUP BY state"))

    def is_over(self) -> bool:
        with _errors_are_said(self._place):
            left = "SELECT 1 FROM shards WHERE state IN ('pending', 'leased') LIMIT 1"
            return self._connection.execute(left).fetchone() is None

    def abandoned(self) -> list[tuple[int, bytes, str]]:
        with _errors_are_said(self._place):
            return self._connection.execute(_GIVEN_UP).fetchall()

    def retry(self) -> int:
        with self._transaction() as connection:
            return connection.execute(
                "UPDATE shards SET state = 'pending', attempts = 0, reason = NULL WHERE state = 'abandoned'"
            ).rowcount

    def _change(self, lease: Lease, assignments: str, values: tuple[object, ...]) -> bool:
        with self._transaction() as connection:
            changed = connection.execute(
                f"UPDATE shards SET {assignments} WHERE shard = ? AND fence = ? AND state = 'leased'",  # noqa: S608  fixed texts of this file
                (*values, lease.shard, lease.fence),
            )
            return changed.rowcount == 1

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with _errors_are_said(self._place), self._turn():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """One's turn to write."""
        handle = os.open(self._place.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            lock_waiting(handle)
            yield
        finally:
            os.close(handle)

    def _lay_out(self) -> None:
        """Make the tables where they are missing or of the first layout."""
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version >= _LAYOUT:
            return
        known = self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'shards'").fetchone()
        before, after = (_PUT_ASIDE, _FROM_OLD) if known else ("", "")
        self._connection.executescript(f"BEGIN IMMEDIATE;{before}{_SCHEMA}{after}COMMIT;")
