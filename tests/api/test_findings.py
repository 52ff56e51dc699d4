"""Outliers, clusters, leaks, labels, a selection and a map, from scan to answer, kept and found again."""

import os
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

import tintype
from tintype.core.errors import ConfigError, TintypeError, UsageError
from tintype.core.progress import Progress
from tintype.core.settings import Config

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
    suspects = tintype.labels(photos, "label").to_json()["suspects"]
    assert suspects[0]["uri"] == "clothes.parquet#7"
    assert len(suspects) <= 2
    assert len(suspects[0]["nearest"]) == 5
    with pytest.raises(TintypeError, match="no"):
        tintype.labels(photos, "species")


def test_a_selection_has_as_many_as_asked_for_and_each_prefix_is_one(photos: tintype.Collection) -> None:
    ten = [row["uri"] for row in tintype.select(photos, 10).to_json()["selected"]]
    assert len(set(ten)) == 10
    assert len(tintype.select(photos, 100_000).to_json()["selected"]) <= 200


@pytest.mark.parametrize("value", [2.5, True, "ten", -1, float("nan"), [3]])
def test_odd_arguments_are_one_line(photos: tintype.Collection, value: Any) -> None:
    calls = (
        lambda: tintype.select(photos, value),
        lambda: tintype.duplicates(photos, value),
        lambda: tintype.labels(photos, value),
        lambda: tintype.leaks(photos, value),
    )
    for call in calls:
        with pytest.raises((ConfigError, UsageError)) as raised:
            call()
        assert str(raised.value).isprintable()


def test_numbers_of_numpy_are_numbers(photos: tintype.Collection) -> None:
    assert len(tintype.select(photos, np.int64(3)).table) == 3
    with pytest.raises(ConfigError):
        tintype.select(photos, np.float64(2.5))


def test_leaks_go_by_the_settings_of_duplicates(splits: Path) -> None:
    photos = tintype.scan(splits)

    def relations(config: Config | None = None) -> set[str]:
        return {leak["relation"] for leak in tintype.leaks(photos, "folder", config).to_json()["leaks"]}

    everything = relations()
    assert {"identical", "resized"} <= everything
    assert relations(tintype.config().replace({"duplicates.perceptual": False})) == {"identical"}
    assert relations() == everything


def test_what_a_finder_is_at_can_be_heard(splits: Path) -> None:
    photos = tintype.scan(splits)
    heard: dict[str, list[Progress]] = {}
    for verb in ("duplicates", "outliers", "clusters", "map", "select", "leaks"):
        arguments = {"by": "folder"} if verb == "leaks" else {"count": 3} if verb == "select" else {}
        getattr(tintype, verb)(photos, progress=heard.setdefault(verb, []).append, **arguments)
    phases = {verb: {moment.phase for moment in moments} for verb, moments in heard.items()}
    assert phases["duplicates"] == {"looking for the nearest of each image", "looking at thumbnails"}
    assert "sorting into clusters" in phases["clusters"]
    rounds = [moment for moment in heard["map"] if moment.phase.startswith("laying out")]
    assert [moment.done for moment in rounds] == list(range(500))
    assert all(moment.total == 500 for moment in rounds)
    seconds = [moment.seconds for moment in heard["map"]]
    assert seconds == sorted(seconds)


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


@pytest.fixture
def splits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Photos in train/ and test/, small copies of the first in test/ and val/, and a hard link across."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    root = tmp_path / "splits"
    for part, some in (("train", PHOTOS[:8]), ("test", PHOTOS[8:12]), ("val", PHOTOS[12:15])):
        (root / part).mkdir(parents=True)
        for photo in some:
            shutil.copy(photo, root / part)
    photo = cv2.imread(PHOTOS[0])
    for part, side in (("test", 0.5), ("val", 0.6)):
        cv2.imwrite(root / part / "copy.jpg", cv2.resize(photo, None, fx=side, fy=side, interpolation=cv2.INTER_AREA))
    os.link(root / "train" / PHOTOS[1].name, root / "test" / "linked.jpg")
    return root


def leaking(photos: tintype.Collection) -> set[frozenset[str]]:
    return {frozenset((leak["a"], leak["b"])) for leak in tintype.leaks(photos, "folder").to_json()["leaks"]}


def test_leaks_obey_decisions_also_through_a_third_image(splits: Path) -> None:
    photos = tintype.scan(splits)
    pair = frozenset(("val/copy.jpg", "test/copy.jpg"))
    assert pair in leaking(photos)
    tintype.decide(photos, "not-duplicate", sorted(pair))
    assert leaking(photos) == leaking(photos) - {pair}
    assert any("val/copy.jpg" in leak for leak in leaking(photos))  # still a copy of what is in train


def test_a_file_with_a_name_in_two_splits_leaks(splits: Path) -> None:
    photos = tintype.scan(splits)
    assert frozenset((f"train/{PHOTOS[1].name}", "test/linked.jpg")) in leaking(photos)
    assert not any("linked.jpg" in str(group) for group in tintype.duplicates(photos).groups)


def test_a_column_that_is_not_there_is_refused_and_changes_nothing(photos: tintype.Collection) -> None:
    tintype.map(photos)
    before = tintype.open(photos.place).table(["map_x"])
    for name, message in (("typo", "never computed"), ("uri", "no vectors"), ("width", "no vectors")):
        for finder in ("map", "outliers", "duplicates", "clusters"):
            config = tintype.config().replace({f"{finder}.vectors": name})
            with pytest.raises(UsageError, match=message):
                getattr(tintype, finder)(tintype.open(photos.place), config=config)
    assert tintype.open(photos.place).table(["map_x"]).equals(before)


def test_findings_that_rotted_on_the_disk_are_made_anew(photos: tintype.Collection) -> None:
    expected = tintype.outliers(photos).to_json()
    files = sorted(photos.layout.findings("outliers").glob("data/*"))
    tintype.clusters(photos)
    clusters = tintype.clusters(photos).to_json()
    for file in [*files, *photos.layout.findings("clusters").glob("data/*")]:
        content = bytearray(file.read_bytes())
        for at in range(40, len(content) - 200, 97):
            content[at] ^= 0x10
        file.write_bytes(content)
    again = tintype.open(photos.place)
    assert tintype.outliers(again).to_json() == expected
    assert tintype.clusters(again).to_json() == clusters


def test_a_comparison_with_nothing_finds_nothing(splits: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    photos, empty = tintype.scan(splits), tintype.scan(tmp_path / "empty")
    assert tintype.duplicates(photos, against=empty).pairs.num_rows == 0
    assert tintype.duplicates(empty, against=photos).pairs.num_rows == 0


def test_a_comparison_names_what_is_known_already(splits: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    shutil.copy(PHOTOS[0], tmp_path / "new" / "again.jpg")
    shutil.copy(PHOTOS[20], tmp_path / "new" / "other.jpg")
    known = tintype.scan(splits)
    before = sorted(path.as_posix() for path in known.place.rglob("*"))
    found = tintype.duplicates(tintype.scan(tmp_path / "new"), against=known)
    assert set(found.pairs["a_uri"].to_pylist()) == {"again.jpg"}
    assert f"train/{PHOTOS[0].name}" in found.pairs["b_uri"].to_pylist()
    assert sorted(path.as_posix() for path in known.place.rglob("*")) == before


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
