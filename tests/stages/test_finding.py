"""Things told in words are found where the model's own library finds them."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image
from small_photos import columns_of, save_small_photos

from tintype.core.errors import ConfigError, ModelError
from tintype.models import parity, registry
from tintype.models.card_file import built_in
from tintype.models.prompting import phrases, prompt_inputs
from tintype.stages import detection
from tintype.stages.finding import Settings, compute, stage
from tintype.stages.registry import fingerprint
from tintype.testing.stages import StageContract, batch_of

torch_libraries = pytest.importorskip("torch_libraries", reason="such detectors run on torch")
box_libraries = pytest.importorskip("box_libraries", reason="tiny detectors are made with torch")

NAMES = tuple(box_libraries.FINDERS)
THINGS = ("a red car", "two dogs, black", "a tree")


@pytest.fixture(scope="module")
def finders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A card of each kind, and the folders that they were made from."""
    from tintype.models.adding.adding import add
    from tintype.models.adding.wishes import Wishes

    place = tmp_path_factory.mktemp("finders")
    patch = pytest.MonkeyPatch()
    patch.setenv("TINTYPE_MODELS", str(place / "models"))
    for name, save in box_libraries.FINDERS.items():
        save(place / name)
        add(str(place / name), Wishes(name=name, license="MIT"))
    save_small_photos(place / "photos")
    yield place
    patch.undo()


class TestFind(StageContract):
    @pytest.fixture(autouse=True)
    def _model(self, finders: Path) -> None:
        self.stage = stage(registry.card("owlvit"))


def reference(folder: Path, path: Path, things: tuple[str, ...]) -> list[dict[str, Any]]:
    """The library's processor, model and scores for one image; the label is that of the likeliest text or token."""
    torch, transformers = torch_libraries.torch, torch_libraries.transformers
    images = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    with Image.open(path) as picture:
        pixels, size = images(images=picture, return_tensors="pt"), picture.size
    if "owl" in folder.name:
        kind, given = transformers.OwlViTForObjectDetection, list(things)
        words = tokenizer(given, padding="max_length", max_length=16, return_tensors="pt")
    else:
        kind, given = transformers.GroundingDinoForObjectDetection, [". ".join(things) + "."]
        words = tokenizer(given, return_tensors="pt", return_token_type_ids=True)
    model = kind.from_pretrained(folder).eval()
    with torch.inference_mode():
        made = model(**pixels, **words)
    sure, best = (part[0].numpy() for part in made.logits.sigmoid().max(-1))
    center, extent = made.pred_boxes[0, :, :2].numpy(), made.pred_boxes[0, :, 2:].numpy()
    low, high = (np.clip(side, 0, 1) for side in (center - extent / 2, center + extent / 2))
    names = things if "owl" in folder.name else _of_tokens(tokenizer, given[0], things)
    rows = zip(sure, best, low * size, (high - low) * size, strict=True)
    found = [{"label": names[at], "confidence": float(one), "box": [*a, *b]} for one, at, a, b in rows if (b > 0).all()]
    return sorted(found, key=lambda box: -box["confidence"])


def _of_tokens(tokenizer: Any, sentence: str, things: tuple[str, ...]) -> list[str]:
    """The thing that each token of the sentence stands in, counted by the stops before it."""
    tokens = tokenizer.convert_ids_to_tokens(tokenizer(sentence).input_ids)
    before = np.cumsum([token == "." for token in tokens]) - [token == "." for token in tokens]
    return [things[min(int(stops), len(things) - 1)] for stops in before]


@pytest.mark.parametrize("name", NAMES)
def test_photos_have_the_boxes_that_the_library_finds(finders: Path, name: str) -> None:
    settings = Settings(prompt="A red car.  two dogs, black. a tree. a red car", min_confidence=0.0, most=1_000)
    rows = columns_of(stage(registry.card(name)), finders / "photos", settings)[f"find_{name}"]
    labels, sure = set(), []
    for path, ours in rows.items():
        theirs = reference(finders / name, path, THINGS)
        with Image.open(path) as picture:
            scale = np.array([*picture.size] * 2)
        assert len(ours) == len(theirs) >= 3
        for own, box in zip(ours, theirs, strict=True):
            assert own["confidence"] == pytest.approx(box["confidence"], abs=1e-4)
            assert own["label"] == box["label"]
            sides = np.array([own[side] for side in ("x", "y", "width", "height")]) * scale
            assert np.abs(sides - box["box"]).max() < 1
        labels |= {box["label"] for box in theirs}
        sure.append(theirs[0]["confidence"])
    assert len(labels) > 1, "a model that finds one thing alone shows nothing"
    assert np.ptp(sure) > 0.001, "all photos look the same to this model"


def test_another_prompt_makes_rows_stale(finders: Path) -> None:
    made = stage(registry.card("owlvit"))
    assert fingerprint(made, Settings()) != fingerprint(made, Settings(prompt="a sign."))
    assert fingerprint(made, Settings()) == fingerprint(made, Settings(prompt=Settings().prompt))


def test_engines_agree_where_they_find_the_same(finders: Path) -> None:
    encoded = [path.read_bytes() for path in sorted((finders / "photos").glob("*.png"))]
    rows = parity.check(registry.card("grounding_dino"), encoded, seconds=0).rows
    assert [(row.name, row.top1_agreement) for row in rows] == [(parity.PREPARATION, 1.0), ("torch:fp32:cpu", 1.0)]


def test_more_words_than_the_model_takes_are_said(finders: Path) -> None:
    long = Settings(prompt="a very long thing " * 20)
    for name in NAMES:
        made = stage(registry.card(name))
        with pytest.raises(ModelError, match=r"takes \d+ tokens; .* \d+[:.] [Ss]ay it shorter"):
            compute(batch_of(1, made), long)


def test_words_that_the_tokenizer_does_not_know_are_found_nowhere_or_unsurely(finders: Path) -> None:
    made = stage(registry.card("grounding_dino"))
    settings = Settings(prompt="\u200b\u200d. a dog.", min_confidence=0.0)  # of no width: the tokenizer drops them
    columns = compute(batch_of(2, made), settings)
    assert set(columns["find_grounding_dino_labels"].to_pylist()) == {"a dog"}


def test_a_prompt_is_taken_apart_at_its_stops() -> None:
    assert phrases(" A red car. a sign..A  RED\ncar. ") == ("a red car", "a sign")


@pytest.mark.parametrize(
    ("wrong", "setting"),
    [
        ({"prompt": " . "}, "prompt"),
        ({"prompt": ".".join(f"thing {number}" for number in range(101))}, "prompt"),
        ({"min_confidence": 2.0}, "min_confidence"),
        ({"most": 0}, "most"),
    ],
    ids=["empty", "too many things", "confidence", "most"],
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, Any], setting: str) -> None:
    with pytest.raises(ConfigError, match=rf"^find\.{setting} must"):
        Settings(**wrong)


def test_a_model_that_is_told_nothing_is_refused(finders: Path) -> None:
    card = registry.card("owlvit")
    with pytest.raises(ModelError, match="does not take words"):
        stage(dataclasses.replace(card, beside=()))
    with pytest.raises(ModelError, match="does not say how"):
        stage(built_in("descriptor"))
    with pytest.raises(ModelError, match=r"told in words what to find: find:owlvit with --prompt"):
        detection.stage(card)
    assert stage(card).columns[1].type == pa.string()
    assert prompt_inputs(card, ("a", "b"))["input_ids"].shape == (1, 2, 16)
