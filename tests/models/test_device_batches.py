"""Batches of several workers are run together, and each has its own rows, whatever happens to the others."""

from typing import Any, ClassVar

import numpy as np
import pytest
from device_models import ONNX, descriptor, job, pixels, tight
from hypothesis import given, settings
from hypothesis import strategies as st

from tintype.core.errors import ModelError
from tintype.models.base import Runner
from tintype.models.devices.batches import Batches, Job
from tintype.models.devices.pipes import Part, PlainPipe, Spent
from tintype.models.engines import Engine, load

CARD = descriptor()
ROWS = pixels(CARD, 40)
NAMES = [output.name for output in CARD.outputs]


@pytest.fixture(scope="module")
def runner() -> Runner:
    return load(CARD, Engine.of(ONNX))


@pytest.fixture(scope="module")
def wanted(runner: Runner) -> list[np.ndarray]:
    made = runner.run({CARD.input.name: ROWS})
    return [made[name] for name in NAMES]


def run(batches: Batches) -> list[Job]:
    over: list[Job] = []
    while not batches.is_idle:
        over += batches.step()
    return over


def assert_has(one: Job, wanted: list[np.ndarray], rows: slice) -> None:
    assert one.failure is None
    for made, right in zip(one.outputs, wanted, strict=True):
        assert np.array_equal(made, right[rows])


class Watched(PlainPipe):
    """Notes how many rows were run at once; when it is asked whether a batch is over, it is at every second time."""

    def __init__(self, runner: Runner) -> None:
        super().__init__(runner)
        self.rows: list[int] = []
        self.flying = self.most_flying = self.freed = self.asked = 0

    def start(self, parts: Any) -> Spent:
        spent = super().start(parts)
        self.rows.append(sum(part.rows for part in parts))
        self.flying += 1
        self.most_flying = max(self.most_flying, self.flying)
        return spent

    def is_over(self, started: Spent) -> bool:
        self.asked += 1
        return self.asked % 2 == 0

    def finish(self, started: Spent) -> Spent:
        self.flying -= 1
        return super().finish(started)

    def free(self) -> None:
        assert self.flying == 0  # what is on its way takes memory too
        self.freed += 1


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    most=st.integers(1, 20),
    fitting=st.integers(1, 20),
    steps=st.lists(st.integers(0, 2), max_size=6),
)
def test_each_has_its_own_rows(
    runner: Runner, wanted: list[np.ndarray], sizes: list[int], most: int, fitting: int, steps: list[int]
) -> None:
    """However rows are put together, come in between, and are halved where memory is short."""
    watched = Watched(runner)
    batches = Batches([tight(watched, fitting)], [most])
    jobs, over, start = [], [], 0
    for number, rows in enumerate(sizes):
        stop = min(start + rows, len(ROWS))
        jobs.append((job(CARD, ROWS[start:stop]), slice(start, stop)))
        batches.add(jobs[-1][0])
        for _ in range(steps[number] if number < len(steps) else 0):
            over += batches.step()
        start = stop
    over += run(batches)
    assert len(over) == len(jobs)
    for one, rows in jobs:
        assert_has(one, wanted, rows)
    assert max(watched.rows) <= min(most, fitting)
    assert watched.most_flying <= 2


def test_what_did_not_fit_is_halved_and_stays_so(runner: Runner, wanted: list[np.ndarray]) -> None:
    watched = Watched(runner)
    batches = Batches([tight(watched, 10)], [64])
    batches.add(job(CARD, ROWS))
    (one,) = run(batches)
    assert_has(one, wanted, slice(0, 40))
    assert (watched.rows, watched.freed, batches.most) == ([10] * 4, 2, [10])
    batches.add(job(CARD, ROWS))
    run(batches)
    assert watched.rows == [10] * 8


def test_one_row_that_does_not_fit_is_told(runner: Runner, wanted: list[np.ndarray]) -> None:
    batches = Batches([tight(PlainPipe(runner), 0)], [64])
    batches.add(job(CARD, ROWS[:5]))
    (one,) = run(batches)
    assert (one.failure, one.is_too_large) == ("", True)


