"""Vectors are checked and widened without loss; equal ones are found; exact products are the same in any order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tintype.index import vectors as module
from tintype.index.vectors import checked, distinct, hashes, products, widened
from tintype.testing.index import made_vectors


def test_every_finite_float16_is_widened_to_itself():
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves)]
    assert np.array_equal(widened(halves), halves.astype(np.float32))


def test_what_is_not_finite_does_not_pass_for_a_unit():
    for value in (np.nan, np.inf, -np.inf, 0, 1e30):
        bad = made_vectors(5).astype(np.float32)
        bad[3, 2] = value
        if value == 0:
            bad[3] = 0
        with pytest.raises(ValueError, match="vector 3 is of length"):
            checked(bad)


@pytest.mark.parametrize(
    "odd", [np.ones(3), np.ones((2, 0)), np.ones((2, 3, 4)), np.ones((1, 5_000)), np.eye(3, dtype=int)]
)
def test_what_are_no_rows_of_floats_is_refused(odd):
    with pytest.raises(ValueError, match="vectors must be"):
        checked(odd)


def test_no_vectors_are_fine():
    assert checked(np.empty((0, 7), np.float32)).shape == (0, 7)


@given(seed=st.integers(0, 1_000), dimensions=st.integers(1, 600))
def test_products_do_not_depend_on_the_order_of_their_terms(seed, dimensions):
    pairs = widened(made_vectors(20, dimensions, seed))
    order = np.random.default_rng(seed).permutation(dimensions)
    a, b = pairs[:10], pairs[10:]
    found = products(a, b)
    assert np.array_equal(found, products(a[:, order], b[:, order]))
    assert np.array_equal(
        found,
        np.array(
            [
                float(sum(map(float.__mul__, x, y)))
                for x, y in zip(a.astype(float).tolist(), b.astype(float).tolist(), strict=True)
            ],
            np.float32,
        ),
    )


@given(st.lists(st.integers(0, 5), max_size=40))
def test_equal_vectors_are_told_by_their_first(numbers):
    pool = made_vectors(6)
    first, number = distinct(pool[numbers])
    expected = list(dict.fromkeys(numbers))
    assert first.tolist() == [numbers.index(value) for value in expected]
    assert number.tolist() == [expected.index(value) for value in numbers]


def test_other_vectors_of_the_same_hash_stay_apart(monkeypatch):
    monkeypatch.setattr(module, "hashes", lambda halves: np.zeros(len(halves), np.uint64))
    vectors = made_vectors(4)[[0, 1, 0, 2]]
    first, number = distinct(vectors)
    assert len(first) == 3
    assert number[0] == number[2]
    assert len(set(number.tolist())) == 3


def test_hashes_are_what_stored_graphs_hold():
    """A change of these numbers makes every stored graph stale."""
    assert hashes(np.eye(3, 5, dtype=np.float16)).tolist() == EXPECTED


EXPECTED = [2358554167675461679, 4459359473487444620, 2890759859272045119]
