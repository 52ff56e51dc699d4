"""Classes by any classifier's card; on real photos the same as the library that prepared its training images."""

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

import tintype
from tintype.core.errors import ConfigError, ModelError
from tintype.models import registry as models
from tintype.models.backends.onnx_runtime import onnxruntime
from tintype.models.base import RunnerInfo
from tintype.models.card import Card, Output
from tintype.stages.base import Batch
from tintype.stages.classification import Settings, compute, stage
from tintype.testing.models import real_card
from tintype.testing.stages import StageContract, image_of

NAMES = ("mobilenet_v1_025_128_imagenet", "mobilenet_v2_imagenet")


def added(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> Card:
    monkeypatch.setenv("TINTYPE_MODELS", str(tmp_path / "models"))
    return models.add(*real_card(data, name, "prob"))


class TestClassify(StageContract):
    @pytest.fixture(autouse=True)
    def _model(self, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stage = stage(added(data, tmp_path, monkeypatch, "mobilenet_v1_025_128_imagenet"))


@pytest.mark.parametrize("name", NAMES)
def test_photos_have_the_classes_of_reference_preprocessing(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The reference is Pillow's full decode, crop and scaling, and a session of its own, image by image."""
    card = added(data, tmp_path, monkeypatch, name)
    place = tmp_path / "c.tintype"
    photos = tintype.scan(data / "photos-imagenet", collection=place, stages=[f"classify:{card.name}"])
    rows = photos.table(["uri", f"classify_{name}_top"]).to_pylist()
    assert len(rows) == 200
    labels = (data / "models" / "imagenet_labels.txt").read_text("utf-8").splitlines()
    session = onnxruntime.InferenceSession(card.folder / card.weights[0].file.name, providers=["CPUExecutionProvider"])
    first = 0
    right, reference_right = np.zeros(2, int), np.zeros(2, int)  # among one and among five
    for row in rows:
        (values,) = session.run(
            ["prob"], {"image": _reference(data / "photos-imagenet" / row["uri"], card.pixels.width)}
        )
        expected = [labels[number] for number in np.argsort(-values[0], kind="stable")[:5]]
        found = [entry["label"] for entry in row[f"classify_{name}_top"]]
        first += found[0] == expected[0]
        wanted = row["uri"].partition("_")[2].removesuffix(".JPEG").replace("_", " ").lower()
        right += _shows(wanted, found)
        reference_right += _shows(wanted, expected)
    assert first >= 199
    assert np.abs(right - reference_right).max() <= 1
    assert reference_right[0] > 70


def _shows(wanted: str, labels: list[str]) -> np.ndarray:
    hits = [wanted in label.lower().split(", ") for label in labels]
    return np.array([hits[0], any(hits)], int)


def _reference(path: Path, side_px: int) -> np.ndarray:
    with Image.open(path) as picture:
        rgb = picture.convert("RGB")
    side = 0.875 * min(rgb.size)
    left, top = (rgb.width - side) / 2, (rgb.height - side) / 2
    box = (left, top, left + side, top + side)
    pixels = np.asarray(rgb.resize((side_px, side_px), Image.Resampling.BILINEAR, box=box), np.float32)
    return ((pixels - 128) / 128).transpose(2, 0, 1)[None]


class Fixed:
    """A runner with known answers."""

    def __init__(self, card: Card, values: np.ndarray) -> None:
        self.info = RunnerInfo(card, "onnx", "cpu", "fp32")
        self._values = values

    def run(self, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {"out": self._values[: len(inputs["image"])]}


def answered(data: Path, values: list[list[float]], meaning: str, settings: Settings) -> pa.Table:
    card, _ = real_card(data, "mobilenet_v1_025_128_imagenet", "prob")
    output = Output("out", (len(values[0]),), meaning=meaning)  # type: ignore[arg-type]  # wrong on purpose, or of many types
    fixed = dataclasses.replace(card, outputs=(output,))
    images = [image_of(np.zeros((256, 256, 3), np.uint8))] * len(values)
    batch = Batch([b""] * len(values), images, Fixed(fixed, np.array(values, np.float32)))
    return pa.table(compute(batch, settings)).rename_columns(["label", "confidence", "top"])


def test_logits_become_probabilities_and_ties_keep_the_models_order(data: Path) -> None:
    found = answered(data, [[1000.0, 1000.0, 0.0], [0.0, np.log(3), 0.0]], "logits", Settings())
    assert found["label"].to_pylist() == ["0", "1"]
    assert found["confidence"].to_pylist() == pytest.approx([0.5, 0.6])
    assert [entry["label"] for entry in found["top"][0].as_py()] == ["0", "1", "2"]


def test_what_is_not_sure_has_no_class(data: Path) -> None:
    sure = Settings(min_confidence=0.3, top=2)
    found = answered(data, [[0.2, 0.5, 0.3], [0.25, 0.25, 0.25], [np.nan, np.nan, np.nan]], "probabilities", sure)
    assert found["label"].to_pylist() == ["1", None, None]
    assert found["confidence"].is_valid().to_pylist() == [True, False, False]
    assert [entry["label"] for entry in found["top"][0].as_py()] == ["1", "2"]
    assert found["top"].to_pylist()[1:] == [None, None]


@pytest.mark.parametrize("wrong", [{"min_confidence": -0.1}, {"min_confidence": 1.1}, {"top": 0}, {"top": 1001}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        Settings(**wrong)  # type: ignore[arg-type]  # wrong on purpose, or of many types


def test_a_model_without_classes_is_refused(data: Path) -> None:
    card, _ = real_card(data, "mobilenet_v1_025_128_imagenet", "features")
    with pytest.raises(ModelError, match="no output of classes"):
        stage(card)