def test_one_row_is_tried_again_when_nothing_else_takes_memory(runner: Runner, wanted: list[np.ndarray]) -> None:
    class Small(Watched):
        def start(self, parts: Any) -> Spent:
            if self.flying:
                raise MemoryError
            return super().start(parts)

    batches = Batches([Small(runner)], [1])
    batches.add(job(CARD, ROWS[:3]))
    batches.add(job(CARD, ROWS[3:4]))
    first, second = run(batches)
    assert_has(first, wanted, slice(0, 3))
    assert_has(second, wanted, slice(3, 4))


def test_what_fails_in_company_costs_no_other(runner: Runner, wanted: list[np.ndarray]) -> None:
    """One without room for its outputs, and one that the model refuses."""

    class Picky(Watched):
        def start(self, parts: Any) -> Spent:
            if any((part.given[CARD.input.name] == 0).all() for part in parts):
                raise ModelError("black")
            return super().start(parts)

    batches = Batches([Picky(runner)], [64])
    good, black, narrow, last = (job(CARD, values) for values in (ROWS[:4], ROWS[4:6] * 0, ROWS[6:9], ROWS[9:12]))
    narrow.memory = narrow.memory[: narrow.end]
    for one in (good, black, narrow, last):
        batches.add(one)
    assert {id(one) for one in run(batches)} == {id(one) for one in (good, black, narrow, last)}
    assert_has(good, wanted, slice(0, 4))
    assert_has(last, wanted, slice(9, 12))
    assert black.failure == "black"
    assert "does not fit" in str(narrow.failure)


def test_a_failure_is_told_when_its_last_rows_are_back(runner: Runner) -> None:
    """Until then they are copied to its memory, which its worker fills again as soon as it is told."""

    class Late(Watched):
        def start(self, parts: Any) -> Spent:
            if self.rows:
                raise ModelError("no more")
            return super().start(parts)

    batches = Batches([Late(runner)], [4])
    one = job(CARD, ROWS[:8])
    batches.add(one)
    assert batches.step() == []
    assert batches._flying
    batches._start(batches._next())
    assert one.failure == "no more"
    assert not batches._over
    assert batches.step() == [one]


def test_who_is_gone_is_not_waited_for(runner: Runner, wanted: list[np.ndarray]) -> None:
    watched = Watched(runner)
    batches = Batches([watched], [4])
    gone, there = job(CARD, ROWS[:12], owner="gone"), job(CARD, ROWS[12:16], owner="there")
    batches.add(gone)
    batches.add(there)
    batches.step()
    assert batches.is_using("gone")
    batches.drop("gone")
    assert run(batches) == [there]
    assert not batches.is_using("gone")
    assert_has(there, wanted, slice(12, 16))
    assert watched.rows == [4, 4]


def test_other_models_and_shapes_share_no_batch(runner: Runner) -> None:
    class Shapes(PlainPipe):
        seen: ClassVar[list[set[tuple[int, ...]]]] = []

        def start(self, parts: list[Part]) -> Spent:
            self.seen.append({part.given["x"].shape[1:] for part in parts})
            return Spent(0, 0)

    batches = Batches([Shapes(runner), Shapes(runner)], [64, 64])
    for card, side in ((0, 2), (1, 2), (0, 3), (0, 2), (1, 2)):
        values = np.zeros((2, side), np.float32)
        batches.add(Job(None, 0, 0, card, 2, {"x": values}, np.zeros(100, np.uint8), 0))
    run(batches)
    assert Shapes.seen == [{(2,)}, {(2,)}, {(3,)}]


def test_a_crowd_leaves_others_waiting(runner: Runner) -> None:
    """So that a device has rows to begin with while what was answered is filled again."""

    class Counting(Watched):
        def start(self, parts: Any) -> Spent:
            self.rows.append(sum(part.rows for part in parts))
            return Spent(0, 0)

    watched = Counting(runner)
    batches = Batches([watched], [1_000])
    batches.crowd = 6 * 64
    for _ in range(6):
        batches.add(job(CARD, np.tile(ROWS, (2, 1, 1, 1))[:64]))
    assert len(run(batches)) == 6
    assert watched.rows == [96] * 4
    batches.crowd = 64
    batches.add(job(CARD, ROWS))
    run(batches)
    assert watched.rows[4:] == [40]
