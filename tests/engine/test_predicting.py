"""A head's columns are computed where they are missing or stale, and nowhere else; arithmetic says the same values."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from head_collections import STATE, WIDTH, append, collection_of, directions

import tintype
from tintype.core.errors import CollectionLocked, ModelError, UsageError
from tintype.engine import predicting
from tintype.engine.origins import note_origins, run_on
from tintype.engine.predicting import Counts, Prediction, predict_rows, stored_vectors
from tintype.engine.scan import locked
from tintype.engine.work import StageRun
from tintype.models import registry
from tintype.models.card import Card
from tintype.models.card_file import built_in
from tintype.models.engines import ONNX, TORCH
from tintype.models.heads.making import Made, add_head
from tintype.models.heads.network import Linear, network
from tintype.stages import registry as stages
from tintype.stages.descriptor import STAGE
from tintype.store.lance import LanceStore

OVER = built_in("descriptor")
WEIGHT = np.random.default_rng(5).standard_normal((WIDTH, 3)).astype(np.float32) * 8


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINTYPE_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def class_head(name: str = "kind", weight: np.ndarray = WEIGHT) -> Card:
    layer = Linear(weight, np.zeros(3, np.float32))
    onnx = network([layer], softmax=True)
    return add_head(name, OVER, made(onnx, "probabilities", ("a", "b", "c")))


def number_head() -> Card:
    layer = Linear(WEIGHT[:, :1], np.array([4], np.float32))
    return add_head("nice", OVER, made(network([layer]), "score"))


def made(onnx: bytes, meaning: str, labels: tuple[str, ...] = ()) -> Made:
    return Made(onnx=onnx, meaning=meaning, labels=labels, source="s", trained_on="t", license="MIT")  # type: ignore[arg-type]  # wrong on purpose, or of many types


def rows(photos: tintype.Collection) -> list[dict]:
    opened = tintype.Collection.open(photos.place)
    return opened.table([name for name in opened.columns if name.startswith("predict_")]).to_pylist()


def with_gaps(count: int) -> np.ndarray:
    """Vectors of which the model gave none for the third image."""
    vectors = directions(count)
    vectors[2] = np.nan
    return vectors


def test_classes_are_those_of_arithmetic(tmp_path: Path) -> None:
    vectors = with_gaps(30)
    photos = collection_of(tmp_path / "c", vectors, states=[STATE] * 28 + [-STATE, None])
    assert predict_rows(photos.layout, Prediction(class_head(), top=2)) == Counts(28, 0, 2)
    found = rows(photos)
    logits = vectors.astype(np.float16).astype(np.float64) @ WEIGHT
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    for row in (2, 28, 29):
        assert set(found[row].values()) == {None}
    for row in (0, 1, *range(3, 28)):
        order = np.argsort(-expected[row])
        assert found[row]["predict_kind"] == "abc"[order[0]]
        assert found[row]["predict_kind_confidence"] == pytest.approx(expected[row].max(), abs=1e-4)
        assert [one["label"] for one in found[row]["predict_kind_top"]] == ["abc"[place] for place in order[:2]]


def test_a_number_is_that_of_arithmetic(tmp_path: Path) -> None:
    vectors = with_gaps(10)
    photos = collection_of(tmp_path / "c", vectors)
    assert predict_rows(photos.layout, Prediction(number_head())) == Counts(10, 0, 0)
    found = [row["predict_nice"] for row in rows(photos)]
    assert found[2] is None
    expected = vectors.astype(np.float16).astype(np.float64) @ WEIGHT[:, 0] + 4
    there = [row for row in range(10) if row != 2]
    assert [found[row] for row in there] == pytest.approx(expected[there], abs=1e-4)


def test_only_what_is_stale_is_computed_again(tmp_path: Path) -> None:
    photos = collection_of(tmp_path / "c", directions(12))
    head = class_head()
    assert predict_rows(photos.layout, Prediction(head)) == Counts(12, 0, 0)
    version = tintype.Collection.open(photos.place).version
    assert predict_rows(photos.layout, Prediction(head)) == Counts(0, 12, 0)
    assert tintype.Collection.open(photos.place).version == version
    append(LanceStore.open(photos.layout.images), directions(3, 1), shard="new", start=12)
    assert predict_rows(photos.layout, Prediction(head)) == Counts(3, 12, 0)
    assert predict_rows(photos.layout, Prediction(head, min_confidence=0.9)) == Counts(15, 0, 0)
    assert predict_rows(photos.layout, Prediction(head, min_confidence=0.9, top=2)) == Counts(15, 0, 0)
    before = rows(photos)
    registry.remove("kind")
    other = class_head(weight=WEIGHT[:, ::-1])
    assert predict_rows(photos.layout, Prediction(other, min_confidence=0.9, top=2)) == Counts(15, 0, 0)
    assert rows(photos) != before


def test_vectors_of_another_engine_or_of_thumbnails_make_rows_stale(tmp_path: Path) -> None:
    """They are the card's too, but differ: in their last bits, or by what a thumbnail lacks."""
    made = stages.stage("embed:descriptor")
    plain = StageRun(made, made.settings(), stages.fingerprint(made, made.settings()))
    runs = [plain, run_on(plain, TORCH), run_on(plain, ONNX, 3)]
    vectors = pa.FixedSizeListArray.from_arrays(pa.array(directions(4).astype(np.float16).ravel()), WIDTH)
    numbers = []
    for name, chosen in {"mixed": [0, 0, 1, 2], "alike": [0, 0, 0, 0]}.items():
        states = pa.array([runs[which].state for which in chosen], pa.int32())
        columns = {"embed_descriptor": vectors, plain.state_column: states}
        photos = collection_of(tmp_path / name, directions(4), **columns)
        store = LanceStore.open(photos.layout.images)
        note_origins(photos.layout, store, [runs[0]])
        note_origins(photos.layout, store, runs[1:])
        assert predict_rows(photos.layout, Prediction(class_head())) == Counts(4, 0, 0)
        registry.remove("kind")
        (batch,) = tintype.Collection.open(photos.place).store.batches(["_stage_predict_kind"])
        numbers.append(batch["_stage_predict_kind"].to_pylist())
    assert numbers[0][:2] == numbers[1][:2]
    assert len(set(numbers[0])) == 3


