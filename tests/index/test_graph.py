"""The graph is the oracle's where all are compared, nearly so by parts, and no crowd of equals blows it up."""

import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tintype.index.graph import Answer, ask, nearest_others
from tintype.index.parts import compare
from tintype.testing.index import made_vectors


def oracle(vectors, rows, others, k):
    """Row by row, in float64."""
    wide = vectors.astype(np.float64)
    found = np.full((len(rows), k), -1, np.int32)
    similarity = np.full((len(rows), k), -2, np.float32)
    for place, row in enumerate(rows):
        candidates = np.array([other for other in others if other != row], np.int64)
        cosines = (wide[candidates] @ wide[row]).astype(np.float32)
        order = np.lexsort((candidates, -cosines))[:k]
        found[place, : len(order)], similarity[place, : len(order)] = candidates[order], cosines[order]
    return found, similarity


def assert_same(found, expected):
    assert np.array_equal(found.similarity, expected[1])
    assert np.array_equal(found.rows, expected[0])


def answered(question):
    answer = Answer(question)
    for start, stop in reversed(list(question.parts.ranges())):
        answer.note(*compare(question.parts, start, stop, question.width))
    return answer.neighbors()


@st.composite
def crowds(draw):
    """Up to 60 vectors, many of them equal, on few dimensions, so that there are ties of all sorts."""
    dimensions = draw(st.sampled_from([1, 2, 3, 16]))
    pool = draw(st.integers(1, 30))
    if draw(st.booleans()):
        signs = np.random.default_rng(draw(st.integers(0, 99))).choice([-1.0, 1.0], (pool, dimensions))
        made = (signs / np.sqrt(dimensions)).astype(np.float16)
    else:
        made = made_vectors(pool, dimensions, draw(st.integers(0, 99)))
    return made[draw(st.lists(st.integers(0, pool - 1), max_size=60))]


@given(vectors=crowds(), k=st.integers(1, 70))
def test_it_is_the_oracles(vectors, k):
    rows = np.arange(len(vectors))
    assert_same(nearest_others(vectors, k), oracle(vectors, rows, rows, k))


@given(vectors=crowds(), k=st.integers(1, 9), data=st.data())
def test_some_may_ask_for_some(vectors, k, data):
    chosen = st.sets(st.integers(0, len(vectors) - 1)) if len(vectors) else st.just(set())
    rows, others = (np.array(sorted(data.draw(chosen)), np.int64) for _ in range(2))
    assert_same(answered(ask(vectors, rows, others, k)), oracle(vectors, rows, others, k))


@given(vectors=crowds(), seed=st.integers(0, 99))
def test_the_order_of_rows_does_not_matter_but_for_ties(vectors, seed):
    order = np.random.default_rng(seed).permutation(len(vectors))
    plain, shuffled = nearest_others(vectors, 5), nearest_others(vectors[order], 5)
    assert np.array_equal(shuffled.similarity, plain.similarity[order])
    # Who is nearer than the last is found, in whichever order; those as near as the last may be others.
    for row, was in enumerate(order):
        last = plain.similarity[was, -1]
        mine = {int(order[other]) for other in shuffled.rows[row][shuffled.similarity[row] > last]}
        assert mine == set(plain.rows[was][plain.similarity[was] > last].tolist())


@pytest.mark.parametrize("count", [700, 3_000])
def test_by_parts_with_all_clusters_probed_it_is_the_exact_one(count):
    vectors, rows = made_vectors(count), np.arange(count)
    question = ask(vectors, rows, rows, 10, exact_pairs=0)
    assert len(question.parts.centers) > 1
    all_probed = replace(question, parts=replace(question.parts, probes=len(question.parts.centers)))
    exact = nearest_others(vectors, 10)
    assert_same(answered(all_probed), (exact.rows, exact.similarity))


def test_by_parts_the_measured_recall_is_the_true_one():
    vectors = made_vectors(12_000, 64)
    rows = np.arange(len(vectors))
    question = ask(vectors, rows, rows, 10, recall=0.9, exact_pairs=0)
    assert not question.parts.is_exact
    found, exact = answered(question), nearest_others(vectors, 10)
    shares = [len(set(a) & set(b)) / 10 for a, b in zip(found.rows.tolist(), exact.rows.tolist(), strict=True)]
    assert np.mean(shares) == pytest.approx(question.parts.recall, abs=0.02)
    assert np.mean(shares) >= 0.9
    every = found.similarity.copy()
    assert (np.diff(every, axis=1) <= 0).all()
    assert (found.rows != rows[:, None]).all()


