"""Candidates hold the nearest that comparing all exactly finds, whatever the filter."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tintype.index.screening import Screen


def vectors(count, dimensions=24, seed=0):
    """In clusters, of many lengths."""
    random = np.random.default_rng(seed)
    made = random.normal(0, 1, (20, dimensions))[random.integers(0, 20, count)] + random.normal(
        0, 0.3, (count, dimensions)
    )
    return (made * random.uniform(0.01, 50, (count, 1))).astype(np.float32)


def screen(all_vectors, block=1_000):
    blocks = (all_vectors[start : start + block] for start in range(0, len(all_vectors), block))
    return Screen(blocks, len(all_vectors), all_vectors[::7])


def nearest(all_vectors, query, k, allowed):
    unit = all_vectors / np.linalg.norm(all_vectors, axis=1, keepdims=True)
    cosine = np.where(allowed, unit @ (query / np.linalg.norm(query)), -2)
    return np.argsort(-cosine, kind="stable")[:k]


@pytest.mark.parametrize("share", [1.0, 0.5, 0.01], ids=str)
def test_the_nearest_are_among_the_candidates(share):
    made, random = vectors(6_000), np.random.default_rng(1)
    found = screen(made)
    for query in vectors(20, seed=2):
        allowed = random.random(len(made)) < share
        candidates = found.candidates(query, 80, None if share == 1 else allowed)
        assert allowed[candidates].all() or share == 1
        assert set(nearest(made, query, 20, allowed | (share == 1))) <= set(candidates.tolist())


@given(st.integers(1, 60), st.integers(1, 17), st.integers(1, 40))
def test_no_row_is_lost_where_as_many_are_asked_for(count, block, asked):
    made = vectors(count, dimensions=5, seed=count)
    assert len(screen(made, block).candidates(made[0], asked)) == min(count, asked)
    assert screen(made, block).candidates(made[0], count).tolist() == list(range(count))


def test_rows_without_a_vector_are_like_nothing():
    made = vectors(50)
    made[3], made[4], made[5, 2] = 0, np.nan, np.inf
    made[6] *= np.float32(1e30)
    assert set(range(50)) - set(screen(made).candidates(made[0], 50).tolist()) == {3, 4, 5}


def test_nothing_allowed_gives_nothing():
    made = vectors(50)
    assert screen(made).candidates(made[0], 5, np.zeros(50, np.bool_)).tolist() == []


def test_a_stream_that_ends_early_is_told():
    made = vectors(50)
    with pytest.raises(ValueError, match="50 vectors came of 60"):
        Screen([made], 60, made)
