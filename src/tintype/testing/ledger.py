"""The contract of a ledger: leases, fences and states."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tintype.engine.ledger.base import Ledger


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class LedgerContract:
    """Subclass it with a fixture `make_ledger`: opens the same ledger anew with the given clock, as a process would."""

    @pytest.fixture
    def make_ledger(self) -> Callable[[Clock], Ledger]:
        raise NotImplementedError("the subclass opens the ledger")

    @pytest.fixture
    def clock(self) -> Clock:
        return Clock()

    @pytest.fixture
    def ledger(self, make_ledger: Callable[[Clock], Ledger], clock: Clock) -> Ledger:
        ledger = make_ledger(clock)
        ledger.begin()
        return ledger

    def test_every_shard_is_leased_once(self, ledger: Ledger) -> None:
        ledger.add("rows", [b"a", b"b"])
        leases = [ledger.lease("w", 60) for _ in range(3)]
        assert [lease and lease.payload for lease in leases] == [b"a", b"b", None]

    def test_a_lease_that_ran_out_is_given_to_another_with_a_higher_fence(self, ledger: Ledger, clock: Clock) -> None:
        ledger.add("rows", [b"a"])
        first = ledger.lease("one", 60)
        assert first is not None
        assert ledger.lease("two", 60) is None
        clock.now += 61
        second = ledger.lease("two", 60)
        assert second is not None
        assert second.fence > first.fence

    def test_a_result_with_an_old_fence_changes_nothing(self, ledger: Ledger, clock: Clock) -> None:
        ledger.add("rows", [b"a"])
        first = ledger.lease("one", 60)
        clock.now += 61
        second = ledger.lease("two", 60)
        assert first is not None
        assert second is not None
        assert not ledger.finish(first, b"late")
        assert not ledger.fail(first, "late", 3)
        assert not ledger.renew(first, 60)
        assert not ledger.give_back(first)
        assert ledger.finish(second, b"in time")
        assert [done.result for done in ledger.done("rows", 10)] == [b"in time"]

    def test_a_heartbeat_keeps_a_lease(self, ledger: Ledger, clock: Clock) -> None:
        ledger.add("rows", [b"a"])
        lease = ledger.lease("one", 60)
        assert lease is not None
        for _ in range(5):
            clock.now += 50
            assert ledger.renew(lease, 60)
        assert ledger.lease("two", 60) is None

    def test_a_result_is_taken_once(self, ledger: Ledger) -> None:
        ledger.add("rows", [b"a"])
        lease = ledger.lease("one", 60)
        assert lease is not None
        assert ledger.finish(lease, b"first")
        assert not ledger.finish(lease, b"second")
        assert [done.result for done in ledger.done("rows", 10)] == [b"first"]

    def test_a_shard_is_abandoned_after_its_last_attempt_with_its_reason(self, ledger: Ledger) -> None:
        ledger.add("rows", [b"a"])
        for attempt in range(3):
            lease = ledger.lease("one", 60)
            assert lease is not None
            assert lease.attempts == attempt
            ledger.fail(lease, f"failure {attempt}", 3)
        assert ledger.lease("one", 60) is None
        assert ledger.abandoned() == [(1, b"a", "failure 2")]

    def test_giving_back_counts_as_no_attempt(self, ledger: Ledger) -> None:
        ledger.add("rows", [b"a"])
        for _ in range(5):
            lease = ledger.lease("one", 60)
            assert lease is not None
            assert lease.attempts == 0
            assert ledger.give_back(lease)

    def test_committed_shards_are_not_done_any_more(self, ledger: Ledger) -> None:
        ledger.add("rows", [b"a", b"b"])
        for _ in range(2):
            lease = ledger.lease("one", 60)
            assert lease is not None
            ledger.finish(lease, b"r" + lease.payload)
        first, second = ledger.done("rows", 10)
        ledger.mark_committed([first.shard])
        assert ledger.done("rows", 10) == [second]
        assert ledger.counts() == {"committed": 1, "done": 1}

    def test_what_waits_is_told_apart_by_kind(self, ledger: Ledger) -> None:
        ledger.add("rows", [b"a", b"b"])
        ledger.add("update", [b"c"])
        while (lease := ledger.lease("one", 60)) is not None:
            ledger.finish(lease, b"")
        assert [done.payload for done in ledger.done("rows", 1)] == [b"a"]
        assert [done.payload for done in ledger.done("update", 10)] == [b"c"]

    def test_another_process_sees_the_same(
        self, ledger: Ledger, make_ledger: Callable[[Clock], Ledger], clock: Clock
    ) -> None:
        ledger.add("rows", [b"a"])
        other = make_ledger(clock)
        assert other.run == ledger.run
        lease = other.lease("two", 60)
        assert lease is not None
        assert ledger.lease("one", 60) is None
        assert ledger.finish(lease, b"done elsewhere")
        assert other.done("rows", 10)[0].payload == b"a"

    def test_a_new_run_has_a_new_name_and_no_shards(self, ledger: Ledger) -> None:
        ledger.add("rows", [b"a"])
        before = ledger.run
        assert ledger.begin() != before
        assert ledger.counts() == {}
