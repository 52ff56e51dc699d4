"""Questions are answered as the model's own library answers them for each photo."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from small_photos import columns_of, save_small_photos

from tintype.core.errors import ConfigError, ModelError
from tintype.models import parity, registry
from tintype.models.card import PixelInput
from tintype.models.card_file import built_in
from tintype.models.preparing import whole_size
from tintype.stages import classification
from tintype.stages.answers import Settings, compute, stage
from tintype.stages.registry import fingerprint
from tintype.testing.stages import StageContract, batch_of

torch_libraries = pytest.importorskip("torch_libraries", reason="models that answer run on torch")
word_libraries = pytest.importorskip("word_libraries")

NAMES = tuple(word_libraries.ANSWERING)
QUESTION = "What color is the  small dog?"


@pytest.fixture(scope="module")
def answering(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A card of each kind, and the folders that they were made from."""
    from tintype.models.adding.adding import add
    from tintype.models.adding.wishes import Wishes

    place = tmp_path_factory.mktemp("answering")
    patch = pytest.MonkeyPatch()
    patch.setenv("TINTYPE_MODELS", str(place / "models"))
    for name, save in word_libraries.ANSWERING.items():
        save(place / name)
        add(str(place / name), Wishes(name=name, license="MIT"))
    save_small_photos(place / "photos")
    yield place
    patch.undo()


class TestAsk(StageContract):
    @pytest.fixture(autouse=True)
    def _model(self, answering: Path) -> None:
        self.stage = stage(registry.card("vilt"))


def reference(folder: Path, picture: Image.Image) -> tuple[str, float | None]:
    """The answer of the library's own processor, tokenizer and model, and how sure ViLT is."""
    torch, transformers = torch_libraries.torch, torch_libraries.transformers
    images = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    pixels = images(images=picture, return_tensors="pt")
    with torch.inference_mode():
        if folder.name == "vilt":
            model = transformers.ViltForQuestionAnswering.from_pretrained(folder).eval()
            words = tokenizer(QUESTION, return_tensors="pt", return_token_type_ids=True)
            sure = model(**pixels, **words).logits[0].sigmoid()
            return model.config.id2label[int(sure.argmax())], float(sure.max())
        model = transformers.BlipForQuestionAnswering.from_pretrained(folder).eval()
        words = tokenizer(QUESTION, return_tensors="pt", return_token_type_ids=False)
        made = model.generate(**words, pixel_values=pixels.pixel_values, do_sample=False)
        return " ".join(tokenizer.decode(made[0], skip_special_tokens=True).split()), None


@pytest.mark.parametrize("name", NAMES)
def test_photos_have_the_answers_that_the_library_gives(answering: Path, name: str) -> None:
    made = columns_of(stage(registry.card(name)), answering / "photos", Settings(question=QUESTION))
    said: set[Any] = set()
    for path, own in made[f"ask_{name}"].items():
        with Image.open(path) as picture:
            answer, sure = reference(answering / name, picture)
        assert own == answer
        if sure is not None:
            assert made[f"ask_{name}_confidence"][path] == pytest.approx(sure, abs=1e-4)
        said.add((answer, sure))
    assert len(said) > 1, "a model that says the same of all photos shows nothing"


def test_another_question_makes_rows_stale_and_is_another_answer(answering: Path) -> None:
    made = stage(registry.card("vilt"))
    assert fingerprint(made, Settings()) != fingerprint(made, Settings(question="how many dogs?"))
    batch = batch_of(4, made)
    answers = [
        compute(batch, Settings(question=question))["ask_vilt_confidence"].to_pylist()
        for question in ("how many dogs are there?", "who is that child?")
    ]
    assert answers[0] != answers[1]


@pytest.mark.parametrize("name", NAMES)
def test_engines_agree_where_they_give_the_same_answer(answering: Path, name: str) -> None:
    encoded = [path.read_bytes() for path in sorted((answering / "photos").glob("*.png"))]
    card = registry.card(name)
    rows = parity.check(card, encoded, seconds=0).rows
    assert [(row.name, row.top1_agreement) for row in rows] == [(parity.PREPARATION, 1.0), ("torch:fp32:cpu", 1.0)]


def test_a_question_that_is_too_long_is_said(answering: Path) -> None:
    made = stage(registry.card("vilt"))
    with pytest.raises(ModelError, match=r"takes 24 tokens; .* 63"):
        compute(batch_of(1, made), Settings(question="what is that " * 20 + "?"))


@pytest.mark.parametrize("question", [" ", "why " * 400], ids=["nothing", "too long"])
def test_a_question_that_makes_no_sense_is_refused(question: str) -> None:
    with pytest.raises(ConfigError, match=r"^ask\.question must be"):
        Settings(question=question)


def test_a_model_that_answers_nothing_is_refused(answering: Path) -> None:
    card = registry.card("blip_vqa")
    with pytest.raises(ModelError, match="does not take words"):
        stage(dataclasses.replace(card, beside=()))
    with pytest.raises(ModelError, match="does not take words"):
        stage(built_in("descriptor"))
    with pytest.raises(ModelError, match="takes several inputs"):
        classification.stage(registry.card("vilt"))


@settings(max_examples=200)
@given(width=st.integers(8, 3000), height=st.integers(8, 3000), shorter=st.sampled_from([64, 384]))
def test_sizes_are_those_of_vilt(width: int, height: int, shorter: int) -> None:
    import numpy as np
    from transformers.models.vilt.image_processing_pil_vilt import get_resize_output_image_size

    longer = int(1333 / 800 * shorter)
    facts: dict[str, Any] = {"shorter_px": float(shorter), "longer_px": float(longer), "sides": "nearest"}
    wanted = PixelInput("pixels", "image", longer, longer, "whole", multiple_of=32, **facts)
    theirs = get_resize_output_image_size(
        np.empty((3, height, width), np.uint8), shorter, longer, 32, input_data_format="channels_first"
    )
    if min(theirs) > 0:  # of the thinnest, the library leaves nothing
        assert whole_size((width, height), wanted) == theirs[::-1]
