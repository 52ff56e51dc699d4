"""Vectors by any model's card: prepared as the card says, remembered beside the other columns."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

import tintype
from tintype.core.errors import ModelError, UsageError
from tintype.models import registry as models
from tintype.models.card import Card
from tintype.models.card_file import built_in, parsed
from tintype.models.running import runner
from tintype.stages import registry
from tintype.stages.embedding import stage, vectors_column
from tintype.testing.models import real_card
from tintype.testing.stages import StageContract

PHOTOS = sorted((Path(__file__).parents[2] / "examples" / "photos").glob("*.jpg"))[:6]


@pytest.fixture
def features(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Card:
    monkeypatch.setenv("TINTYPE_MODELS", str(tmp_path / "models"))
    return models.add(*real_card(data, "mobilenet_v1_025_128_imagenet", "features"))


class TestSharedSquares(StageContract):
    stage = stage(built_in("descriptor"))


class TestOwnPixels(StageContract):
    @pytest.fixture(autouse=True)
    def _model(self, features: Card) -> None:
        self.stage = stage(features)


def test_a_photo_has_the_vector_that_the_model_gives_it(features: Card, tmp_path: Path) -> None:
    """The oracle is Pillow's full decode, its crop and scaling, and a bare session."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for photo in PHOTOS:
        shutil.copy(photo, folder)
    collection = tintype.embed(folder, model=features.name)
    rows = collection.table(["uri", "embed_" + features.name])
    assert rows.num_rows == len(PHOTOS)
    for row in rows.to_pylist():
        with Image.open(folder / row["uri"]) as picture:
            upright = picture.convert("RGB")
        side = 0.875 * min(upright.size)
        left, top = (upright.width - side) / 2, (upright.height - side) / 2
        box = (left, top, left + side, top + side)
        pixels = np.asarray(upright.resize((128, 128), Image.Resampling.BILINEAR, box=box))
        reference = runner(features).run({"image": pixels[None]})["features"][0]
        cosine = np.dot(row["embed_" + features.name], reference) / np.linalg.norm(reference)
        assert cosine > 0.98
    again = tintype.embed(folder, model=features.name)
    assert again.last_scan is not None
    assert (again.last_scan.new, again.last_scan.updated, again.last_scan.unchanged) == (0, 0, len(PHOTOS))


def test_a_model_is_added_to_a_scan_without_changing_what_it_found(features: Card, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for photo in PHOTOS:
        shutil.copy(photo, folder)
    found, column = ["uri", "thumbnail", "descriptor"], "embed_" + features.name
    plain = tintype.scan(folder).table(found)
    both = tintype.scan(folder, stages=["thumbnail", "descriptor", f"embed:{features.name}"]).table([*found, column])
    assert both.select(plain.column_names).equals(plain)
    fresh = tintype.scan(
        folder, collection=tmp_path / "other", stages=["thumbnail", "descriptor", f"embed:{features.name}"]
    ).table([*found, column])
    assert fresh["thumbnail"].equals(plain["thumbnail"])
    assert fresh["descriptor"].equals(plain["descriptor"])
    assert fresh[column].equals(both[column])


def test_a_file_is_found_by_the_model_that_embedded_the_others(features: Card, tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for photo in PHOTOS:
        shutil.copy(photo, folder)
    collection = tintype.embed(folder, model=features.name)
    outside = shutil.copy(PHOTOS[3], tmp_path / "outside.jpg")
    found = tintype.neighbors(collection, Path(outside), k=2, vectors="embed_" + features.name)
    assert found.table["b_uri"].to_pylist()[0] == PHOTOS[3].name
    assert found.table["cosine"].to_pylist()[0] == pytest.approx(1, abs=1e-3)
    facts = json.loads((features.folder / "card.json").read_text()) | {"input": dataclasses.asdict(features.input)}
    facts["input"]["filter"] = "lanczos"
    (features.folder / "card.json").write_text(json.dumps(facts))
    with pytest.raises(UsageError, match="another version"):
        tintype.neighbors(collection, Path(outside), vectors="embed_" + features.name)


def test_vectors_that_are_no_numbers_or_have_no_length_are_null() -> None:
    made = np.array([[3, 4], [np.nan, 1], [0, 0], [np.inf, 1], [1e38, 0], [3e-9, 0]], np.float32)
    column = vectors_column(made, 2)
    assert column.is_valid().to_pylist() == [True, False, False, False, True, False]
    assert column.to_pylist()[0] == pytest.approx([0.6, 0.8], abs=1e-3)
    assert column.to_pylist()[4] == [1, 0]


def test_what_cannot_embed_images_is_refused(features: Card, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no card"):
        registry.stage("embed:nothing_of_that_name")
    words = {"kind": "vectors", "name": "v", "card": "x", "fingerprint": "0", "dimension": 4}
    head = parsed(json.loads((features.folder / "card.json").read_text()) | {"task": "head", "input": words}, tmp_path)
    with pytest.raises(ModelError, match="does not take images"):
        stage(head)
    classes = dataclasses.replace(features, outputs=(dataclasses.replace(features.outputs[0], meaning="logits"),))
    with pytest.raises(ModelError, match="no output of vectors"):
        stage(classes)


def test_the_column_says_what_it_holds(features: Card) -> None:
    (column,) = stage(features).columns
    assert (column.name, column.type) == (f"embed_{features.name}", pa.list_(pa.float16(), 256))
    assert features.name in column.words
