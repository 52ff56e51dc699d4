"""Scenes told by their names: the model's own library says the same of each photo."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import tintype
from tintype.core.errors import ConfigError, ModelError
from tintype.models import registry as models
from tintype.models.card import Card
from tintype.models.card_file import built_in
from tintype.stages.registry import fingerprint
from tintype.stages.scenes import SCENES, Settings, stage
from tintype.testing.stages import StageContract

torch_libraries = pytest.importorskip("torch_libraries", reason="a model of images and words is made with torch")

PHOTOS = sorted((Path(__file__).parents[2] / "examples" / "photos").glob("*.jpg"))[:6]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Card, Path]]:
    from tintype.models.adding.adding import add
    from tintype.models.adding.wishes import Wishes

    place = tmp_path_factory.mktemp("scenes")
    patch = pytest.MonkeyPatch()
    patch.setenv("TINTYPE_MODELS", str(place / "models"))
    torch_libraries.save_clip(place / "clip")
    card, _ = add(str(place / "clip"), Wishes(name="tiny", license="MIT"))
    yield card, place / "clip"
    patch.undo()


class TestScenes(StageContract):
    @pytest.fixture(autouse=True)
    def _model(self, clip: tuple[Card, Path]) -> None:
        self.stage = stage(clip[0])


def test_photos_show_what_clip_says_they_show(clip: tuple[Card, Path], tmp_path: Path) -> None:
    card, folder = clip
    torch, transformers = torch_libraries.torch, torch_libraries.transformers
    labels = ("a dog on a beach", "two cats", "a city at night", "a plate of food")
    place = tmp_path / "c.tintype"
    settings = {"scenes.labels": labels, "scenes.templates": ("a photo of {}.",), "scenes.min_confidence": 0.0}
    config = tintype.config(None, {name: str(value) for name, value in settings.items() if name.endswith("confidence")})
    config = config.replace({"scenes.labels": labels, "scenes.templates": ("a photo of {}.",), "scenes.top": 4})
    root = PHOTOS[0].parent
    found = tintype.scan(root, collection=place, stages=[f"scenes:{card.name}"], config=config)
    model = transformers.CLIPModel.from_pretrained(folder).eval()
    tokenizer = transformers.CLIPTokenizer.from_pretrained(folder)
    processor = transformers.CLIPImageProcessor.from_pretrained(folder)
    words = tokenizer(
        [f"a photo of {label}." for label in labels], padding="max_length", truncation=True, return_tensors="pt"
    )
    model.logit_scale.data.fill_(np.log(100.0))
    rows = {row["uri"]: row for row in found.table(["uri", "scenes_tiny", "scenes_tiny_top"]).to_pylist()}
    for photo in PHOTOS:
        with Image.open(photo) as picture:
            pixels = processor(picture.convert("RGB"), return_tensors="pt")
        with torch.inference_mode():
            expected = model(**words, **pixels).logits_per_image.softmax(1)[0].numpy()
        told = {entry["label"]: entry["confidence"] for entry in rows[photo.name]["scenes_tiny_top"]}
        assert [told[label] for label in labels] == pytest.approx(expected, abs=0.02)
        assert rows[photo.name]["scenes_tiny"] == max(told, key=lambda label: told[label])


def test_other_words_make_rows_stale(clip: tuple[Card, Path]) -> None:
    made = stage(clip[0])
    assert fingerprint(made, Settings()) != fingerprint(made, Settings(labels=("a", "b")))
    assert len(set(SCENES)) == len(SCENES) >= 60


def test_a_model_without_words_is_refused(clip: tuple[Card, Path]) -> None:
    with pytest.raises(ModelError, match="no companion"):
        stage(built_in("descriptor"))
    with pytest.raises(ModelError, match="does not take images"):
        stage(models.card("tiny_text"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"labels": ("one",)},
        {"labels": ("a", "a")},
        {"labels": ("a", " ")},
        {"templates": ()},
        {"templates": ("a photo",)},
        {"templates": ("{} {}",)},
        {"scale": 0.0},
        {"min_confidence": 2.0},
        {"top": 0},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        Settings(**wrong)  # type: ignore[arg-type]  # wrong on purpose, or of many types
