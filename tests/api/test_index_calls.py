"""Indexes as a user meets them: built from a collection or from files, by a call or a command."""

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tintype
from tintype.api import indexes
from tintype.cli.main import main
from tintype.core.errors import (
    CollectionError,
    CollectionNotTrusted,
    ModelError,
    SourceError,
    UsageError,
)
from tintype.testing.index import made_vectors

PHOTOS = sorted((Path(__file__).resolve().parents[2] / "examples" / "photos").glob("*.jpg"))


@pytest.fixture(autouse=True)
def own_state(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture(scope="module")
def scanned(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("photos")
        patch.setenv("XDG_STATE_HOME", str(home / "state"))
        (home / "root").mkdir()
        for photo in PHOTOS[:12]:
            shutil.copy(photo, home / "root")
        (home / "root" / "cut.jpg").write_bytes(PHOTOS[0].read_bytes()[:500])
        tintype.scan(home / "root", workers=1)
    return home


@pytest.fixture
def photos(scanned, tmp_path):
    shutil.copytree(scanned / "state", tmp_path / "state")
    shutil.copytree(scanned / "root", tmp_path / "root")
    return tmp_path / "root"


@pytest.fixture
def files(tmp_path):
    """A folder of three Parquet files with 1,500 vectors."""
    place = tmp_path / "vectors"
    place.mkdir()
    for part in range(3):
        write(
            place / f"{part}.parquet", [f"{row}.jpg" for row in range(part * 500, part * 500 + 500)], 1_500, part * 500
        )
    return place


def write(path, ids, count, first, seed=0):
    vectors = made_vectors(count, seed=seed)[first : first + len(ids)]
    lists = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1)), vectors.shape[1])
    pq.write_table(pa.table({"id": ids, "embedding": lists}), path)


def run(capsys, *words):
    code = main(["index", *map(str, words)])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def document(capsys, *words):
    code, out, _ = run(capsys, *words, "--json")
    assert code == 0
    return json.loads(out)


def test_a_collections_column_is_indexed_and_searched_by_a_file(photos, tmp_path):
    index = indexes.build_index(photos, column="descriptor")
    assert len(index) == 12  # the cut one has no vector
    assert index.record.skipped.missing == 1
    assert index.place == photos / ".tintype" / "index" / "descriptor" / "search"
    outside = tmp_path / "outside.jpg"
    shutil.copy(PHOTOS[3], outside)
    by_file = indexes.search_index(photos, image=outside, k=4)
    assert by_file.ids[0] == PHOTOS[3].name
    assert by_file.similarity[0] == pytest.approx(1, abs=0.001)
    by_id = indexes.search_index(photos, id=PHOTOS[3].name, k=3)
    assert by_id.ids == by_file.ids[1:]
    near = tintype.neighbors(tintype.open(photos), PHOTOS[3].name, k=3)
    assert list(by_id.ids) == near.table["b_uri"].to_pylist()
    assert by_id.similarity == pytest.approx(near.table["cosine"].to_pylist(), abs=1e-4)
    assert len(indexes.search_index(photos, id=PHOTOS[3].name, k=100).ids) == 11


def test_an_index_that_is_older_than_its_vectors_says_so_and_takes_what_is_new(photos, capsys):
    indexes.build_index(photos, column="descriptor")
    assert indexes.open_index(photos).is_outdated is False
    shutil.copy(PHOTOS[14], photos / "new.jpg")
    tintype.scan(photos, workers=1)
    assert indexes.open_index(photos).is_outdated is True
    _, _, words = run(capsys, "search", photos, "--id", PHOTOS[3].name)
    assert words.startswith("The index is older than its vectors.")
    done = indexes.add_to_index(photos, photos, column="descriptor")
    assert (done.changed, done.unchanged, done.skipped) == (1, 12, {"missing": 1})
    assert done.index.is_outdated is False
    assert len(done.index) == 13


