"""The one who commits counts and takes in each shard once, whoever did it and in whatever order he learns of it."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tintype.engine import committer
from tintype.engine.committer import Committer
from tintype.engine.ledger.base import Lease
from tintype.sources.base import Entry
from tintype.store.memory import MemoryStore
from tintype.testing.memory_ledger import Memory, MemoryLedger

SCHEMA = pa.schema([("uri", pa.string()), ("_shard", pa.string())])


class Run:
    """A run of some shards of two rows each, of which this process and others do some."""

    def __init__(self, shards: int) -> None:
        self.store = MemoryStore(SCHEMA)
        self.ledger = MemoryLedger(Memory())
        self.run = self.ledger.begin()
        self.ledger.add("rows", [payload(shard) for shard in range(1, shards + 1)])
        self.counted: Counter[str] = Counter()
        self.committer = Committer(self.store, self.ledger, Path(), self.count)

    def count(self, kind: str, result: Mapping[str, Any]) -> None:
        self.counted[f"{kind} {result['payload']}"] += 1

    def done(self) -> tuple[Lease, dict[str, Any]]:
        """The next shard, done by somebody."""
        lease = self.ledger.lease("somebody", 60)
        assert lease is not None
        name = f"{self.run}:{lease.shard}:{lease.fence}"
        uris = [f"{lease.shard}-{number}" for number in range(2)]
        written = self.store.writer().write(name, pa.table({"uri": uris, "_shard": [name] * 2}))
        result = {"rows": 2, "payload": written.payload}
        assert self.ledger.finish(lease, json.dumps(result).encode())
        return lease, result


def payload(shard: int) -> bytes:
    names = [*Entry._fields, "replaces"]
    rows = pa.table([[f"{shard}-{number}" for number in range(2)], *([[0] * 2] * 5), [False] * 2], names=names)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema) as stream:
        stream.write_table(rows)
    return sink.getvalue().to_pybytes()


@pytest.fixture(autouse=True)
def _small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committer, "_FIRST_GROUP_ROWS", 6)
    monkeypatch.setattr(committer, "_GROUP_SHARE", 0.0)
    monkeypatch.setattr(committer, "_LOOK_EVERY_S", 0.0)
    monkeypatch.setattr(committer, "_LOOK_SHARE", 1e9)


@given(st.lists(st.sampled_from(["own", "others", "look", "tell"]), max_size=30))
@settings(max_examples=60, deadline=None)
def test_each_shard_is_counted_once_and_in_the_table_once(steps: list[str]) -> None:
    """Own shards are told of some time after the ledger has them, as the executor does; others' are found."""
    run = Run(len(steps))
    untold: list[tuple[Lease, dict[str, Any]]] = []
    done = 0
    for step in steps:
        if step == "look":
            run.committer.look()
        elif step == "tell":
            while untold:
                run.committer.add(*untold.pop(0))
        else:
            found = run.done()
            done += 1
            if step == "own":
                untold.append(found)
    while untold:
        run.committer.add(*untold.pop(0))
    run.committer.commit_all()
    assert len(run.counted) == done
    assert set(run.counted.values()) <= {1}
    shards = Counter(row["_shard"] for _, row in run.store._rows)
    assert set(shards.values()) <= {2}
    assert len(shards) == done
    assert run.ledger.counts().get("committed", 0) == done


def test_what_others_have_done_is_committed_in_groups_while_they_go_on() -> None:
    run = Run(8)
    waiting = []
    for _ in range(8):
        run.done()
        run.committer.look()
        waiting.append(run.ledger.counts().get("done", 0))
    assert waiting == [1, 2, 0, 1, 2, 0, 1, 2]
    assert run.store.count() == 12


def test_the_ledger_is_asked_now_and_then_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(committer, "_LOOK_EVERY_S", 60.0)
    run = Run(3)
    run.committer.look()
    for _ in range(3):
        run.done()
        run.committer.look()
    assert run.ledger.counts() == {"done": 3}