@pytest.mark.parametrize("batch_rows", [1, 7, 100])
def test_the_size_of_batches_changes_nothing(batch_rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    photos = collection_of(tmp_path / "c", with_gaps(40))
    head = class_head()
    predict_rows(photos.layout, Prediction(head))
    whole = rows(photos)
    monkeypatch.setattr(predicting, "_BATCH_ROWS", batch_rows)
    other = collection_of(tmp_path / "d", with_gaps(40))
    predict_rows(other.layout, Prediction(head))
    assert rows(other) == whole


def test_what_was_finished_stays_where_it_stops(tmp_path: Path) -> None:
    photos = collection_of(tmp_path / "c", directions(8))
    append(LanceStore.open(photos.layout.images), directions(5, 1), shard="two", start=8)

    class Stopped(Exception):
        pass

    def stop(done: int, total: int) -> None:
        assert (done, total) == (8, 13)
        raise Stopped

    head = class_head()
    with pytest.raises(Stopped):
        predict_rows(photos.layout, Prediction(head), stop)
    assert [row["predict_kind"] is None for row in rows(photos)] == [False] * 8 + [True] * 5
    assert predict_rows(photos.layout, Prediction(head)) == Counts(5, 8, 0)


def test_vectors_of_another_card_are_refused(tmp_path: Path) -> None:
    photos = collection_of(tmp_path / "c", directions(4), states=[STATE, STATE + 1, STATE, None])
    with pytest.raises(
        ModelError, match=r"^1 vectors in descriptor are not of descriptor as it is now[^\n]*embed[^\n]*$"
    ):
        predict_rows(photos.layout, Prediction(class_head()))
    assert "predict_kind" not in tintype.Collection.open(photos.place).columns


def test_a_head_of_another_version_of_its_card_is_refused(tmp_path: Path) -> None:
    photos = collection_of(tmp_path / "c", directions(4))
    head = class_head()
    path = head.folder / "card.json"
    path.write_text(path.read_text().replace(OVER.fingerprint, "0" * 32))
    with pytest.raises(ModelError, match=r"^head kind was made for another version of descriptor[^\n]*$"):
        predict_rows(photos.layout, Prediction(registry.card("kind")))


def test_a_head_of_another_kind_under_the_name_of_an_earlier_one_is_refused(tmp_path: Path) -> None:
    photos = collection_of(tmp_path / "c", directions(4))
    predict_rows(photos.layout, Prediction(number_head()))
    before = rows(photos)
    registry.remove("nice")
    with pytest.raises(UsageError, match=r"^column predict_nice holds float of an earlier head[^\n]*another name$"):
        predict_rows(photos.layout, Prediction(class_head("nice")))
    assert rows(photos) == before


def test_a_collection_without_vectors_is_refused(tmp_path: Path) -> None:
    photos = collection_of(tmp_path / "c", directions(2))
    with pytest.raises(UsageError, match="no vectors of other here"):
        stored_vectors(photos.store, _renamed(tmp_path))


def _renamed(tmp_path: Path) -> Card:
    """The built-in card under another name, which a collection has no vectors of."""
    import dataclasses

    card = dataclasses.replace(OVER, name="other")
    files = [OVER.folder / part.file.name for part in OVER.weights]
    return registry.add(card, files)


def test_another_process_is_waited_for_by_nobody(tmp_path: Path) -> None:
    photos = collection_of(tmp_path / "c", directions(2))
    head = class_head()
    with locked(photos.layout), pytest.raises(CollectionLocked):
        predict_rows(photos.layout, Prediction(head))


@pytest.mark.parametrize("wrong", [{"min_confidence": -0.1}, {"min_confidence": 1.1}, {"top": 0}, {"top": 1001}])
def test_what_makes_no_sense_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        Prediction(class_head(), **wrong)  # type: ignore[arg-type]  # wrong on purpose, or of many types


def test_the_state_of_vectors_is_that_of_their_stage() -> None:
    assert stages.fingerprint(STAGE, STAGE.settings()) == STATE
