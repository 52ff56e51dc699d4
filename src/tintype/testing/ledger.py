"""The contract of a ledger: leases, fences and states."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from tintype.engine.ledger.base import Lease, Ledger


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


class RealClock(Clock):
    """The system's clock, for a ledger whose leases somebody else watches over."""

    def __call__(self) -> float:
        return time.time()

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)


class LedgerContract:
    """Subclass it with a fixture `make_ledger`: opens the same ledger anew with the given clock, as a process would.

    A ledger whose leases run by the system's clock has a fixture `clock` of a RealClock, and short leases.
    """

    lease_s: float = 60
    many = 230  # shards where the number matters

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
        leases = [ledger.lease("w", self.lease_s) for _ in range(3)]
        payloads = [lease.payload for lease in leases if lease]
        assert sorted(payloads) == [b"a", b"b"]
        assert leases[2] is None

    def test_a_lease_that_ran_out_is_given_to_another_with_a_higher_fence(self, ledger: Ledger, clock: Clock) -> None:
        ledger.add("rows", [b"a"])
        first = ledger.lease("one", self.lease_s)
        assert first is not None
        assert ledger.lease("two", self.lease_s) is None
        clock.wait(self.lease_s * 1.2)
        second = ledger.lease("two", self.lease_s)
        assert second is not None
        assert second.fence > first.fence

    def test_a_result_with_an_old_fence_changes_nothing(self, ledger: Ledger, clock: Clock) -> None:
        ledger.add("rows", [b"a"])
        first = ledger.lease("one", self.lease_s)
        clock.wait(self.lease_s * 1.2)
        second = ledger.lease("two", self.lease_s)
        assert first is not None
        assert second is not None
        assert not ledger.finish(first, b"late")
        assert not ledger.fail(first, "late", 3)
        assert not ledger.renew(first, self.lease_s)
        assert not ledger.give_back(first)
        assert ledger.finish(second, b"in time")
        assert [done.result for done in ledger.done("rows", 10)] == [b"in time"]

    def test_a_heartbeat_keeps_a_lease(self, ledger: Ledger, clock: Clock) -> None:
        ledger.add("rows", [b"a"])
        lease = ledger.lease("one", self.lease_s)
        assert lease is not None
        for _ in range(3):
            clock.wait(self.lease_s * 0.6)
            assert ledger.renew(lease, self.lease_s)
        assert ledger.lease("two", self.lease_s) is None

    def test_a_result_is_taken_once(self, ledger: Ledger) -> None:
        ledger.add("rows", [b"a"])
        lease = ledger.lease("one", self.lease_s)
        assert lease is not None
        assert ledger.finish(lease, b"first")
        assert not ledger.finish(lease, b"second")
        assert [done.result for done in ledger.done("rows", 10)] == [b"first"]

    def test_a_shard_is_abandoned_after_its_last_attempt_with_its_reason(self, ledger: Ledger) -> None:
        ledger.add("rows", [b"a"])
        for attempt in range(3):
            lease = ledger.lease("one", self.lease_s)
            assert lease is not None
            assert lease.attempts == attempt
            ledger.fail(lease, f"failure {attempt}", 3)
        assert ledger.lease("one", self.lease_s) is None
        assert ledger.abandoned() == [(1, b"a", "failure 2")]

    def test_giving_back_counts_as_no_attempt(self, ledger: Ledger) -> None:
        ledger.add("rows", [b"a"])
        for _ in range(5):
            lease = ledger.lease("one", self.lease_s)
            assert lease is not None
            assert lease.attempts == 0
            assert ledger.give_back(lease)

    def test_committed_shards_are_not_done_any_more(self, ledger: Ledger) -> None:
        ledger.add("rows", [b"a", b"b"])
        for _ in range(2):
            lease = ledger.lease("one", self.lease_s)
            assert lease is not None
            ledger.finish(lease, b"r" + lease.payload)
        first, second = ledger.done("rows", 10)
        ledger.mark_committed([first.shard])
        assert ledger.done("rows", 10) == [second]
        assert ledger.counts() == {"committed": 1, "done": 1}

    def test_what_waits_is_told_apart_by_kind(self, ledger: Ledger) -> None:
        ledger.add("rows", [b"a", b"b"])
        ledger.add("update", [b"c"])
        while (lease := ledger.lease("one", self.lease_s)) is not None:
            ledger.finish(lease, b"")
        assert [done.payload for done in ledger.done("rows", 1)] == [b"a"]
        assert [done.payload for done in ledger.done("update", 10)] == [b"c"]

    def test_another_process_sees_the_same(
        self, ledger: Ledger, make_ledger: Callable[[Clock], Ledger], clock: Clock
    ) -> None:
        ledger.add("rows", [b"a"])
        other = make_ledger(clock)
        assert other.run == ledger.run
        lease = other.lease("two", self.lease_s)
        assert lease is not None
        assert ledger.lease("one", self.lease_s) is None
        assert ledger.finish(lease, b"done elsewhere")
        assert other.done("rows", 10)[0].payload == b"a"

    def test_a_new_run_has_a_new_name_and_no_shards(self, ledger: Ledger) -> None:
        ledger.add("rows", [b"a"])
        before = ledger.run
        assert ledger.begin() != before
        assert ledger.counts() == {}

    def test_a_lease_of_an_earlier_run_changes_nothing_in_a_new_one(self, ledger: Ledger) -> None:
        for number in range(2):
            ledger.add("rows", [b"%d" % number])
            (lease,) = _all(ledger, 1, self.lease_s)
            if not number:
                old = lease
                ledger.begin()
        assert (lease.shard, lease.payload) == (old.shard, b"1")
        assert not ledger.renew(old, self.lease_s)
        assert not ledger.finish(old, b"old")
        assert not ledger.fail(old, "old", 1)
        assert not ledger.give_back(old)
        assert ledger.counts() == {"leased": 1}
        assert ledger.finish(lease, b"new")

    def test_all_who_join_a_run_are_in_the_one_that_was_begun_first(
        self, make_ledger: Callable[[Clock], Ledger], clock: Clock
    ) -> None:
        first, second = make_ledger(clock), make_ledger(clock)
        assert first.join("0123456789ab")
        assert second.join("0123456789ab")
        first.add("rows", [b"a"])
        assert not second.join("ba9876543210")
        assert (second.run, second.counts()) == ("0123456789ab", {"pending": 1})
        assert first.begin() != "0123456789ab"
        assert not second.join("0123456789ab")

    def test_of_two_who_add_the_same_shards_one_does(
        self, ledger: Ledger, make_ledger: Callable[[Clock], Ledger], clock: Clock
    ) -> None:
        other = make_ledger(clock)

        def slow_payloads() -> Iterator[bytes]:
            assert other.add("rows", [b"0", b"1"], onto=0)
            yield from (b"0", b"1")

        assert not ledger.add("rows", slow_payloads(), onto=0)
        assert not ledger.add("rows", [b"1"], onto=1)
        assert ledger.add("rows", [b"2"], onto=2)
        leases = [lease for _ in range(4) if (lease := ledger.lease("one", self.lease_s)) is not None]
        assert sorted((lease.shard, lease.payload) for lease in leases) == [(1, b"0"), (2, b"1"), (3, b"2")]

    def test_a_run_is_over_when_no_shard_is_pending_or_leased(self, ledger: Ledger) -> None:
        assert ledger.is_over()
        ledger.add("rows", [b"a", b"b"])
        assert not ledger.is_over()
        first, second = _all(ledger, 2, self.lease_s)
        assert not ledger.is_over()
        ledger.finish(first, b"")
        assert not ledger.is_over()
        ledger.fail(second, "bad", 1)
        assert ledger.is_over()
        ledger.retry()
        assert not ledger.is_over()

    def test_a_run_without_shards_has_none_to_give(self, ledger: Ledger) -> None:
        ledger.add("rows", [])
        assert ledger.lease("one", self.lease_s) is None
        assert ledger.counts() == {}
        assert ledger.done("rows", 10) == []
        assert ledger.abandoned() == []

    def test_shards_are_numbered_on_and_counted_by_state(self, ledger: Ledger) -> None:
        ledger.add("rows", [b"a", b"b"])
        ledger.add("rows", (letter.encode() for letter in "cdef"))
        leases = _all(ledger, 5, self.lease_s)
        assert {lease.shard for lease in leases} < set(range(1, 7))
        assert all(lease.payload == b"abcdef"[lease.shard - 1 : lease.shard] for lease in leases)
        ledger.finish(leases[0], b"")
        ledger.finish(leases[1], b"")
        ledger.mark_committed([leases[1].shard])
        ledger.fail(leases[2], "bad", 1)
        ledger.give_back(leases[3])
        assert ledger.counts() == {"pending": 2, "leased": 1, "done": 1, "committed": 1, "abandoned": 1}

    def test_payloads_and_results_come_back_byte_for_byte(self, ledger: Ledger) -> None:
        payload, result = bytes(range(256)) * 300, b"\0\xff" * 20_000
        ledger.add("rows", [payload])
        lease = ledger.lease("one", self.lease_s)
        assert lease is not None
        assert lease.payload == payload
        assert ledger.finish(lease, result)
        assert [(done.payload, done.result) for done in ledger.done("rows", 1)] == [(payload, result)]

    def test_a_fence_grows_with_every_lease(self, ledger: Ledger) -> None:
        ledger.add("rows", [b"a"])
        fences = []
        for number in range(4):
            lease = ledger.lease("one", self.lease_s)
            assert lease is not None
            fences.append(lease.fence)
            assert ledger.give_back(lease) if number % 2 else ledger.fail(lease, "bad", 9)
        assert fences == sorted(set(fences))

    def test_what_was_committed_is_never_given_out_again(self, ledger: Ledger, clock: Clock) -> None:
        ledger.add("rows", [b"a"])
        (lease,) = _all(ledger, 1, self.lease_s)
        ledger.finish(lease, b"")
        ledger.mark_committed([lease.shard])
        ledger.mark_committed([lease.shard])
        assert not ledger.finish(lease, b"again")
        clock.wait(self.lease_s * 1.2)
        assert ledger.lease("two", self.lease_s) is None
        assert ledger.counts() == {"committed": 1}

    def test_many_are_committed_at_once(self, ledger: Ledger) -> None:
        ledger.add("rows", (b"%d" % number for number in range(self.many)))
        for lease in _all(ledger, self.many, 60):
            ledger.finish(lease, b"r" + lease.payload)
        done = ledger.done("rows", 500)
        assert [one.shard for one in done] == list(range(1, self.many + 1))
        assert all(one.result == b"r" + one.payload for one in done)
        ledger.mark_committed(one.shard for one in done[:-4])
        assert ledger.counts() == {"committed": self.many - 4, "done": 4}
        assert ledger.done("rows", 3) == done[-4:-1]

    def test_what_was_given_up_is_tried_again_when_asked_for(self, ledger: Ledger) -> None:
        ledger.add("rows", [b"a", b"b", b"c"])
        for lease in _all(ledger, 2, self.lease_s):
            ledger.fail(lease, "no luck", 1)
        before = ledger.abandoned()
        assert [number for number, _, _ in before] == sorted(number for number, _, _ in before)
        assert ledger.retry() == 2
        assert ledger.abandoned() == []
        assert ledger.counts() == {"pending": 3}
        leases = _all(ledger, 3, self.lease_s)
        assert {lease.attempts for lease in leases} == {0}
        assert ledger.retry() == 0

    def test_several_at_once_never_hold_the_same_shard(
        self, make_ledger: Callable[[Clock], Ledger], ledger: Ledger, clock: Clock
    ) -> None:
        count = 60
        ledger.add("rows", (b"%d" % number for number in range(count)))
        taken: list[int] = []

        def drain() -> None:
            own = make_ledger(clock)
            while len(taken) < count:
                if (lease := own.lease("w", 60)) is not None:
                    assert own.finish(lease, b"")
                    taken.append(lease.shard)

        threads = [threading.Thread(target=drain) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sorted(taken) == list(range(1, count + 1))
        assert ledger.counts() == {"done": count}


class OrderedLedgerContract(LedgerContract):
    """For a ledger that leases shards in the order of their numbers."""

    def test_shards_are_leased_in_order(self, ledger: Ledger) -> None:
        ledger.add("rows", (b"%d" % number for number in range(1, 13)))
        assert [lease.shard for lease in _all(ledger, 12, self.lease_s)] == list(range(1, 13))


def _all(ledger: Ledger, count: int, seconds: float) -> list[Lease]:
    leases = [ledger.lease("one", seconds) for _ in range(count)]
    assert None not in leases
    return [lease for lease in leases if lease is not None]
