"""The ledgers in SQLite and in memory keep the contract; SQLite's also with several processes at once, and says when
it is damaged."""

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tintype.core.errors import CollectionDamaged
from tintype.engine.ledger import sqlite as sqlite_ledger
from tintype.engine.ledger.base import Ledger
from tintype.engine.ledger.sqlite import SqliteLedger
from tintype.testing.ledger import Clock, OrderedLedgerContract
from tintype.testing.memory_ledger import Memory, MemoryLedger


class TestMemoryLedger(OrderedLedgerContract):
    @pytest.fixture
    def make_ledger(self) -> Callable[[Clock], Ledger]:
        memory = Memory()
        return lambda clock: MemoryLedger(memory, clock)


class TestSqliteLedger(OrderedLedgerContract):
    @pytest.fixture
    def make_ledger(self, tmp_path: Path) -> Callable[[Clock], Ledger]:
        return lambda clock: SqliteLedger(tmp_path / "ledger.sqlite", clock)


DRAIN = """
import sys
from pathlib import Path
from tintype.engine.ledger.sqlite import SqliteLedger
ledger = SqliteLedger(Path(sys.argv[1]))
while (lease := ledger.lease(sys.argv[2], 60)) is not None:
    assert ledger.finish(lease, sys.argv[2].encode())
    print(lease.shard)
"""


def test_processes_share_the_shards_without_doubling_one(tmp_path: Path) -> None:
    place = tmp_path / "ledger.sqlite"
    ledger = SqliteLedger(place)
    ledger.begin()
    ledger.add("rows", (b"x" for _ in range(400)))
    workers = [
        subprocess.Popen([sys.executable, "-c", DRAIN, place, f"w{n}"], stdout=subprocess.PIPE, text=True)
        for n in range(4)
    ]
    taken = [int(line) for worker in workers for line in worker.communicate()[0].split()]
    assert [worker.returncode for worker in workers] == [0] * 4
    assert sorted(taken) == list(range(1, 401))


@pytest.mark.parametrize(
    "content", [b"this is no ledger at all, it is text" * 50, b"SQLite format 3\0" + b"\xff" * 4096]
)
def test_a_damaged_ledger_says_what_to_delete(tmp_path: Path, content: bytes) -> None:
    place = tmp_path / "ledger.sqlite"
    place.write_bytes(content)
    with pytest.raises(CollectionDamaged, match="delete it"):
        SqliteLedger(place).begin()


FIRST_LAYOUT = """
CREATE TABLE run (name TEXT NOT NULL);
CREATE TABLE shards (
    shard INTEGER PRIMARY KEY, kind TEXT NOT NULL, payload BLOB NOT NULL, state TEXT NOT NULL DEFAULT 'pending',
    fence INTEGER NOT NULL DEFAULT 0, owner TEXT, deadline REAL, attempts INTEGER NOT NULL DEFAULT 0, reason TEXT,
    result BLOB
);
CREATE INDEX shards_by_state ON shards (state, shard);
INSERT INTO run VALUES ('before');
INSERT INTO shards VALUES (1, 'rows', x'', 'committed', 1, NULL, NULL, 0, NULL, NULL);
INSERT INTO shards VALUES (2, 'rows', x'0a', 'done', 3, NULL, NULL, 1, 'slow', x'0b');
INSERT INTO shards VALUES (3, 'rows', x'0c', 'pending', 0, NULL, NULL, 0, NULL, NULL);
"""


def test_what_the_first_layout_held_is_kept(tmp_path: Path) -> None:
    place = tmp_path / "ledger.sqlite"
    sqlite3.connect(place).executescript(FIRST_LAYOUT)
    for _ in range(2):
        ledger = SqliteLedger(place)
        assert ledger.run == "before"
        assert ledger.counts() == {"committed": 1, "done": 1, "pending": 1}
        assert [(one.shard, one.fence, one.payload, one.result) for one in ledger.done("rows", 9)] == [
            (2, 3, b"\n", b"\v")
        ]
        ledger.close()
    lease = SqliteLedger(place).lease("one", 60)
    assert lease is not None
    assert (lease.shard, lease.payload) == (3, b"\f")


@pytest.mark.parametrize("name", ["_NEXT_PENDING", "_NEXT_LOST"])
def test_the_next_shard_is_found_by_an_index(tmp_path: Path, name: str) -> None:
    SqliteLedger(tmp_path / "ledger.sqlite").close()
    statement = getattr(sqlite_ledger, name)
    plan = sqlite3.connect(tmp_path / "ledger.sqlite").execute(
        f"EXPLAIN QUERY PLAN {statement}", (1,) * statement.count("?")
    )
    steps = [row[3] for row in plan]
    assert steps
    assert all(step.startswith("SEARCH") for step in steps), steps


def test_the_log_stays_small_with_several_writers(tmp_path: Path) -> None:
    place = tmp_path / "ledger.sqlite"
    ledger = SqliteLedger(place)
    ledger.begin()
    ledger.add("rows", (bytes(500) for _ in range(8_000)))
    workers = [subprocess.Popen([sys.executable, "-c", DRAIN, place, f"w{n}"], stdout=subprocess.DEVNULL) for n in "ab"]
    assert [worker.wait() for worker in workers] == [0, 0]
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 40_000_000
