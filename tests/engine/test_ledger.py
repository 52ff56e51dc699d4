"""The SQLite ledger keeps the contract, also with several processes at once, and says when it is damaged."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tintype.core.errors import CollectionDamaged
from tintype.engine.ledger.base import Ledger
from tintype.engine.ledger.sqlite import SqliteLedger
from tintype.testing.ledger import Clock, LedgerContract


class TestSqliteLedger(LedgerContract):
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
