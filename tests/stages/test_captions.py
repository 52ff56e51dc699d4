"""Captions by any model that writes them: the model's own library says the same of each photo."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from small_photos import columns_of, save_small_photos

from tintype.core.errors import ModelError
from tintype.models import parity, registry
from tintype.models.card import Card
from tintype.models.card_file import built_in
from tintype.models.tokens import texts
from tintype.stages.captions import Settings, stage, text_output
from tintype.testing.stages import StageContract

torch_libraries = pytest.importorskip("torch_libraries", reason="models that write run on torch")
word_libraries = pytest.importorskip("word_libraries")

NAMES = tuple(word_libraries.WRITERS)


@pytest.fixture(scope="module")
def writers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A card of each kind, and the folders that they were made from."""
    from tintype.models.adding.adding import add
    from tintype.models.adding.wishes import Wishes

    place = tmp_path_factory.mktemp("writers")
    patch = pytest.MonkeyPatch()
    patch.setenv("TINTYPE_MODELS", str(place / "models"))
    for name, save in word_libraries.WRITERS.items():
        save(place / name)
        add(str(place / name), Wishes(name=name, license="MIT"))
    save_small_photos(place / "photos")
    yield place
    patch.undo()


class TestCaption(StageContract):
    @pytest.fixture(autouse=True)
    def _model(self, writers: Path) -> None:
        self.stage = stage(registry.card("vit_gpt2"))


def reference(folder: Path, picture: Image.Image) -> str:
    """What the library's own processor, generation and tokenizer make of a picture."""
    torch, transformers = torch_libraries.torch, torch_libraries.transformers
    processor = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    kind = transformers.AutoConfig.from_pretrained(folder).architectures[0]
    model = getattr(transformers, kind).from_pretrained(folder).eval()
    with torch.inference_mode():
        made = model.generate(pixel_values=processor(images=picture, return_tensors="pt").pixel_values, do_sample=False)
    return " ".join(tokenizer.decode(made[0], skip_special_tokens=True).split())


@pytest.mark.parametrize("name", NAMES)
def test_photos_have_the_captions_that_the_library_writes(writers: Path, name: str) -> None:
    rows = columns_of(stage(registry.card(name)), writers / "photos", Settings())[f"caption_{name}"]
    for path, caption in rows.items():
        with Image.open(path) as picture:
            assert caption == reference(writers / name, picture)
    assert len(set(rows.values())) > 1, "a model that says the same of all photos shows nothing"


def test_what_is_written_is_never_drawn_by_lot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tintype.models.adding.adding import add
    from tintype.models.adding.wishes import Wishes

    monkeypatch.setenv("TINTYPE_MODELS", str(tmp_path / "models"))
    drawn = {"do_sample": True, "temperature": 3.0, "top_k": 5}
    several = {"num_return_sequences": 3, "num_beams": 3, "return_dict_in_generate": True}
    fetched = {"penalty_alpha": 0.6}  # code of another repository does that
    word_libraries.save_vit_gpt2(tmp_path / "m", max_new_tokens=6)
    torch_libraries.change_json(tmp_path / "m" / "generation_config.json", **drawn, **several, **fetched)
    (card,) = add(str(tmp_path / "m"), Wishes(name="m", license="MIT"))
    assert card.notes == "no ONNX: it writes word by word"
    first, again = (written(card, 0), written(card, 0))
    assert first == again
    assert len(first) == 2
    assert max(len(text.split()) for text in first) <= 6
    assert [part.name for part in card.weights[0].beside][:2] == ["config.json", "generation_config.json"]


def written(card: Card, seed: int) -> list[str]:
    from tintype.models.engines import TORCH, load

    pixels = np.random.default_rng(seed).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
    output = text_output(card)
    tokens = load(card, TORCH).run({card.pixels.name: pixels})[output.name]
    assert (tokens.dtype, tokens.shape[1:]) == (np.int64, output.shape)
    return texts(card, output, tokens)


def test_engines_agree_where_they_write_the_same_words(writers: Path) -> None:
    encoded = [path.read_bytes() for path in sorted((writers / "photos").glob("*.png"))]
    card = registry.card("blip")
    rows = parity.check(card, encoded, seconds=0).rows
    assert [(row.name, row.top1_agreement) for row in rows] == [(parity.PREPARATION, 1.0), ("torch:fp32:cpu", 1.0)]
    wrong = dataclasses.replace(card, input=dataclasses.replace(card.pixels, mean=(0.0, 0.0, 0.0), order="bgr"))
    assert not any(row.is_usable for row in parity.check(wrong, encoded, seconds=0).rows)


def test_words_end_where_the_tokens_do(writers: Path) -> None:
    card = registry.card("blip")
    output = text_output(card)
    vocabulary = [*word_libraries.MARKS, *word_libraries.WORDS]
    numbers = [vocabulary.index(word) for word in ("[DEC]", "a", "dog", "##s", ",", "a", "cat", ".", "[SEP]")]
    rows = np.array([[*numbers, -1, -1], [-1] * 11, [0] * 11], np.int64)
    assert texts(card, output, rows) == ["a dogs, a cat.", "", ""]


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        ("no tokenizer", "tokenizer"),
        ("remote code", "asks for auto_map"),
        ("another class", "is not known"),
    ],
)
def test_models_that_cannot_be_taken_are_refused(
    broken: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tintype.models.adding.adding import add
    from tintype.models.adding.wishes import Wishes

    monkeypatch.setenv("TINTYPE_MODELS", str(tmp_path / "models"))
    folder = tmp_path / "m"
    word_libraries.save_blip(folder)
    if broken == "no tokenizer":
        for path in folder.glob("*token*"):
            path.unlink()
    else:
        change: dict[str, Any] = {"auto_map": {"AutoModel": "x.Y"}}
        if broken == "another class":
            change = {"architectures": ["BlipForImageTextRetrieval"]}
        torch_libraries.change_json(folder / "config.json", **change)
    with pytest.raises(ModelError, match=rf"^[^\n]*{reason}[^\n]*$"):
        add(str(folder), Wishes(name="m", license="MIT"))
    assert not list((tmp_path / "models").glob("*"))


def test_a_model_that_writes_nothing_is_refused() -> None:
    with pytest.raises(ModelError, match="writes no words"):
        stage(built_in("descriptor"))
