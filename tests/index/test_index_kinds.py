"""Every kind of index keeps one contract: what it finds, how near it says that is, and what it refuses."""

import numpy as np
import pytest
from index_makers import DESIGNS, Given, built, given, ids_found

from tintype.core.errors import UsageError
from tintype.index.choice import FLAT_MOST, GRAPH_LEAST, choose
from tintype.index.opened import OpenIndex
from tintype.testing.index import DIMENSIONS, made_vectors, true_nearest

COUNT = 3_000


@pytest.fixture(scope="module", params=list(DESIGNS))
def design(request):
    return request.param


@pytest.fixture(scope="module")
def place(design, tmp_path_factory):
    place = tmp_path_factory.mktemp("kinds") / "index"
    with pytest.MonkeyPatch.context() as patch:
        built(patch, place, given(COUNT), design)
    return place


@pytest.fixture(scope="module")
def index(place):
    return OpenIndex.open(place)


def test_finds_the_true_nearest_with_their_cosines(index, design):
    vectors, queries = made_vectors(COUNT), made_vectors(COUNT + 200)[COUNT:]
    hits, true = index.search(queries, 10), true_nearest(np.arange(COUNT), vectors, queries, 10)
    shares = [len(set(a) & set(b)) / 10 for a, b in zip(hits.rows.tolist(), true.rows.tolist(), strict=True)]
    assert np.mean(shares) >= (1 if design == "flat" else 0.9)
    cosines = np.einsum("qd,qkd->qk", queries.astype(np.float32), vectors[hits.rows].astype(np.float32))
    assert hits.similarity == pytest.approx(cosines, abs=0.01 if design == "product" else 0.001)
    assert (np.diff(hits.similarity, axis=1) <= 0).all()


def test_flat_is_the_oracle_to_the_last_bit(tmp_path, monkeypatch):
    built(monkeypatch, tmp_path / "index", given(COUNT), "flat")
    vectors, queries = made_vectors(COUNT), made_vectors(COUNT + 200)[COUNT:]
    hits = OpenIndex.open(tmp_path / "index").search(queries, 10)
    true = true_nearest(np.arange(COUNT), vectors, queries, 10)
    assert np.array_equal(hits.rows, true.rows)
    assert np.array_equal(hits.similarity, true.similarity)


def test_says_the_recall_that_it_has(index):
    """Measured by comparing every sixth vector with all, its own left out."""
    vectors = made_vectors(COUNT)
    rows = np.arange(0, COUNT, 6)
    hits, true = index.search(vectors[rows], 11), true_nearest(np.arange(COUNT), vectors, vectors[rows], 11)
    found = wanted = 0
    for own, mine, theirs in zip(rows.tolist(), hits.rows.tolist(), true.rows.tolist(), strict=True):
        nearest = [row for row in theirs if row != own][:10]
        wanted += len(nearest)
        found += len(set(nearest) & set([row for row in mine if row != own][:10]))
    assert found / wanted == pytest.approx(index.record.measured.recall, abs=0.025)
    assert index.record.is_reached


def test_knows_rows_by_their_ids(index):
    assert ids_found(index, made_vectors(COUNT)[40:43], 1) == [["image 40"], ["image 41"], ["image 42"]]
    assert index.row("image 2999") == 2_999
    assert index.row("image 3000") is None
    assert index.vector("image 7") == pytest.approx(made_vectors(COUNT)[7].astype(np.float32), abs=0.01)
    with pytest.raises(UsageError, match="nobody is not in the index"):
        index.vector("nobody")


def test_answers_a_query_alone_as_among_others(index):
    queries = made_vectors(COUNT + 40)[COUNT:]
    together = index.search(queries, 7)
    for row in range(0, 40, 9):
        alone = index.search(queries[row : row + 1], 7)
        assert alone.rows.tolist() == [together.rows[row].tolist()]


def test_takes_queries_of_any_length_and_type(index):
    query = made_vectors(COUNT)[5:6].astype(np.float64)
    for asked in (query * 1e300, query * 1e-300, query.astype(np.float32) * 7, np.rint(query * 1_000).astype(np.int64)):
        assert ids_found(index, asked, 1) == [["image 5"]]


