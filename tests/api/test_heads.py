"""Heads from words, from labels and from numbers, then asked: the same as the model's own library and as arithmetic."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from head_collections import append, around, collection_of, digest, directions

import tintype
from tintype.api.heads import train_head, zero_shot_head
from tintype.api.predicting import predict
from tintype.core.errors import CollectionNotTrusted, ModelError, UsageError
from tintype.models import registry
from tintype.models.card import Card
from tintype.store.lance import LanceStore

PHOTOS = sorted((Path(__file__).parents[2] / "examples" / "photos").glob("*.jpg"))[:6]
KINDS = ("cat", "dog", "Ünïcode, with a comma")


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "clip" not in request.fixturenames:
        monkeypatch.setenv("TINTYPE_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def photos(place: Path, count: int = 90, unlabeled: int = 30) -> tuple[tintype.Collection, np.ndarray]:
    """Images around three directions; the last ones have no label, and one has no vector. `beauty` is a number."""
    classes = np.arange(count) % 3
    vectors = around(directions(3), classes, spread=0.7)
    vectors[4] = np.nan
    beauty = 5 + 2 * np.nan_to_num(vectors)[:, 0]
    labels = [KINDS[number] if row < count - unlabeled else None for row, number in enumerate(classes)]
    stars = [None if row == 7 else int(value) for row, value in enumerate(beauty)]
    return collection_of(place, vectors, label_kind=labels, beauty=beauty, stars=stars), classes


def test_labels_are_learned_and_told_of_the_others(tmp_path: Path) -> None:
    collection, classes = photos(tmp_path / "c")
    card = train_head("kind", "descriptor", collection, "kind")
    assert card.figures["images"] == 59
    assert card.figures["accuracy"] > 0.95
    assert set(card.figures["classes"]) == set(KINDS)
    assert card.recipe | {"column": "kind", "images_with_a_value": 60} == card.recipe
    found = predict(collection, "kind", top=2)
    assert (found.counts.computed, found.columns[0]) == (90, "predict_kind")
    told = found.collection.table(["uri", "predict_kind", "predict_kind_confidence"]).to_pylist()
    assert [row["predict_kind"] for row in told if row["uri"] >= "0000060"] == [KINDS[n] for n in classes[60:]]
    assert found.classes is not None
    assert (sum(found.classes.values()), found.unsure) == (89, 1)
    where = "predict_kind = 'dog' and predict_kind_confidence > 0.5"
    assert len(found.collection.table(["uri"], where)) > 20
    assert predict(found.collection, "kind", top=2).counts.computed == 0


def test_the_same_collection_gives_the_same_head_in_any_order_of_rows(tmp_path: Path) -> None:
    collection, _ = photos(tmp_path / "c")
    first = train_head("one", "descriptor", collection, "label_kind")
    vectors, classes = around(directions(3), np.arange(90) % 3, spread=0.7), np.arange(90) % 3
    vectors[4] = np.nan
    labels = [KINDS[number] if row < 60 else None for row, number in enumerate(classes)]
    # The same images in two fragments, the later ones first: digests say who they are, not rows.
    halves = collection_of(tmp_path / "d", vectors[:0], label_kind=pa.array([], pa.string()))
    store = LanceStore.open(halves.layout.images)
    for start in (45, 0):
        part = slice(start, start + 45)
        append(store, vectors[part], shard=f"s{start}", start=start, label_kind=pa.array(labels[part]))
    second = train_head("two", "descriptor", tintype.Collection.open(tmp_path / "d"), "kind")
    assert (first.weights, first.figures) == (second.weights, second.figures)


def test_numbers_are_learned(tmp_path: Path) -> None:
    collection, _ = photos(tmp_path / "c", count=900)
    card = train_head("nice", "descriptor", collection, "beauty")
    assert card.figures["r2"] > 0.9
    found = predict(collection, "nice")
    assert (found.columns, found.classes) == (("predict_nice",), None)
    rows = found.collection.table(["beauty", "predict_nice"]).to_pylist()
    assert rows[4]["predict_nice"] is None
    off = [abs(row["beauty"] - row["predict_nice"]) for row in rows if row["predict_nice"] is not None]
    assert np.mean(off) < 0.1
    told = [row["predict_nice"] for row in rows if row["predict_nice"] is not None]
    assert found.number == pytest.approx({"lowest": min(told), "mean": np.mean(told), "highest": max(told)})


def test_whole_numbers_are_classes_unless_it_is_said(tmp_path: Path) -> None:
    collection, _ = photos(tmp_path / "c", count=120)
    classes = train_head("stars", "descriptor", collection, "stars")
    assert classes.outputs[0].meaning == "probabilities"
    assert train_head("stars_number", "descriptor", collection, "stars", kind="number").outputs[0].meaning == "score"
    with pytest.raises(UsageError, match="'both'"):
        train_head("x", "descriptor", collection, "stars", kind="both")
    with pytest.raises(UsageError, match="holds string, not numbers"):
        train_head("x", "descriptor", collection, "kind", kind="number")


def test_copies_count_once_and_labels_that_differ_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = around(directions(2), np.arange(40) % 2, spread=0.5)
    monkeypatch.setattr("head_collections.digest", lambda row: digest(row % 20))
    labels = ["a" if row % 2 else "b" for row in range(40)]
    labels[21] = "b"  # of the same bytes as row 1
    collection = collection_of(tmp_path / "c", vectors, label_kind=labels)
    assert train_head("kind", "descriptor", collection, "kind").figures["images"] == 19


def test_of_very_many_images_some_are_taken_and_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tintype.api.head_data.MOST_IMAGES", 30)
    collection, _ = photos(tmp_path / "c")
    recipe = train_head("kind", "descriptor", collection, "kind").recipe
    assert (recipe["images_with_a_value"], recipe["images"] in (29, 30)) == (60, True)


@pytest.mark.parametrize(
    ("column", "said"),
    [
        pytest.param("color", "no label 'color' here: there are label_kind", id="no such column"),
        pytest.param("_shard", "no label '_shard' here", id="an inner column"),
        pytest.param("descriptor", "sorts images into nothing", id="vectors"),
        pytest.param("digest", "sorts images into nothing", id="bytes"),
        pytest.param("format", "no image here has both", id="nothing in it"),
        pytest.param("status", "1 of 1 labels", id="one class"),
        pytest.param("folder", "no image here has both", id="no folders"),
    ],
)
def test_what_teaches_nothing_is_refused(column: str, said: str, tmp_path: Path) -> None:
    collection, _ = photos(tmp_path / "c")
    with pytest.raises(UsageError, match=rf"^[^\n]*{said}[^\n]*$"):
        train_head("x", "descriptor", collection, column)
    assert not (tmp_path / "models").exists()


def test_labels_that_a_terminal_would_obey_are_refused(tmp_path: Path) -> None:
    labels = ["plain" if row % 2 else "\x1b[2J" for row in range(20)]
    collection = collection_of(tmp_path / "c", around(directions(2), np.arange(20) % 2, 0.5), label_kind=labels)
    with pytest.raises(ModelError, match=r"^[^\n\x1b]*cannot be a name[^\n\x1b]*$"):
        train_head("x", "descriptor", collection, "kind")


def test_a_name_that_is_taken_is_told_before_anything_is_learned(tmp_path: Path) -> None:
    collection, _ = photos(tmp_path / "c")
    train_head("kind", "descriptor", collection, "kind")
    with pytest.raises(ModelError, match="already named kind"):
        train_head("kind", "descriptor", collection, "no such column")


def test_somebody_else_s_collection_is_not_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    collection, _ = photos(tmp_path / "c")
    train_head("kind", "descriptor", collection, "kind")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "other"))
    with pytest.raises(CollectionNotTrusted):
        predict(tintype.Collection.open(collection.place), "kind")


def test_a_model_of_images_is_no_head(tmp_path: Path) -> None:
    collection, _ = photos(tmp_path / "c")
    with pytest.raises(ModelError, match="is no head"):
        predict(collection, "descriptor")


def test_findings_of_predicted_columns_do_not_outlive_them(tmp_path: Path) -> None:
    collection, _ = photos(tmp_path / "c")
    train_head("kind", "descriptor", collection, "kind")
    before = predict(collection, "kind").collection.data_version
    assert predict(collection, "kind", min_confidence=0.5).collection.data_version > before


# Words


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Card]:
    libraries = pytest.importorskip("torch_libraries", reason="a model of images and words is made with torch")
    from tintype.models.adding.adding import add
    from tintype.models.adding.wishes import Wishes

    place = tmp_path_factory.mktemp("heads")
    patch = pytest.MonkeyPatch()
    patch.setenv("TINTYPE_MODELS", str(place / "models"))
    libraries.save_clip(place / "clip")
    card, _ = add(str(place / "clip"), Wishes(name="tiny", license="MIT"))
    yield card
    patch.undo()


def test_words_tell_of_stored_vectors_what_they_tell_of_images(clip: Card, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for photo in PHOTOS:
        shutil.copy(photo, tmp_path / "photos")
    labels, templates = ("a dog on a beach", "two cats", "a city at night"), ("a photo of {}.", "{}, parked")
    config = tintype.config().replace(
        {"scenes.labels": labels, "scenes.templates": templates, "scenes.min_confidence": 0.0}
    )
    opened = tintype.scan(
        tmp_path / "photos", stages=[f"embed:{clip.name}", f"scenes:{clip.name}"], workers=1, config=config
    )
    (tmp_path / "labels.txt").write_text("".join(f"{label}\n" for label in labels) + "\n", encoding="utf-8")
    card = zero_shot_head("places", clip.name, tmp_path / "labels.txt", templates=templates)
    found = predict(opened, "places", top=3).collection
    for row in found.table(["scenes_tiny_top", "predict_places_top", "scenes_tiny", "predict_places"]).to_pylist():
        of_images, of_vectors = (
            {one["label"]: one["confidence"] for one in row[name]} for name in ("scenes_tiny_top", "predict_places_top")
        )
        assert of_vectors == pytest.approx(of_images, abs=0.02)  # vectors are stored in 16 bits, and scaled by 100
    assert card.license == "MIT"
    assert zero_shot_head("again", clip.name, labels, templates=templates).weights == card.weights


@pytest.mark.parametrize(
    ("labels", "told", "error"),
    [
        pytest.param(("one",), {}, UsageError, id="one label"),
        pytest.param(("a", " a "), {}, UsageError, id="the same twice"),
        pytest.param(("a", "b\x07"), {}, ModelError, id="a bell"),
        pytest.param(("a", "b"), {"templates": ("a photo",)}, UsageError, id="a template without its place"),
        pytest.param(("a", "b"), {"templates": ()}, UsageError, id="no template"),
        pytest.param(("a", "b"), {"scale": 0.0}, UsageError, id="no scale"),
        pytest.param(("a", "b"), {"scale": float("nan")}, UsageError, id="a scale that is no number"),
    ],
)
def test_words_that_make_no_sense_are_refused(
    labels: tuple[str, ...], told: dict, error: type[Exception], clip: Card
) -> None:
    with pytest.raises(error):
        zero_shot_head("x", clip.name, labels, **told)
    assert "x" not in [card.name for card in registry.cards()]


def test_words_need_a_model_that_knows_them(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"no companion for words[^\n]*--column"):
        zero_shot_head("x", "descriptor", ("a", "b"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(b"", "it has no names", id="empty"),
        pytest.param(b"a\n\nb\n", "name 2: it is empty", id="a blank line"),
        pytest.param(b"a\n\xff\n", "not UTF-8", id="not UTF-8"),
        pytest.param(b"a\nb\x1b\n", "cannot be a name", id="control characters"),
        pytest.param("a\n\u202eb\n".encode(), "cannot be a name", id="text that runs backwards"),
        pytest.param(b"a\n" * 100_001, "more than 100,000 names", id="too many"),
        pytest.param(b"a" * 20_000_001, "longer than 20,000,000 bytes", id="too long"),
        pytest.param(b"a\n" + b"b" * 201, "1 to 200 printable", id="a name that is too long"),
    ],
)
def test_files_of_labels_that_make_no_sense_are_refused(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_bytes(content)
    with pytest.raises(ModelError, match=rf"^[^\n]*labels\.txt: [^\n]*{said}[^\n]*$"):
        zero_shot_head("x", "descriptor", tmp_path / "labels.txt")
