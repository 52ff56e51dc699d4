"""Whoever helps with one run gets no shard of another, and learns that his own were given to others."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tintype.engine.ledger.joined import JoinedLedger
from tintype.engine.ledger.sqlite import SqliteLedger

Pair = tuple[SqliteLedger, JoinedLedger]


@pytest.fixture
def ledgers(tmp_path: Path) -> Iterator[Pair]:
    """Of the scanning process, with two shards, and of a helper of its run."""
    with closing(SqliteLedger(tmp_path / "ledger.sqlite")) as scanning:
        run = scanning.begin()
        scanning.add("rows", [b"one", b"two"])
        with closing(JoinedLedger(tmp_path / "ledger.sqlite", run)) as helping:
            yield scanning, helping


def test_shards_of_the_same_run_are_worked_on_as_ever(ledgers: Pair) -> None:
    scanning, helping = ledgers
    first, second = helping.lease("helper", 60), helping.lease("helper", 60)
    assert first is not None
    assert second is not None
    assert helping.finish(first, b"{}")
    assert not helping.is_over()
    assert helping.give_back(second)
    assert scanning.counts() == {"done": 1, "pending": 1}
    assert not helping.has_lost
    assert not helping.is_superseded


def test_no_shard_of_another_run_is_given_out(ledgers: Pair) -> None:
    scanning, helping = ledgers
    scanning.begin()
    scanning.add("rows", [b"other"])
    assert helping.lease("helper", 60) is None
    assert scanning.counts() == {"pending": 1}
    assert (helping.is_over(), helping.is_superseded, helping.has_lost) == (True, True, False)
    lease = scanning.lease("scanner", 60)
    assert lease is not None
    assert lease.payload == b"other"


def test_what_was_leased_before_another_run_began_changes_nothing_in_it(ledgers: Pair) -> None:
    scanning, helping = ledgers
    before = helping.lease("helper", 60)
    assert before is not None
    scanning.begin()
    scanning.add("rows", [b"other", b"others"])
    now = scanning.lease("scanner", 60)
    assert now is not None
    assert now.shard == before.shard
    assert not helping.finish(before, b"{}")
    assert not helping.give_back(before)
    assert helping.has_lost
    assert scanning.counts() == {"leased": 1, "pending": 1}
    assert scanning.renew(now, 60)
