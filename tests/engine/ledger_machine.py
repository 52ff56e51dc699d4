"""Random steps of several owners on a ledger, each compared with the ledger in memory."""

from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule

from tintype.engine.ledger.base import Lease, Ledger
from tintype.testing.ledger import Clock
from tintype.testing.memory_ledger import Memory, MemoryLedger

LEASE_S = 600.0
KINDS = st.sampled_from(["rows", "update"])
Pair = tuple[Lease, Lease]  # the ledger's, and the model's of the same shard


class LedgerMachine(RuleBasedStateMachine):
    """A subclass opens the ledger. Leases that ran out or were ended are used again: they must change nothing."""

    leases = Bundle("leases")
    is_ordered = True
    has_clock = True

    def open(self) -> Ledger:
        raise NotImplementedError

    @initialize()
    def start(self) -> None:
        self.clock = Clock()
        self.ledger = self.open()
        self.model = MemoryLedger(Memory(), self.clock)
        self.ledger.begin()
        self.model.begin()

    @rule(kind=KINDS, payloads=st.lists(st.binary(max_size=8), max_size=3))
    def add(self, kind: str, payloads: list[bytes]) -> None:
        assert self.ledger.add(kind, payloads)
        assert self.model.add(kind, payloads)

    @rule(kind=KINDS, payloads=st.lists(st.binary(max_size=8), min_size=1, max_size=3), off=st.integers(-1, 1))
    def add_onto(self, kind: str, payloads: list[bytes], off: int) -> None:
        onto = sum(self.model.counts().values()) + off
        assert self.ledger.add(kind, payloads, onto) == self.model.add(kind, payloads, onto) == (off == 0)

    @rule(own=st.booleans())
    def join(self, own: bool) -> None:
        assert self.ledger.join(self.ledger.run if own else "another") == own

    @rule(target=leases)
    def lease(self) -> Pair | None:
        free = self.model.free()
        found = self.ledger.lease("someone", LEASE_S)
        if found is None:
            assert not free
            return None
        assert found.shard in (free[:1] if self.is_ordered else free)
        expected = self.model.take(found.shard, LEASE_S)
        assert (found.kind, found.payload, found.attempts) == (expected.kind, expected.payload, expected.attempts)
        return found, expected

    @rule(pair=leases)
    def renew(self, pair: Pair | None) -> None:
        if pair:
            assert self.ledger.renew(pair[0], LEASE_S) == self.model.renew(pair[1], LEASE_S)

    @rule(pair=leases, result=st.binary(max_size=8))
    def finish(self, pair: Pair | None, result: bytes) -> None:
        if pair:
            assert self.ledger.finish(pair[0], result) == self.model.finish(pair[1], result)

    @rule(pair=leases, reason=st.text(max_size=8), most=st.integers(1, 3))
    def fail(self, pair: Pair | None, reason: str, most: int) -> None:
        if pair:
            assert self.ledger.fail(pair[0], reason, most) == self.model.fail(pair[1], reason, most)

    @rule(pair=leases)
    def give_back(self, pair: Pair | None) -> None:
        if pair:
            assert self.ledger.give_back(pair[0]) == self.model.give_back(pair[1])

    @precondition(lambda self: self.has_clock)
    @rule(seconds=st.sampled_from([LEASE_S / 2, LEASE_S + 1]))
    def wait(self, seconds: float) -> None:
        self.clock.wait(seconds)

    @rule(kind=KINDS, limit=st.integers(1, 3))
    def commit(self, kind: str, limit: int) -> None:
        done = self.ledger.done(kind, limit)
        expected = self.model.done(kind, limit)
        assert [(one.shard, one.payload, one.result) for one in done] == [
            (one.shard, one.payload, one.result) for one in expected
        ]
        self.ledger.mark_committed(one.shard for one in done)
        self.model.mark_committed(one.shard for one in expected)

    @rule()
    def retry(self) -> None:
        assert self.ledger.retry() == self.model.retry()

    @rule()
    def another_process(self) -> None:
        run = self.ledger.run
        self.ledger = self.open()
        assert self.ledger.run == run

    @rule()
    def begin(self) -> None:
        before = self.ledger.run
        self.model.begin()
        assert self.ledger.begin() != before

    @invariant()
    def says_what_the_model_says(self) -> None:
        assert self.ledger.counts() == self.model.counts()
        assert self.ledger.is_over() == self.model.is_over()
        assert self.ledger.abandoned() == self.model.abandoned()