def test_k_may_be_larger_than_the_index(tmp_path, design, monkeypatch):
    built(monkeypatch, tmp_path / "index", given(20), design)
    index = OpenIndex.open(tmp_path / "index")
    hits = index.search(made_vectors(20)[:2], 50)
    assert hits.rows.shape == (2, 50)
    found = [row[row >= 0] for row in hits.rows]
    assert all(len(set(row.tolist())) == len(row) <= 20 for row in found)
    assert (hits.similarity[hits.rows < 0] == -2).all()
    if design == "flat":
        assert [len(row) for row in found] == [20, 20]


def test_a_crowd_of_equal_vectors_is_taken(tmp_path, design, monkeypatch):
    vectors = np.repeat(made_vectors(2), [2_000, 1], axis=0)
    built(monkeypatch, tmp_path / "index", Given([str(row) for row in range(2_001)], vectors), design)
    index = OpenIndex.open(tmp_path / "index")
    if design != "graph":  # out of a crowd no link leads; none is chosen where there are crowds
        assert ids_found(index, vectors[-1:], 1) == [["2000"]]
    assert index.record.measured.recall > 0.99


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (np.zeros((1, DIMENSIONS)), "like nothing"),
        (np.full((1, DIMENSIONS), np.nan), "like nothing"),
        (np.full((1, DIMENSIONS), np.inf), "like nothing"),
        (made_vectors(1, 8), "the vector has 8 numbers; those of this index have 32"),
        (made_vectors(1)[0], "vectors of 32 numbers are needed"),
        (np.array([["a"] * DIMENSIONS]), "vectors of 32 numbers are needed"),
    ],
)
def test_refuses_queries_that_are_like_nothing(tmp_path, monkeypatch, query, words):
    built(monkeypatch, tmp_path / "index", given(20), "flat")
    index = OpenIndex.open(tmp_path / "index")
    with pytest.raises(UsageError, match=words):
        index.search(query, 1)
    with pytest.raises(UsageError, match="k must be at least 1"):
        index.search(made_vectors(1), 0)


def test_the_same_vectors_make_the_same_files(tmp_path, monkeypatch, design, place):
    built(monkeypatch, tmp_path / "again", given(COUNT), design)
    names = [path.name for path in place.iterdir() if path.suffix in (".npy", ".npz", ".arrow")]
    assert len(names) > 4
    for name in names:
        assert (tmp_path / "again" / name).read_bytes() == (place / name).read_bytes(), name


def test_the_choice_follows_number_memory_and_recall():
    gigabyte = 1 << 30
    assert choose(FLAT_MOST, 256, gigabyte, 0.95).kind == "flat"
    assert choose(10_000_000, 256, gigabyte, 1).kind == "flat"
    assert choose(GRAPH_LEAST, 256, gigabyte, 0.99).kind == "graph"
    assert choose(GRAPH_LEAST, 256, gigabyte, 0.99, has_crowds=True).kind == "lists"
    assert choose(GRAPH_LEAST, 256, gigabyte, 0.95).coding == "float16"
    assert choose(GRAPH_LEAST - 1, 256, gigabyte, 0.99).kind == "lists"
    assert choose(10_000_000, 256, 16 * gigabyte, 0.95).coding == "float16"
    assert choose(10_000_000, 256, 4 * gigabyte, 0.95).coding == "int8"
    product = choose(10_000_000, 256, gigabyte, 0.95)
    assert (product.coding, product.stored, product.subvectors) == ("product", "int8", 32)
    assert choose(10_000_000, 256, gigabyte, 0.98).stored == "float16"


@pytest.mark.parametrize("dimensions", [1, 7, 256, 768, 4_096])
@pytest.mark.parametrize("memory_bytes", [1 << 29, 1 << 32, 1 << 36])
@pytest.mark.parametrize("count", [30_000, 1_000_000, 100_000_000])
def test_what_is_chosen_fits_or_the_memory_that_would_do_is_named(count, dimensions, memory_bytes):
    try:
        design = choose(count, dimensions, memory_bytes, 0.95)
    except UsageError as error:
        named = int(str(error).split("--memory ")[1].split("MB")[0]) * 1_000_000
        assert named > memory_bytes
        assert choose(count, dimensions, named + 1_000_000, 0.95).kind == "lists"
    else:
        assert design.resident_bytes(count, dimensions) <= 0.8 * memory_bytes
