"""Vectors come from the stored thumbnails alone: with the sources gone, thumbnails damaged, and killed half-way."""

import dataclasses
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

import tintype
from tintype.codec.decode import decode
from tintype.codec.limits import Limits
from tintype.core.errors import CollectionError, CollectionLocked, CollectionNotFound, CollectionNotTrusted, UsageError
from tintype.core.expressions import Compare, Reference
from tintype.engine.messages import Task
from tintype.engine.origins import run_on
from tintype.engine.scan import locked
from tintype.engine.thumbnail_job import ThumbnailJob
from tintype.engine.work import Clock, StageRun, Verdict, Watch
from tintype.models import registry as models
from tintype.models.card import Card
from tintype.models.card_file import built_in
from tintype.models.engines import ONNX
from tintype.models.running import runner
from tintype.stages import registry
from tintype.stages.base import Batch
from tintype.stages.embedding import stage
from tintype.store.lance import LanceStore
from tintype.testing.pictures import encoded, fill_folder, scene

COLUMN = "embed_descriptor"
STATE = f"_stage_{COLUMN}"
COUNT = 36  # more than one shard has


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the collection of `photos` in `collection`, and whoever made it in `state`; `photos` is gone."""
    place = tmp_path_factory.mktemp("scanned")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(place / "state"))
        fill_folder(place / "photos", COUNT - 3)
        (place / "photos" / "large.jpg").write_bytes(encoded(scene(100, 700, 500)))
        (place / "photos" / "wide.jpg").write_bytes(encoded(scene(101, 1200, 200)))
        (place / "photos" / "copy.jpg").write_bytes((place / "photos" / "large.jpg").read_bytes())
        (place / "photos" / "broken.jpg").write_bytes(encoded(scene(102))[:300])
        tintype.scan(place / "photos", collection=place / "collection", stages=["thumbnail"], workers=1)
    shutil.rmtree(place / "photos")
    return place


@pytest.fixture
def place(scanned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of that collection of one's own."""
    monkeypatch.setenv("XDG_STATE_HOME", str(scanned / "state"))
    monkeypatch.setenv("TINTYPE_MODELS", str(tmp_path / "models"))
    shutil.copytree(scanned / "collection", tmp_path / "collection")
    return tmp_path / "collection"


