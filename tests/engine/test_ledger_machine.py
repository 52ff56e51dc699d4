"""Whatever several owners do in whatever order, the SQLite ledger says what the plainest one says."""

import tempfile
from pathlib import Path

from hypothesis import settings
from ledger_machine import LedgerMachine

from tintype.engine.ledger.base import Ledger
from tintype.engine.ledger.sqlite import SqliteLedger


class SqliteMachine(LedgerMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.opened: list[SqliteLedger] = []

    def open(self) -> Ledger:
        self.opened.append(SqliteLedger(Path(self.folder.name, "ledger.sqlite"), self.clock))
        return self.opened[-1]

    def teardown(self) -> None:
        for ledger in self.opened:
            ledger.close()
        self.folder.cleanup()


TestSqliteMachine = SqliteMachine.TestCase
TestSqliteMachine.settings = settings(max_examples=60, stateful_step_count=40)
