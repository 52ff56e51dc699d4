"""Additions without a rebuild, and removals: in whatever order, the index is that of what is left."""

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from index_makers import Given, built, given, ids_found, quiet

from tintype.core.errors import CollectionError, CollectionLocked, UsageError
from tintype.index import changing, opened
from tintype.index.opened import OpenIndex
from tintype.index.record import changing as lock_of
from tintype.index.record import read_record
from tintype.testing.index import made_vectors

DESIGNS = ["flat", "graph", "lists of int8", "product"]


@pytest.fixture(params=DESIGNS)
def place(request, tmp_path, monkeypatch):
    built(monkeypatch, tmp_path / "index", given(2_000), request.param)
    return tmp_path / "index"


def names(place):
    return {path.name for path in place.iterdir() if path.suffix in (".npy", ".npz", ".arrow")}


def test_what_is_added_is_found_and_what_was_there_stays(place):
    more = given(300, seed=7, prefix="new")
    done = changing.add(place, more, quiet)
    assert (done.rows, done.known) == (300, 0)
    index = OpenIndex.open(place, check_all=True)
    assert len(index) == 2_300
    assert ids_found(index, more.vectors[[0, 299]], 1) == [["new 0"], ["new 299"]]
    assert ids_found(index, made_vectors(2_000)[[0, 1_999]], 1) == [["image 0"], ["image 1999"]]
    assert index.row("image 1999") == 1_999  # rows stay what they are
    assert index.record.measured.recall >= 0.9
    assert names(place) == set(index.record.files)


def test_ids_that_are_there_already_stay_as_they_are(place):
    other = Given(["image 5", "image 6", "new", "new", None], made_vectors(5, seed=9))
    done = changing.add(place, other, quiet)
    assert (done.rows, done.known) == (1, 2)
    assert (done.skipped.duplicate, done.skipped.without_id) == (1, 1)
    index = OpenIndex.open(place)
    assert len(index) == 2_001
    assert index.vector("image 5") == pytest.approx(made_vectors(2_000)[5].astype(np.float32), abs=0.01)
    assert changing.add(place, other, quiet).rows == 0
    assert OpenIndex.open(place).record.serial == index.record.serial


def test_what_is_removed_is_found_no_more(place):
    gone = [f"image {row}" for row in range(0, 2_000, 2)]
    done = changing.remove(place, [*gone, "nobody", gone[0]])
    assert (done.rows, done.known) == (1_000, 1)
    index = OpenIndex.open(place)
    assert len(index) == 1_000
    found = ids_found(index, made_vectors(2_000)[:50], 20)
    assert not {name for row in found for name in row} & set(gone)
    assert all(len(row) == 20 for row in found)
    assert index.row("image 2") is None
    assert changing.remove(place, gone).rows == 0


def test_what_was_removed_may_come_again(place):
    changing.remove(place, ["image 3"])
    other = Given(["image 3"], made_vectors(1, seed=11))
    assert changing.add(place, other, quiet).rows == 1
    index = OpenIndex.open(place)
    assert index.row("image 3") == 2_000
    assert ids_found(index, other.vectors, 1) == [["image 3"]]


def test_many_small_additions_leave_few_segments(place):
    for number in range(6):
        changing.add(place, given(20, seed=number + 20, prefix=f"batch {number}, image"), quiet)
    changing.remove(place, ["batch 3, image 4"])
    changing.add(place, given(20, seed=99, prefix="last"), quiet)
    record = read_record(place)
    assert record.rows == 2_140
    assert len(record.segments) <= 2
    index = OpenIndex.open(place, check_all=True)
    assert ids_found(index, made_vectors(20, seed=25)[4:5], 1) == [["batch 5, image 4"]]
    assert index.row("batch 3, image 4") is None
    assert index.row("batch 3, image 5") == 2_065