@pytest.fixture(scope="module")
def done(scanned: Path) -> Path:
    """The same, embedded by one worker; to be looked at and copied."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(scanned / "state"))
        shutil.copytree(scanned / "collection", scanned / "done")
        embedded(scanned / "done")
    return scanned / "done"


def embedded(place: Path, **words: Any) -> tintype.Collection:
    return tintype.embed(place, images_from="thumbnails", **{"model": "descriptor", "workers": 1, **words})


def rows(photos: tintype.Collection, column: str = COLUMN) -> dict[str, Any]:
    return {row["uri"]: row[column] for row in photos.table(["uri", column]).to_pylist()}


def states(place: Path) -> dict[str, int | None]:
    known = pa.Table.from_batches(tintype.open(place).store.batches(["uri", STATE]))
    return dict(zip(known["uri"].to_pylist(), known[STATE].to_pylist(), strict=True))


def set_column(place: Path, uri: str, name: str, value: Any) -> None:
    """As a fault of the disk, or an older version, might leave it."""
    store = LanceStore.open(tintype.Collection.open(place).layout.images)
    schema = pa.schema([pa.field("_rowid", pa.uint64()), store.schema.field(name)])
    (part,) = store.stale(Compare(Reference("uri", pa.string()), "=", uri), ["uri"])
    changed = pa.table([part.rows["_rowid"], pa.array([value], schema.field(name).type)], schema=schema)
    store.update(part.fragment, changed.to_batches(), schema)


def test_each_vector_is_that_of_its_thumbnail(place: Path) -> None:
    """The oracle decodes the stored bytes and runs the stage on them one by one."""
    before = tintype.open(place)
    kept = [name for name in before.columns if name != COLUMN]
    photos = embedded(place)
    summary = photos.last_scan
    assert summary is not None
    assert (summary.updated, summary.unchanged, summary.new, summary.gone) == (COUNT, COUNT + 1, 0, 0)
    assert (summary.status, summary.problems) == ({"damaged": 1, "ok": COUNT}, [])
    found, made = rows(photos), stage(built_in("descriptor"))
    for row in before.table(["uri", "thumbnail"]).to_pylist():
        if row["uri"] == "broken.jpg":
            assert found["broken.jpg"] is None
            continue
        batch = Batch([b""], [decode(row["thumbnail"], side_px=320, limits=Limits())], runner(built_in("descriptor")))
        assert found[row["uri"]] == made.compute(batch, made.settings())[COLUMN][0].as_py(), row["uri"]
    assert photos.table(kept).equals(before.table(kept)), "nothing else is touched, sizes and statuses among it"
    again = embedded(place)
    assert again.last_scan is not None
    assert (again.last_scan.updated, again.version) == (0, photos.version)
    told = tintype.info(again).to_json()["models"]
    assert told == [{"column": COLUMN, "engine": "onnx:fp32:cpu", "images_from": "thumbnails", "images": COUNT}]


def test_any_number_of_workers_gives_the_same(place: Path, done: Path) -> None:
    assert rows(embedded(place, workers=2)) == rows(tintype.open(done))


def test_images_and_thumbnails_make_each_others_vectors_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    root = tmp_path / "photos"
    root.mkdir()
    (root / "a.jpg").write_bytes(encoded(scene(1, 700, 500)))
    collection = tmp_path / "collection"
    tintype.embed(root, model="descriptor", collection=collection, workers=1)
    whole = rows(tintype.scan(root, collection=collection, stages=["thumbnail"], workers=1))
    small = embedded(root, collection=collection)
    assert (small.last_scan.updated, tintype.info(small).models[0].images_from) == (1, "thumbnails")
    cosine = np.dot(np.float32(whole["a.jpg"]), np.float32(rows(small)["a.jpg"]))
    assert 0.98 < cosine < 0.99999
    again = tintype.embed(root, model="descriptor", collection=collection, workers=1)
    assert (again.last_scan.updated, tintype.info(again).models[0].images_from) == (1, "originals")
    assert rows(again) == whole


def test_a_damaged_thumbnail_costs_its_own_vector(place: Path) -> None:
    set_column(place, "large.jpg", "thumbnail", b"\xff\xd8\xff\xe0 no picture")
    set_column(place, "wide.jpg", "thumbnail", None)
    photos = embedded(place)
    found, known = rows(photos), states(place)
    lost = {"large.jpg", "wide.jpg", "broken.jpg"}
    assert {uri for uri, vector in found.items() if vector is None} == lost
    assert (known["large.jpg"] < 0, known["wide.jpg"] < 0, known["broken.jpg"]) == (True, True, None)
    assert rows(photos, "status")["large.jpg"] == "ok", "the image is as good as it was"
    ((uri, reason),) = photos.last_scan.problems
    assert (uri, "failed on 2 images" in reason) == ("large.jpg", True)
    assert embedded(place).last_scan.updated == 0, "once is enough"


def test_images_without_a_thumbnail_are_told_of(place: Path) -> None:
    set_column(place, "large.jpg", "_stage_thumbnail", None)
    set_column(place, "wide.jpg", "_stage_thumbnail", -5)
    photos = embedded(place)
    found = rows(photos)
    assert (photos.last_scan.updated, found["large.jpg"], found["wide.jpg"]) == (COUNT - 2, None, None)
    assert [reason[:30] for _, reason in photos.last_scan.problems] == ["2 images have no thumbnail, so"]


def test_vectors_of_thumbnails_that_were_made_anew_are_stale(done: Path, place: Path) -> None:
    shutil.rmtree(place)
    shutil.copytree(done, place)
    set_column(place, "large.jpg", "_stage_thumbnail", 77)
    photos = embedded(place)
    assert photos.last_scan.updated == 1
    assert sum(one.images for one in tintype.info(photos).models) == COUNT
    assert embedded(place).last_scan.updated == 0


def test_a_collection_without_thumbnails_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    fill_folder(tmp_path / "photos", 1)
    with pytest.raises(CollectionNotFound):
        embedded(tmp_path / "photos")
    photos = tintype.scan(tmp_path / "photos", stages=["phash"], workers=1)
    with pytest.raises(UsageError, match=r"has no thumbnails\. Nothing was changed\. .* --stages thumbnail$"):
        embedded(tmp_path / "photos")
    assert tintype.open(photos.place).version == photos.version


def card_of(**pixels: Any) -> Card:
    """The built-in model, but that it takes images of its own."""
    card = built_in("descriptor")
    wanted = dataclasses.replace(card.pixels, **{"fit": "crop", "shorter_px": 128.0, "filter": "bilinear", **pixels})
    return models.add(
        dataclasses.replace(card, name="own", input=wanted), [card.folder / part.file.name for part in card.weights]
    )


def test_a_model_of_larger_images_is_refused(place: Path) -> None:
    card_of(shorter_px=320.5)
    with pytest.raises(UsageError, match=r"^own takes images of 321 px, and thumbnails have 320 px\. Nothing .* own$"):
        embedded(place, model="own")
    assert "embed_own" not in tintype.open(place).columns


def test_an_image_whose_thumbnail_is_far_too_small_has_no_vector(place: Path) -> None:
    """1200 × 200 px are kept as 320 × 53; small images and those of a usual shape are large enough."""
    card_of()
    photos = embedded(place, model="own")
    found = rows(photos, "embed_own")
    assert {uri for uri, vector in found.items() if vector is None} == {"wide.jpg", "broken.jpg"}
    ((uri, reason),) = photos.last_scan.problems
    assert uri == "wide.jpg"
    assert "its thumbnail of 320 × 53 px would be enlarged 2.4 times" in reason


def test_killed_half_way_it_goes_on(place: Path, done: Path) -> None:
    script = Path(__file__).parent / "thumbnails_and_die.py"
    died = subprocess.run([sys.executable, str(script), str(place)], timeout=60, check=False)
    assert died.returncode == -signal.SIGKILL
    photos = embedded(place)
    assert 0 < photos.last_scan.updated < COUNT, "what was finished is taken over"
    assert rows(photos) == rows(tintype.open(done))


def test_what_killed_workers_is_not_tried_again(place: Path) -> None:
    """What a worker does once the executor has found the culprit; an image that is suspected shares no batch."""
    photos = tintype.open(place)
    plain = stage(built_in("descriptor"))
    run = run_on(StageRun(plain, plain.settings(), registry.fingerprint(plain, plain.settings())), ONNX, 3)
    job = ThumbnailJob(photos.store.writer(), {3: run}, Limits(), place)
    known = pa.Table.from_batches(photos.store.batches(["uri", "width", "height"])).combine_chunks()
    uris = known["uri"].to_pylist()
    at = pa.array([uris.index(uri) for uri in ("large.jpg", "wide.jpg", "copy.jpg")], pa.uint64())
    entries = known.take(at).append_column("_rowid", at).append_column("position", at).combine_chunks()
    entries = entries.replace_schema_metadata({"thumbnails": "3"})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, entries.schema) as stream:
        stream.write_table(entries)
    verdicts = {1: Verdict("crashed", "the decoder died")}
    task = Task("r:1:1", "update", sink.getvalue().to_pybytes(), frozenset([0]), verdicts)
    result = job.begin()(task, Watch(), Clock())
    assert result["failures"] == {COLUMN: [1, "wide.jpg", "the decoder died"]}
    made = pa.ipc.open_file(place / "r-1-1.arrow").read_all().to_pydict()
    assert made[STATE] == [run.state, -run.state, run.state]
    assert (made[COLUMN][1], made[COLUMN][0]) == (None, made[COLUMN][2])


@pytest.mark.parametrize(
    ("words", "error", "message"),
    [
        pytest.param(
            {"images_from": "pixels"}, UsageError, "from originals or thumbnails, not from 'pixels'", id="other"
        ),
        pytest.param({"backend": "jax"}, UsageError, "no engine 'jax'", id="backend"),
    ],
)
def test_words_that_mean_nothing_are_refused(
    place: Path, words: dict[str, Any], error: type[Exception], message: str
) -> None:
    version = tintype.open(place).version
    with pytest.raises(error, match=message):
        tintype.embed(place, **{"model": "descriptor", "images_from": "thumbnails", **words})
    assert tintype.open(place).version == version


def test_other_places_and_collections_of_others_are_refused(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(CollectionError, match=r"is the collection of .*photos\. Nothing was changed"):
        embedded(tmp_path / "elsewhere", collection=place)
    with pytest.raises(UsageError, match="--collection DIR"):
        tintype.embed(tmp_path / "a", tmp_path / "b", model="descriptor", images_from="thumbnails")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "nobody"))
    with pytest.raises(CollectionNotTrusted):
        embedded(place)


def test_a_collection_is_found_beside_a_file_that_is_gone(done: Path, place: Path, tmp_path: Path) -> None:
    shutil.copytree(done, tmp_path / "photos.tar.tintype")
    assert len(tintype.open(tmp_path / "photos.tar")) == COUNT + 1
    with pytest.raises(CollectionNotFound):
        tintype.open(tmp_path / "others.tar")


def test_another_process_is_waited_for_by_nobody(place: Path) -> None:
    with locked(tintype.open(place).layout), pytest.raises(CollectionLocked):
        embedded(place)
