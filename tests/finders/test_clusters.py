"""Clusters are what lies together, told by their most typical images and what sets them apart."""

from datetime import datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vector_collections import WIDTH, around, directions, inputs, unit, with_vectors

from tintype.core.errors import ConfigError
from tintype.finders.clusters import FINDER, Settings, clusters, shared_neighbors
from tintype.finders.communities import communities, connected, links
from tintype.finders.distinctive import distinctive, folders
from tintype.finders.exact_cosine import cosines, paired, to_grid
from tintype.finders.exact_cosine import directions as means
from tintype.finders.kmeans import kmeans, part_sums
from tintype.index.graph import nearest_others
from tintype.testing.finders import FinderContract

SIZES = (40, 25, 15, 8)


class TestClustersContract(FinderContract):
    finder = FINDER


def planted():
    """Clusters of 40, 25, 15 and 8 images, and which each is of."""
    label = np.repeat(np.arange(4), SIZES)
    vectors = directions(4, seed=5)[label] + 0.06 * np.random.default_rng(6).standard_normal((len(label), WIDTH))
    return unit(vectors), label


def members(found):
    return dict(zip(found.table["a_uri"].to_pylist(), found.table["cluster"].to_pylist(), strict=True))


def test_planted_clusters_are_found_the_largest_first():
    vectors, label = planted()
    found = clusters(inputs(with_vectors(vectors)))
    assert members(found) == {f"{row:05d}.jpg": number + 1 for row, number in enumerate(label.tolist())}
    assert [cluster.size for cluster in found.clusters] == list(SIZES)
    assert [cluster.number for cluster in found.clusters] == [1, 2, 3, 4]


@pytest.mark.parametrize("count", [2, 4])
def test_k_means_finds_as_many_as_are_asked_for(count):
    vectors, label = planted()
    found = clusters(inputs(with_vectors(vectors)), Settings(count=count))
    assert len(found.clusters) == count
    assert found.table.num_rows == len(label)
    if count == 4:
        assert members(found) == {f"{row:05d}.jpg": number + 1 for row, number in enumerate(label.tolist())}


def test_the_most_typical_image_is_the_one_most_like_the_others():
    """By brute force: the first representative has the largest sum of cosines with its cluster."""
    vectors, label = planted()
    found = clusters(inputs(with_vectors(vectors)))
    for cluster in found.clusters:
        own = vectors[label == cluster.number - 1].astype(np.float16).astype(float)
        rows = np.flatnonzero(label == cluster.number - 1)
        likeness = own @ own.T
        assert cluster.representatives[0] == f"{rows[likeness.sum(axis=1).argmax()]:05d}.jpg"
        others = ~np.eye(len(own), dtype=bool)
        assert cluster.tightness == pytest.approx(likeness[others].mean(), abs=2e-3)
        assert len(set(cluster.representatives)) == 5


def test_rows_go_from_the_most_typical_outwards():
    table = clusters(inputs(with_vectors(planted()[0]))).table
    keys = list(zip(table["cluster"].to_pylist(), [-score for score in table["score"].to_pylist()], strict=True))
    assert keys == sorted(keys)
    first = table.filter(pa.compute.equal(table["representative"], 1)).to_pylist()
    assert (
        first[0]["reason"]
        == f"in cluster 1 of 40 images around {first[0]['a_uri']}, {first[0]['score']:.2f} like their mean"
    )
    assert set(table.column("tightness").is_null().to_pylist()) == {True, False}


def test_images_in_no_cluster_have_no_row():
    vectors = np.vstack([planted()[0], directions(3, seed=9)])
    found = clusters(inputs(with_vectors(vectors)))
    assert not {f"{row:05d}.jpg" for row in (88, 89, 90)} & set(members(found))


def test_small_clusters_are_left_out():
    found = clusters(inputs(with_vectors(planted()[0])), Settings(fewest=10))
    assert [cluster.size for cluster in found.clusters] == [40, 25, 15]


def test_a_higher_resolution_gives_smaller_clusters():
    table = with_vectors(around(directions(3), 80, spread=1.0))
    sizes = [
        [cluster.size for cluster in clusters(inputs(table), Settings(resolution=value)).clusters] for value in (1, 8)
    ]
    assert max(sizes[1]) < max(sizes[0])


@pytest.mark.parametrize("count", [None, 1, 3])
def test_equal_images_are_one_cluster(count):
    found = clusters(inputs(with_vectors(np.repeat(directions(1), 300, axis=0))), Settings(count=count))
    (cluster,) = found.clusters
    assert cluster.size == 300
    assert cluster.tightness == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize("count", [None, 5])
@pytest.mark.parametrize("images", [0, 1, 2, 6])
def test_a_few_images_are_no_trouble(images, count):
    found = clusters(inputs(with_vectors(directions(6)[:images])), Settings(count=count))
    assert sum(cluster.size for cluster in found.clusters) == found.table.num_rows
    assert (found.table.num_rows == images) or count is None


def test_vectors_that_say_nothing_are_left_out():
    vectors, label = planted()
    vectors = np.vstack([vectors, np.full(WIDTH, np.nan), np.zeros(WIDTH)])
    assert clusters(inputs(with_vectors(vectors))).table.num_rows == len(label)


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1), st.integers(2, 150), st.sampled_from([None, 1, 7]))
def test_the_order_of_rows_changes_nothing(seed, images, count):
    random = np.random.default_rng(seed)
    table = with_vectors(
        unit(directions(5, seed)[random.integers(0, 5, images)] + random.normal(0, 0.1, (images, WIDTH)))
    )
    shuffled = table.take(pa.array(random.permutation(images)))
    options = Settings(count=count)
    assert clusters(inputs(shuffled, 7), options).table.equals(clusters(inputs(table), options).table)