def test_everything_may_be_removed(place):
    changing.remove(place, [f"image {row}" for row in range(2_000)])
    index = OpenIndex.open(place)
    assert len(index) == 0
    assert (index.search(made_vectors(3), 5).rows == -1).all()
    changing.add(place, given(5, prefix="new"), quiet)
    assert ids_found(OpenIndex.open(place), made_vectors(5)[:1], 1) == [["new 0"]]


def test_another_dimension_is_refused(place):
    other = Given(["a"], made_vectors(1, 8))
    with pytest.raises(UsageError, match="vectors of 8 numbers; those of the index have 32"):
        changing.add(place, other, quiet)


def test_changes_wait_for_nobody(place):
    lock = lock_of(place)
    lock.acquire()
    for change in (lambda: changing.add(place, given(5), quiet), lambda: changing.remove(place, ["image 1"])):
        with pytest.raises(CollectionLocked, match="in use by process"):
            change()
    lock.release()
    assert len(OpenIndex.open(place)) == 2_000


def test_an_addition_that_fails_leaves_the_index_as_it_was(place):
    before = names(place)

    def fail(words, done, total):
        if words == "measuring":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        changing.add(place, given(300, seed=7, prefix="new"), fail)
    assert names(place) == before
    assert len(OpenIndex.open(place, check_all=True)) == 2_000


def test_an_open_index_stays_as_it_was(place):
    before = OpenIndex.open(place)
    changing.add(place, given(300, seed=7, prefix="new"), quiet)
    changing.add(place, given(300, seed=8, prefix="newer"), quiet)
    changing.remove(place, ["image 1"])
    assert len(before) == 2_000
    assert "image 1" in ids_found(before, made_vectors(2_000)[1:2], 30)[0]


def test_an_index_that_changes_while_it_is_opened_is_opened_anew(place, monkeypatch):
    """The files that the first record names are gone by the time they are looked for."""
    real, changes = opened.check_files, []

    def change_first(*given_arguments, **named):
        if not changes:
            changes.append(True)
            changing.add(place, given(300, seed=7, prefix="new"), quiet)
        real(*given_arguments, **named)

    monkeypatch.setattr(opened, "check_files", change_first)
    assert len(OpenIndex.open(place)) == 2_300


def test_without_an_index_nothing_is_made(tmp_path):
    for change in (
        lambda: changing.add(tmp_path / "none", given(5), quiet),
        lambda: changing.remove(tmp_path / "none", ["a"]),
    ):
        with pytest.raises(CollectionError, match="no index here"):
            change()
    assert not list(tmp_path.iterdir())


STEPS = st.lists(st.tuples(st.booleans(), st.sets(st.integers(0, 60), min_size=1, max_size=20)), max_size=6)


@settings(max_examples=12)
@drawn(steps=STEPS, design=st.sampled_from(DESIGNS[:3]))
def test_in_whatever_order_the_index_is_what_is_left(tmp_path_factory, steps, design):
    """Against a dict: each id is found by its vector, with its cosine, and no other is."""
    place = tmp_path_factory.mktemp("changes") / "index"
    pool = made_vectors(61, seed=3)
    left = dict.fromkeys(range(10))
    with pytest.MonkeyPatch.context() as patch:
        built(patch, place, Given([str(row) for row in range(10)], pool[:10]), design, recall=1.0)
        for is_addition, ids in steps:
            if is_addition:
                chosen = sorted(ids)
                done = changing.add(place, Given([str(row) for row in chosen], pool[chosen]), quiet)
                assert done.rows == len(ids - set(left))
                left |= dict.fromkeys(chosen)
            else:
                done = changing.remove(place, [str(row) for row in ids])
                assert done.rows == len(ids & set(left))
                left = {row: None for row in left if row not in ids}
    index = OpenIndex.open(place, check_all=True)
    assert len(index) == len(left)
    assert {row for row in range(61) if index.row(str(row)) is not None} == set(left)
    found = ids_found(index, pool, 61)
    if design == "flat":
        assert all(sorted(row) == sorted(map(str, left)) for row in found)
    for row in left:
        assert found[row][0] == str(row)