def test_the_command_does_all_of_it(files, tmp_path, capsys):
    built = document(capsys, "build", files, "--memory", "1GB", "--recall", "0.9")["index"]
    assert (built["vectors"], built["dimensions"], built["kind"], built["recall"]) == (1_500, 32, "flat", 1.0)
    assert built["place"] == f"{files}.index"
    hits = document(capsys, "search", files, "--id", "7.jpg", "-k", "3")["hits"]
    assert len(hits) == 3
    np.save(tmp_path / "query.npy", made_vectors(1_500)[7])
    by_vector = document(capsys, "search", f"{files}.index", "--vector", tmp_path / "query.npy", "-k", "4")["hits"]
    assert by_vector[0]["id"] == "7.jpg"
    assert by_vector[1:] == hits
    (tmp_path / "ids.txt").write_text(f"{hits[0]['id']}\r\n\nnobody\n")
    removed = document(capsys, "remove", files, tmp_path / "ids.txt")
    assert (removed["changed"], removed["unchanged"], removed["index"]["vectors"]) == (1, 1, 1_499)
    assert hits[0] not in document(capsys, "search", files, "--id", "7.jpg", "-k", "3")["hits"]
    write(tmp_path / "more.parquet", ["new.jpg"], 1, 0, seed=5)
    added = document(capsys, "add", files, tmp_path / "more.parquet")
    assert (added["changed"], added["index"]["vectors"]) == (1, 1_500)
    info = document(capsys, "info", files, "--check")["index"]
    assert info["removed"] == 1
    assert info["is_outdated"] is False
    code, out, _ = run(capsys, "info", files)
    assert code == 0
    assert "1,500 of 32 numbers; 1 removed" in out
    assert "recall@10" in out


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["search", "{index}", "--id", "nobody"], 2, "nobody is not in the index"),
        (["search", "{index}"], 2, "one of --image, --vector and --id"),
        (["search", "{index}", "--id", "1.jpg", "--vector", "{index}"], 4, "not an array of numpy's"),
        (["search", "{index}", "--image", "{photo}"], 2, "by which model its vectors were made: --model CARD"),
        (["search", "{index}", "--image", "{photo}", "--model", "nothing"], 16, "no card is named 'nothing'"),
        (["search", "{index}", "--image", "{photo}", "--model", "descriptor"], 2, "those of this index have 32"),
        (["search", "{index}", "--image", "missing.jpg", "--model", "descriptor"], 4, "cannot be read"),
        (["search", "{vectors}/0.parquet", "--id", "1.jpg"], 5, "no index here. Make one"),
        (["build", "{vectors}", "--memory", "much"], 2, "a size such as 4GB"),
        (["build", "{vectors}", "--memory", "1MB"], 2, "at least 512MB"),
        (["build", "{vectors}", "--recall", "2"], 2, "--recall"),
        (["build", "{vectors}", "--column", "other"], 4, "no column other. There are: id, embedding"),
        (["build", "{vectors}", "--output", "{vectors}"], 2, "something else than an index"),
        (["build", "nothing"], 4, "no such file or folder"),
        (["add", "{index}", "nothing"], 4, "no such file or folder"),
        (["remove", "{index}", "nothing"], 4, "cannot be read as ids"),
        (["info", "nothing"], 5, "no index here"),
    ],
)
def test_what_goes_wrong_is_one_line(files, capsys, words, code, said):
    index = indexes.build_index(files).place
    places = {"index": index, "vectors": files, "photo": PHOTOS[0]}
    found, out, err = run(capsys, *(word.format(**places) for word in words))
    assert (found, out) == (code, "")
    assert said in err
    assert len(err.splitlines()) == 1


def test_a_collection_must_say_which_vectors(photos):
    with pytest.raises(UsageError, match=r"There are: .*descriptor"):
        indexes.build_index(photos)
    with pytest.raises(UsageError, match=r"has no index\. Make one"):
        indexes.open_index(photos)
    with pytest.raises(UsageError, match="has no vectors 'uri'"):
        indexes.build_index(photos, column="uri")


def test_a_collection_of_somebody_elses_is_indexed_elsewhere(photos, tmp_path, monkeypatch):
    indexes.build_index(photos, column="descriptor")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "nobody"))
    for call in (lambda: indexes.build_index(photos, column="descriptor"), lambda: indexes.open_index(photos)):
        with pytest.raises(CollectionNotTrusted):
            call()
    index = indexes.build_index(photos, column="descriptor", output=tmp_path / "mine")
    assert indexes.search_index(index, id=PHOTOS[3].name, k=1).ids


def test_an_index_outlives_its_vectors(files):
    place = indexes.build_index(files).place
    shutil.rmtree(files)
    opened = indexes.open_index(place)
    assert opened.is_outdated is None
    assert len(opened.search_id("3.jpg", 5).ids) == 5
    moved = place.with_name("moved")
    place.rename(moved)
    assert indexes.open_index(moved).search_id("3.jpg", 5) == opened.search_id("3.jpg", 5)


def test_the_sizes_that_people_write():
    for text, size in (("4GB", 4 << 30), ("4G", 4 << 30), ("512 MiB", 512 << 20), ("1.5gb", 3 << 29), (4096, 4096)):
        assert indexes.size_in_bytes(text) == size
    for text in ("", "GB", "4 XB", "-1GB", "4GBs"):
        with pytest.raises(UsageError):
            indexes.size_in_bytes(text)


def test_one_vector_is_asked_for(files, tmp_path):
    np.save(tmp_path / "row.npy", made_vectors(1_500)[3:4])
    assert indexes.vector_in(tmp_path / "row.npy").shape == (32,)
    np.save(tmp_path / "many.npy", made_vectors(3))
    with pytest.raises(UsageError, match="one vector is needed"):
        indexes.vector_in(tmp_path / "many.npy")
    (tmp_path / "text.npy").write_text("no array")
    with pytest.raises(SourceError, match="not an array of numpy's"):
        indexes.vector_in(tmp_path / "text.npy")
    with pytest.raises(CollectionError):
        indexes.open_index(tmp_path / "none")
    with pytest.raises(ModelError):
        indexes.search_index(indexes.build_index(files), image=PHOTOS[0], model="no_such_card")