def test_the_number_of_threads_does_not_matter():
    code = (
        f"import sys; sys.path.insert(0, {os.pathsep.join(sys.path)!r}); import numpy as np;"
        "from tintype.index.graph import nearest_others; from tintype.testing.index import made_vectors;"
        "found = nearest_others(made_vectors(3_000, 64), 7, exact_pairs=0);"
        "import hashlib; print(hashlib.md5(found.rows.tobytes() + found.similarity.tobytes()).hexdigest())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "OMP_NUM_THREADS": threads, "OPENBLAS_CORETYPE": core},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for threads, core in (("1", ""), ("2", ""), ("1", "Haswell"), ("2", "Nehalem"))
    }
    assert len(outputs) == 1


@pytest.mark.parametrize("exact_pairs", [10**18, 0])
def test_fifty_thousand_copies_are_each_others_neighbors_by_row(exact_pairs):
    few = made_vectors(3)
    vectors = np.concatenate([few, np.repeat(few[:1], 50_000, axis=0)])
    found = nearest_others(vectors, 5, exact_pairs=exact_pairs)
    assert found.rows[0].tolist() == [3, 4, 5, 6, 7]
    assert found.rows[3].tolist() == [0, 4, 5, 6, 7]
    assert found.rows[50_002].tolist() == [0, 3, 4, 5, 6]
    assert len(np.unique(found.similarity[3:])) == 1
    assert np.array_equal(found.rows[1], oracle(vectors[:20], [1], range(20), 5)[0][0])


def test_fifty_thousand_that_are_nearly_equal_stay_cheap():
    """Copies of one picture, each re-encoded: none equal, all in one place, and no cluster with all of them."""
    random = np.random.default_rng(0)
    crowd = made_vectors(1, 64).astype(np.float32) + 3e-3 * random.standard_normal((50_000, 64))
    crowd /= np.linalg.norm(crowd, axis=1, keepdims=True)
    vectors = np.concatenate([crowd.astype(np.float16), made_vectors(5_000, 64, seed=4)])
    rows = np.arange(len(vectors))
    question = ask(vectors, rows, rows[:0], 5)
    assert question.width == 1
    question = ask(vectors, rows, rows, 5)
    assert np.diff(question.parts.starts).max() <= 3 * 256
    assert len(list(question.parts.ranges())) >= 6


def test_many_ties_are_told_apart_by_row():
    """Signs alone: of 4,000 vectors each is exactly as near to hundreds of others."""
    signs = np.random.default_rng(0).choice([-1.0, 1.0], (4_000, 16)) / 4
    vectors = signs.astype(np.float16)
    rows = np.arange(len(vectors))
    some = rows[::97]
    found = nearest_others(vectors, 12)
    expected = oracle(vectors, some, rows, 12)
    assert np.array_equal(found.rows[some], expected[0])


def test_vectors_that_are_all_at_right_angles_are_told_apart_by_row():
    vectors = np.eye(2_048, dtype=np.float16)
    found = nearest_others(vectors, 4)
    assert found.rows[0].tolist() == [1, 2, 3, 4]
    assert found.rows[2_047].tolist() == [0, 1, 2, 3]
    assert (found.similarity == 0).all()


@pytest.mark.parametrize("count", [0, 1])
def test_none_and_one_have_no_neighbors(count):
    found = nearest_others(made_vectors(count), 3)
    assert found.rows.tolist() == [[-1, -1, -1]] * count
    assert found.similarity.tolist() == [[-2, -2, -2]] * count


def test_k_may_be_larger_than_there_are_others():
    found = nearest_others(made_vectors(4), 1_000)
    assert found.rows.shape == (4, 1_000)
    assert ((found.rows >= 0).sum(axis=1) == 3).all()


@pytest.mark.parametrize("bad", [np.zeros((4, 8)), np.full((4, 8), np.nan), np.full((4, 8), np.inf), np.ones((4, 8))])
def test_what_is_no_direction_is_refused(bad):
    with pytest.raises(ValueError, match="vector 0 is of length"):
        nearest_others(bad, 3)


def test_k_must_be_something():
    with pytest.raises(ValueError, match="k must"):
        nearest_others(made_vectors(3), 0)


@given(vectors=crowds(), at_least=st.floats(-1, 1, width=32), data=st.data())
def test_what_is_near_enough_is_found_whatever_else_is_left_out(vectors, at_least, data):
    rows = np.arange(len(vectors))
    chosen = st.sets(st.integers(0, len(vectors) - 1)) if len(vectors) else st.just(set())
    others = np.array(sorted(data.draw(chosen)), np.int64)
    found = answered(ask(vectors, rows, others, 5, at_least=np.full(len(rows), at_least, np.float32)))
    expected, similarity = oracle(vectors, rows, others, 5)
    near = similarity >= at_least
    assert np.array_equal(found.rows[near], expected[near])
    assert np.array_equal(found.similarity[near], similarity[near])