def test_camera_year_folder_and_light_set_a_cluster_apart():
    vectors, label = planted()
    first = label == 0
    table = with_vectors(
        vectors,
        uri=[f"{'trip' if own else f'other{row % 5}'}/{row:05d}.jpg" for row, own in enumerate(first)],
        camera_model=["Canon EOS" if own else f"model {row % 5}" for row, own in enumerate(first)],
        taken_at=[datetime(2015 if own else 2000 + row % 8, 5, 1) for row, own in enumerate(first)],
        is_gray=pa.array(label == 3),
        brightness=pa.array(np.where(label == 2, 0.05, 0.5 + 0.01 * (np.arange(len(label)) % 7)), pa.float32()),
    )
    largest, _, third, fourth = clusters(inputs(table)).clusters
    assert set(largest.distinctive) == {
        "camera model Canon EOS: 100 % here, under 1 % of the others",
        "folder trip: 100 % here, under 1 % of the others",
        "taken in 2015: 100 % here, under 1 % of the others",
    }
    assert fourth.distinctive == ("is gray: yes: 100 % here, under 1 % of the others",)
    assert third.distinctive[0] == "low brightness: at most 0.05 in half of these, in under 1 % of the others"


def test_what_all_images_share_sets_none_apart():
    vectors, label = planted()
    table = with_vectors(vectors, camera_model=["Canon"] * len(label), brightness=pa.nulls(len(label), pa.float32()))
    assert {cluster.distinctive for cluster in clusters(inputs(table)).clusters} == {()}


def test_facts_are_one_printable_line_of_bounded_length():
    part = np.repeat([0, 1], 20)
    texts = pa.table(
        {"label_who": ["x" * 200 + "\n\x1b[31m" if own == 0 else f"b{row}" for row, own in enumerate(part)]}
    )
    (fact,), _ = distinctive(texts, part, 2)
    assert fact.isprintable()
    assert fact.startswith("who xxx")
    assert len(fact) < 110


def test_columns_of_other_types_tell_nothing():
    columns = pa.table({"keywords": [["a"]] * 20, "point": [{"x": 1}] * 20, "none": pa.nulls(20)})
    assert distinctive(columns, np.repeat([0, 1], 10), 2) == [[], []]


def test_folders_are_what_stands_before_the_last_slash():
    uris = pa.array(["a/b/c.jpg", "c.jpg", "a\nb/c", "s.tar#x/y.jpg"])
    assert folders(uris).to_pylist() == ["a/b", None, "a\nb", "s.tar#x"]


def test_json_has_clusters_and_members():
    answer = clusters(inputs(with_vectors(planted()[0]))).to_json()
    assert answer["schema"] == 1
    assert list(answer["clusters"][0]) == ["id", "size", "representatives", "tightness", "distinctive"]
    assert [cluster["id"] for cluster in answer["clusters"]] == [1, 2, 3, 4]
    assert answer["members"]["00000.jpg"] == 1
    assert len(answer["members"]) == sum(SIZES)


@pytest.mark.parametrize(
    "options",
    [{"count": 0}, {"neighbors": 1}, {"resolution": 0}, {"resolution": float("nan")}, {"fewest": 0}, {"seed": -1}],
)
def test_settings_that_make_no_sense_are_refused(options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        Settings(**options)


def modularity(graph, label):
    inside = graph.weight[label[graph.first] == label[graph.second]].sum()
    total = np.bincount(label, graph.degrees())
    return inside / graph.weight.sum() - ((total / graph.weight.sum()) ** 2).sum()


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(2, 60), st.integers(1, 200))
def test_communities_are_connected_and_at_least_as_good_as_components(seed, count, edges):
    random = np.random.default_rng(seed)
    first, second = random.integers(0, count, (2, edges))
    kept = first != second
    graph = links(count, first[kept], second[kept], random.integers(1, 9, kept.sum()))
    label = communities(graph)
    inside = label[graph.first] == label[graph.second]
    component = connected(count, graph.first[inside], graph.second[inside])
    assert len(np.unique(component)) == len(np.unique(label))
    if len(graph.weight):
        assert modularity(graph, label) >= modularity(graph, connected(count, graph.first, graph.second)) - 1e-9


def test_two_cliques_joined_by_one_link_are_two_communities():
    first, second = np.triu_indices(6, 1)
    graph = links(12, np.r_[first, first + 6, 0], np.r_[second, second + 6, 6], np.ones(31, np.int64))
    assert communities(graph).tolist() == [0] * 6 + [1] * 6


def test_shared_neighbors_are_those_of_sets():
    rows = nearest_others(directions(50).astype(np.float16), 7).rows
    first, second, shared = shared_neighbors(rows)
    assert shared.tolist() == [len(set(rows[a]) & set(rows[b])) for a, b in zip(first, second, strict=True)]


def test_cosines_are_exact_whatever_the_order_of_dimensions():
    vectors = to_grid(directions(200, width=1_000))
    order = np.random.default_rng(0).permutation(1_000)
    assert np.array_equal(cosines(vectors, vectors), cosines(vectors[:, order], vectors[:, order]))
    assert np.array_equal(np.diag(cosines(vectors, vectors)), paired(vectors, vectors))
    assert np.allclose(
        cosines(vectors, vectors), directions(200, width=1_000) @ directions(200, width=1_000).T, atol=1e-3
    )


def test_k_means_ends_where_every_image_is_with_its_nearest_mean():
    grid = to_grid(around(directions(5), 30, spread=0.8))
    label = kmeans(grid, 5, seed=0)
    assert np.array_equal(cosines(grid, means(part_sums(grid, label))).argmax(axis=1), label)
