"""A diverse subset: greedy choice against an oracle, copies left out, balance, order, and what the facts say."""

import numpy as np
import pyarrow as pa
import pytest
from finder_makers import inputs
from hypothesis import given, settings
from hypothesis import strategies as st

from tintype.core.columns import DIGEST
from tintype.core.errors import ConfigError
from tintype.finders.coverage import choose, nearest_before, nearest_chosen
from tintype.finders.near_copies import stand_ins
from tintype.finders.selection import FINDER, Settings, select
from tintype.index.base import Neighbors
from tintype.index.graph import nearest_others
from tintype.testing.finders import FinderContract


class TestSelectContract(FinderContract):
    finder = FINDER


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)


def blobs(count, centers=8, width=16, seed=0):
    random = np.random.default_rng(seed)
    middle = np.random.default_rng(1).standard_normal((centers, width))
    return unit(middle[random.integers(0, centers, count)] + 0.5 * random.standard_normal((count, width)))


def table_of(vectors, **more):
    count = len(vectors)
    columns = {
        "uri": [f"{at:05d}.jpg" for at in range(count)],
        "digest": pa.array([bytes(np.random.default_rng([at, 7]).bytes(16)) for at in range(count)], DIGEST),
        "descriptor": pa.FixedSizeListArray.from_arrays(vectors.ravel(), vectors.shape[1]),
        "width": pa.array([100] * count, pa.int32()),
        "height": pa.array([100] * count, pa.int32()),
    }
    return pa.table(columns | more)


def selected(table, **options):
    answer = select(inputs(table), Settings(**options))
    return answer, answer.table["a_uri"].to_pylist()


def slow_choice(vectors, count):
    """The greedy choice by its formula: everything computed anew at each step."""
    grid = np.rint(vectors.astype(np.float32) * 4_000).astype(np.float64)
    cost = np.rint(2**20 * np.clip(2 - 2 * (grid @ grid.T) / 4_000**2, 0, 2) ** 4).astype(np.int64)
    np.fill_diagonal(cost, 0)
    now, rows = np.full(len(vectors), 2**24), []
    for _ in range(count):
        gains = np.maximum(now[:, None] - cost, 0).sum(axis=0)
        gains[rows] = -1
        rows.append(int(gains.argmax()))
        now = np.minimum(now, cost[rows[-1]])
    return rows


@pytest.mark.parametrize("seed", range(3))
def test_the_choice_is_the_greedy_one(seed):
    vectors = blobs(120, seed=seed)
    assert choose(vectors, 40, seed=0).tolist() == slow_choice(vectors, 40)


@settings(max_examples=30)
@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_every_beginning_of_the_order_is_the_choice_of_fewer(count, fewer, seed):
    vectors = blobs(60, seed=seed % 1_000)
    rows = choose(vectors, count, seed)
    assert len(set(rows.tolist())) == len(rows) == count
    assert rows[:fewer].tolist() == choose(vectors, fewer, seed)[:count].tolist()


def coverage(vectors, rows):
    _, cosine = nearest_chosen(vectors, rows)
    distance = np.sqrt(2 - 2 * np.minimum(cosine, 1))
    return distance.mean(), distance.max()


@pytest.mark.parametrize("count", [30, 600])
def test_many_vectors_are_covered_better_than_by_chance(count):
    """Enough of them that they are cut into clusters."""
    vectors = blobs(5_000, centers=200, width=24)
    mean, most = coverage(vectors, choose(vectors, count, seed=0))
    chance = [coverage(vectors, np.random.default_rng(s).choice(5_000, count, replace=False)) for s in range(5)]
    assert mean < min(c[0] for c in chance)
    assert most < min(c[1] for c in chance)


def test_many_vectors_can_all_be_chosen():
    vectors = blobs(3_000, centers=100)
    assert sorted(choose(vectors, 3_000, seed=3).tolist()) == list(range(3_000))


def test_the_seed_decides_and_nothing_else():
    vectors = blobs(4_000, centers=50)
    assert np.array_equal(choose(vectors, 500, seed=1), choose(vectors, 500, seed=1))
    assert not np.array_equal(choose(vectors, 500, seed=1), choose(vectors, 500, seed=2))


def test_the_nearest_before_is_that_of_a_search_one_by_one():
    vectors = blobs(50)
    place, cosine = nearest_before(vectors)
    wide = np.rint(vectors.astype(np.float64) * 4_000) / 4_000
    for row in range(1, 50):
        products = wide[:row] @ wide[row]
        assert place[row] == products.argmax()
        assert abs(cosine[row] - min(1, products.max())) < 1e-5
    assert (place[0], cosine[0]) == (-1, -2)


def test_one_of_each_crowd_comes_first():
    """Of five crowds of different sizes the first five are one each, the largest crowd's first."""
    centers = np.eye(5, 16)
    crowd = np.repeat(np.arange(5), [50, 40, 30, 20, 10])
    vectors = unit(centers[crowd] + 0.1 * np.random.default_rng(0).standard_normal((150, 16)))
    answer, uris = selected(table_of(vectors), count=5, near_copies_at=1.1)
    assert [crowd[int(uri[:5])] for uri in uris] == [0, 1, 2, 3, 4]
    first, second = answer.table.to_pylist()[:2]
    assert (first["stands_for"], first["score"], first["rank"]) == (50, 1, 1)
    assert first["reason"] == "stands for 49 like it"
    assert second["reason"].startswith(f"stands for 39 like it; nearest of those before: {uris[0]} at ")


