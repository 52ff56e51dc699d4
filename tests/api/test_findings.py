"""Outliers, clusters, leaks, labels, a selection and a map, from scan to answer, kept and found again."""

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import tintype
from tintype.core.errors import TintypeError, UsageError

PHOTOS = sorted((Path(__file__).resolve().parents[2] / "examples" / "photos").glob("*.jpg"))


@pytest.fixture(scope="module")
def clothes(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 photos of clothes with their labels, one of which is wrong."""
    folder = tmp_path_factory.mktemp("clothes")
    table = pq.read_table(data / "clothing-168" / "validation.parquet").slice(0, 200)
    labels = table["label"].to_pylist()
    labels[7] = next(label for label in labels if label != labels[7])
    pq.write_table(table.set_column(1, "label", pa.array(labels)), folder / "clothes.parquet")
    state = pytest.MonkeyPatch()
    state.setenv("XDG_STATE_HOME", str(folder / "state"))
    tintype.scan(folder / "clothes.parquet")
    state.undo()
    return folder


@pytest.fixture
def photos(clothes: Path, monkeypatch: pytest.MonkeyPatch) -> tintype.Collection:
    monkeypatch.setenv("XDG_STATE_HOME", str(clothes / "state"))
    return tintype.open(clothes / "clothes.parquet")


@pytest.mark.parametrize("name", ["outliers", "clusters", "labels", "map"])
def test_answers_are_kept_and_found_again(photos: tintype.Collection, name: str) -> None:
    first = getattr(tintype, name)(photos).to_json()
    _, facts = photos.findings(name)
    assert facts["made_from"] == str(photos.data_version)
    again = tintype.open(photos.place)
    assert getattr(tintype, name)(again).to_json() == first
    assert first["schema"] == 1


def test_the_graph_is_stored_once_for_all(photos: tintype.Collection) -> None:
    tintype.outliers(photos)
    stored = sorted((photos.place / "index").glob("*/*.lance"))
    assert [place.relative_to(photos.place).as_posix() for place in stored] == ["index/descriptor/neighbors.lance"]


def test_a_map_becomes_columns_and_leaves_other_answers_as_they_are(photos: tintype.Collection) -> None:
    before = tintype.outliers(photos).to_json()
    points = {point["uri"]: (point["x"], point["y"]) for point in tintype.map(photos).to_json()["points"]}
    again = tintype.open(photos.place)
    rows = again.table(["uri", "map_x", "map_y"]).to_pylist()
    assert {row["uri"]: (round(row["map_x"], 4), round(row["map_y"], 4)) for row in rows} == points
    _, facts = again.findings("outliers")
    assert facts["made_from"] == str(again.data_version)
    assert tintype.outliers(again).to_json() == before
    assert len(again.table(["uri"], where="map_x >= 0.5")) < len(again)


def test_labels_and_their_column(photos: tintype.Collection) -> None:
    document = tintype.labels(photos, "label").to_json()
    assert {"clothes.parquet#7"} & {suspect["uri"] for suspect in document["suspects"]}
    with pytest.raises(TintypeError, match="no"):
        tintype.labels(photos, "species")


def test_a_selection_has_as_many_as_asked_for_and_each_prefix_is_one(photos: tintype.Collection) -> None:
    ten = [row["uri"] for row in tintype.select(photos, 10).to_json()["selected"]]
    assert len(set(ten)) == 10
    assert len(tintype.select(photos, 100_000).to_json()["selected"]) <= 200


def test_leaks_between_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    root = tmp_path / "root"
    for part, some in (("train", PHOTOS[:8]), ("test", PHOTOS[8:12])):
        (root / part).mkdir(parents=True)
        for photo in some:
            shutil.copy(photo, root / part)
    shutil.copy(PHOTOS[0], root / "test" / "leak.jpg")
    document = tintype.leaks(tintype.scan(root), "folder").to_json()
    pairs = {frozenset((leak["a"], leak["b"])) for leak in document["leaks"] if leak["relation"] == "identical"}
    assert pairs == {frozenset((f"train/{PHOTOS[0].name}", "test/leak.jpg"))}


def test_a_collection_without_vectors_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "root").mkdir()
    for photo in PHOTOS[:3]:
        shutil.copy(photo, tmp_path / "root")
    bare = tintype.scan(tmp_path / "root", stages=["phash"])
    for name in ("outliers", "clusters"):
        assert not getattr(tintype, name)(bare).to_json()[name]
        assert any("descriptor" in words for words in tintype.api.remarks(bare, name))
    with pytest.raises(UsageError, match="descriptor"):
        tintype.neighbors(bare, PHOTOS[0].name)


def test_an_answer_of_a_stranger_is_neither_used_nor_kept(
    photos: tintype.Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy.tintype"
    shutil.copytree(photos.place, copy)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "stranger"))
    before = sorted(path.as_posix() for path in copy.rglob("*"))
    stranger = tintype.open(copy)
    expected = tintype.outliers(stranger).to_json()
    assert pc.sum(pc.is_valid(tintype.map(stranger).table["map_x"])).as_py() == 200
    assert sorted(path.as_posix() for path in copy.rglob("*")) == before
    assert expected == tintype.outliers(photos).to_json()
