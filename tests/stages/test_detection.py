"""Boxes by any detector's card: the model's own library finds the same ones in photos."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from small_photos import columns_of, save_small_photos

import tintype
from tintype.core.errors import ConfigError, ModelError
from tintype.models import registry as models
from tintype.models.card import Card
from tintype.models.card_file import built_in
from tintype.models.engines import TORCH, load
from tintype.stages.detection import BOXES, Settings, compute, stage
from tintype.stages.registry import fingerprint
from tintype.testing.stages import StageContract, batch_of

torch_libraries = pytest.importorskip("torch_libraries", reason="detectors are made with torch")
box_libraries = pytest.importorskip("box_libraries", reason="tiny detectors are made with torch")

NAMES = tuple(box_libraries.DETECTORS)
ALL = Settings(min_confidence=0.0)


@pytest.fixture(scope="module")
def detectors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A card of each kind, and the folders that they were made from."""
    from tintype.models.adding.adding import add
    from tintype.models.adding.wishes import Wishes

    place = tmp_path_factory.mktemp("detectors")
    patch = pytest.MonkeyPatch()
    patch.setenv("TINTYPE_MODELS", str(place / "models"))
    for name, save in box_libraries.DETECTORS.items():
        save(place / name)
        add(str(place / name), Wishes(name=name, license="MIT"))
    yield place
    patch.undo()


@pytest.fixture(scope="module")
def small_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_small_photos(tmp_path_factory.mktemp("photos"))


class TestObjects(StageContract):
    @pytest.fixture(autouse=True)
    def _model(self, detectors: Path) -> None:
        self.stage = stage(models.card("detr"))


@pytest.mark.parametrize("name", NAMES)
def test_photos_have_the_boxes_that_the_library_finds(detectors: Path, small_photos: Path, name: str) -> None:
    rows = columns_of(stage(models.card(name)), small_photos, ALL)[f"objects_{name}"]
    for path, boxes in rows.items():
        assert_same_boxes(boxes, reference(detectors / name, path), path)


@pytest.mark.parametrize("name", NAMES)
def test_pytorch_finds_what_onnx_runtime_finds(detectors: Path, name: str) -> None:
    card = models.card(name)
    assert [part.engine for part in card.weights] == ["onnx", "torch"]
    batch = batch_of(4, stage(card))
    both = [compute(dataclasses.replace(batch, runner=runner), ALL) for runner in (batch.runner, load(card, TORCH))]
    for ours, theirs in zip(*(made[f"objects_{name}"].to_pylist() for made in both), strict=True):
        assert [box["confidence"] for box in ours] == pytest.approx([box["confidence"] for box in theirs], abs=1e-4)


def reference(folder: Path, path: Path) -> list[dict[str, Any]]:
    """The library's processor, model and post-processing for one image, boxes cut to the image."""
    torch, transformers = torch_libraries.torch, torch_libraries.transformers
    processor = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
    model = transformers.AutoModelForObjectDetection.from_pretrained(folder).eval()
    with Image.open(path) as picture, torch.inference_mode():
        made = model(**processor(images=picture, return_tensors="pt"))
        size = picture.size
    (found,) = processor.post_process_object_detection(made, threshold=0.0, target_sizes=[size[::-1]])
    boxes = []
    for label, confidence, corners in zip(found["labels"], found["scores"], found["boxes"].numpy(), strict=True):
        low, high = (np.clip(corners[part], 0, size) for part in (slice(2), slice(2, 4)))
        if (high > low).all():
            names = model.config.id2label
            boxes.append({"label": names[int(label)], "confidence": float(confidence), "box": [*low, *(high - low)]})
    return sorted(boxes, key=lambda box: -box["confidence"])


def assert_same_boxes(ours: list[dict[str, Any]], theirs: list[dict[str, Any]], path: Path) -> None:
    """Each of theirs is one of ours: the same label, the confidence within 1e-4, the box within a pixel."""
    with Image.open(path) as picture:
        scale = np.array([*picture.size] * 2)
    assert len(theirs) >= 3, "a test without boxes shows nothing"
    assert [box["confidence"] for box in ours] == pytest.approx([box["confidence"] for box in theirs], abs=1e-4)
    assert [box["confidence"] for box in ours] == sorted((box["confidence"] for box in ours), reverse=True)
    left = list(ours)
    for box in theirs:
        near = [
            own
            for own in left
            if own["label"] == box["label"]
            and abs(own["confidence"] - box["confidence"]) < 1e-4
            and np.abs(np.array([own[side] for side in ("x", "y", "width", "height")]) * scale - box["box"]).max() < 1
        ]
        assert near, f"{box} is missing in {path.name}"
        left.remove(near[0])


def test_what_is_not_sure_is_left_out_and_labels_can_be_filtered_by(detectors: Path, small_photos: Path) -> None:
    plain = tintype.config()
    everything = plain.replace({"objects.min_confidence": 0.0})
    place = detectors / "filtered.tintype"
    whole = tintype.scan(small_photos, collection=place, stages=["objects:detr"], config=everything, workers=1)
    sure = sorted(box["confidence"] for boxes in whole.table(["objects_detr"])["objects_detr"] for box in boxes.as_py())
    middle = float(np.mean(sure[len(sure) // 2 - 1 : len(sure) // 2 + 1]))
    stricter = plain.replace({"objects.min_confidence": middle, "objects.most": 2})
    again = tintype.scan(small_photos, collection=place, stages=["objects:detr"], config=stricter, workers=1)
    rows = again.table(["objects_detr", "objects_detr_labels", "objects_detr_count"]).to_pylist()
    for row in rows:
        boxes = row["objects_detr"]
        assert len(boxes) == row["objects_detr_count"] <= 2
        assert all(box["confidence"] >= middle for box in boxes)
        assert set(row["objects_detr_labels"].split(", ")) - {""} == {box["label"] for box in boxes}
    assert any(len(row["objects_detr"]) == 2 for row in rows)
    label = next(row["objects_detr_labels"] for row in rows if row["objects_detr_labels"])
    found = again.table(["uri"], where=f"objects_detr_labels contains '{label}' and objects_detr_count >= 1")
    assert len(found) >= 1


def test_other_settings_make_rows_stale(detectors: Path) -> None:
    made = stage(models.card("detr"))
    assert fingerprint(made, Settings()) != fingerprint(made, Settings(most=3))
    assert made.columns[0].type == BOXES


@pytest.mark.parametrize(
    "wrong", [{"min_confidence": -0.1}, {"min_confidence": 1.1}, {"most": 0}, {"most": 1_001}], ids=str
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=r"^objects\.(min_confidence|most) must be"):
        Settings(**wrong)  # type: ignore[arg-type]  # wrong on purpose, or of many types


def test_a_model_that_is_no_detector_is_refused() -> None:
    with pytest.raises(ModelError, match="does not say how its outputs become boxes"):
        stage(built_in("descriptor"))


def test_a_card_whose_names_are_too_few_is_refused(detectors: Path, tmp_path: Path) -> None:
    from tintype.models.card_file import hashed
    from tintype.models.detecting import class_names

    (tmp_path / "labels.txt").write_text("one\ntwo\n")
    card: Card = models.card("detr")
    assert card.detection is not None
    wrong = dataclasses.replace(card.detection, labels=hashed(tmp_path / "labels.txt"))
    with pytest.raises(ModelError, match="2 lines for 3 classes"):
        class_names(dataclasses.replace(card, detection=wrong, folder=tmp_path))