def test_copies_are_left_out_and_the_largest_stays():
    """Each image five times: the same bytes once more, and three that are nearly equal, of which one is larger."""
    vectors = blobs(40, centers=40, width=64)
    random = np.random.default_rng(3)
    near = np.concatenate([unit(vectors + 0.002 * random.standard_normal(vectors.shape)) for _ in range(3)])
    table = table_of(np.concatenate([vectors, near]))
    width = np.full(160, 100)
    width[80:120] = 300
    table = table.set_column(3, "width", pa.array(width, pa.int32()))
    again = table.slice(0, 40).set_column(0, "uri", pa.array([f"z{at}.jpg" for at in range(40)]))
    answer, uris = selected(pa.concat_tables([table, again]), share=1.0, near_copies_at=0.99)
    assert sorted(uris) == [f"{at:05d}.jpg" for at in range(80, 120)]
    assert answer.left_out == {"copies": 160, "represented": 0, "without_vector": 0, "unlabeled": 0}
    assert answer.table["copies"].to_pylist() == [4] * 40
    assert answer.table["reason"][0].as_py() == "stands for itself and 4 copies"


def test_all_of_fifty_thousand_equal_images_are_one():
    vectors = np.tile(np.eye(1, 16, dtype=np.float16), (50_000, 1))
    width = np.full(50_000, 100)
    width[40_000] = 200
    table = table_of(vectors).set_column(3, "width", pa.array(width, pa.int32()))
    answer, uris = selected(table, count=100)
    assert uris == ["40000.jpg"]
    assert answer.left_out["copies"] == 49_999


def test_more_than_there_are_gives_all_with_a_remark():
    answer, uris = selected(table_of(blobs(30, width=64)), count=100, near_copies_at=1.1)
    assert len(set(uris)) == 30
    assert answer.remark == "100 images were asked for; only 30 distinct ones are there, and all are selected"
    assert answer.to_json()["remark"] == answer.remark


def test_a_share_is_of_the_distinct_images():
    answer, uris = selected(table_of(blobs(200)), share=0.25, near_copies_at=1.1)
    assert (len(uris), answer.remark) == (50, None)
    assert answer.left_out["represented"] == 150


def test_labels_can_be_balanced_and_so_is_every_beginning():
    names = np.repeat(["ant", "bee", "cat", None], [150, 40, 5, 5])
    table = table_of(blobs(200), label_class=pa.array(names.tolist()))
    answer, uris = selected(table, count=60, balance="class", near_copies_at=1.1)
    chosen = names[[int(uri[:5]) for uri in uris]].tolist()
    assert [chosen.count(name) for name in ("ant", "bee", "cat", None)] == [28, 27, 5, 0]
    for length in (3, 9, 15):
        assert {chosen[:length].count(name) for name in ("ant", "bee", "cat")} == {length // 3}
    assert answer.left_out == {"copies": 0, "represented": 135, "without_vector": 0, "unlabeled": 5}


def test_images_without_a_vector_are_counted():
    vectors = blobs(50)
    holes = pa.FixedSizeListArray.from_arrays(vectors.ravel(), 16, mask=pa.array(np.arange(50) < 7))
    answer, uris = selected(table_of(vectors, descriptor=holes), count=10)
    assert len(uris) == 10
    assert answer.left_out["without_vector"] == 7


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_handful_of_images_is_no_trouble(count):
    assert len(selected(table_of(blobs(count, width=64)), count=5, near_copies_at=1.1)[1]) == count


def test_json_has_the_shape_that_others_build_on():
    document = selected(table_of(blobs(30, width=64)), count=2, near_copies_at=1.1)[0].to_json()
    assert document.keys() == {"schema", "selected", "left_out", "remark"}
    assert document["selected"][1].keys() == {"uri", "score", "stands_for", "copies", "reason"}
    assert sum(one["stands_for"] for one in document["selected"]) == 30


@pytest.mark.parametrize("options", [{"count": 0}, {"share": 0}, {"share": 1.5}, {"near_copies_at": 0}, {"seed": -1}])
def test_settings_that_make_no_sense_are_refused(options):
    with pytest.raises(ConfigError, match=f"select.{next(iter(options))} must be"):
        Settings(**options)


def slow_stand_ins(similarity, at_least, rank):
    result = np.arange(len(rank))
    kept = []
    for row in np.argsort(rank):
        if not any(similarity[row, other] >= at_least for other in kept):
            kept.append(row)
    for row in set(range(len(rank))) - set(kept):
        result[row] = min(kept, key=lambda other: (-similarity[row, other], rank[other]))
    return result


@settings(max_examples=50)
@given(st.integers(2, 40), st.integers(0, 2**32 - 1))
def test_what_stands_for_others_is_found_as_one_by_one(count, seed):
    random = np.random.default_rng(seed)
    neighbors = nearest_others(unit(random.standard_normal((count, 3))), count - 1)
    similarity = np.full((count, count), -2.0, np.float32)
    np.put_along_axis(similarity, neighbors.rows.astype(np.int64), neighbors.similarity, 1)
    rank = random.permutation(count)
    assert stand_ins(neighbors, 0.9, rank, np.arange(count)).tolist() == slow_stand_ins(similarity, 0.9, rank).tolist()


def test_without_neighbors_everyone_stands_for_itself():
    neighbors = Neighbors(np.full((3, 2), -1, np.int32), np.full((3, 2), -2, np.float32))
    assert stand_ins(neighbors, 0.9, np.arange(3), np.arange(3)).tolist() == [0, 1, 2]
