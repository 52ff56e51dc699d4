"""Words become tokens by the tokenizer.json beside their card, cut and filled up to the card's length."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

tokenizers = pytest.importorskip("tokenizers", reason="comes with the extra text")
from tokenizers import Tokenizer, models, pre_tokenizers, processors  # noqa: E402

from tintype.core.errors import ModelError  # noqa: E402
from tintype.models import tokens  # noqa: E402
from tintype.models.card import Card, Output, TextInput  # noqa: E402
from tintype.models.card_file import built_in, card_json, hashed, read_card  # noqa: E402
from tintype.models.tokens import tokenized  # noqa: E402
from tintype.models.words import text_vectors  # noqa: E402

WORDS = {"<unk>": 0, "<end>": 1, "a": 2, "dog": 3, "cat": 4}


@pytest.fixture
def card(tmp_path: Path) -> Card:
    made = Tokenizer(models.WordLevel(WORDS, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(single="$A <end>", special_tokens=[("<end>", 1)])
    made.save(str(tmp_path / "tokenizer.json"))
    given = TextInput("text", "ids", 4, hashed(tmp_path / "tokenizer.json"), mask="mask", pad_id=9)
    text = dataclasses.replace(
        built_in("descriptor"), name="t", task="embed text", input=given, weights=(), folder=tmp_path
    )
    return dataclasses.replace(text, outputs=(Output("vector", (2,)),))


def test_texts_are_cut_and_filled_up(card: Card) -> None:
    made = tokenized(card, ["a dog", "", "a cat a dog a cat", "a bird"])
    assert made["ids"].tolist() == [[2, 3, 1, 9], [1, 9, 9, 9], [2, 4, 2, 1], [2, 0, 1, 9]]
    assert made["mask"].tolist() == [[1, 1, 1, 0], [1, 0, 0, 0], [1, 1, 1, 1], [1, 1, 1, 0]]
    assert made["ids"].dtype == made["mask"].dtype == np.int64


def test_the_longest_of_a_batch_is_enough_where_the_card_says_so(card: Card) -> None:
    short = dataclasses.replace(card, input=dataclasses.replace(card.input, pad_to_length=False, mask=None))
    assert {name: values.tolist() for name, values in tokenized(short, ["a", "a dog"]).items()} == {
        "ids": [[2, 1, 9], [2, 3, 1]]
    }
    assert tokenized(card, [])["ids"].shape == (0, 4)


def test_odd_texts_are_taken(card: Card) -> None:
    for text in ("\udcff", "\0", "a" * 100_000, "\n\n", "😀"):
        assert tokenized(card, [text])["ids"].shape == (1, 4)


def test_a_card_of_words_survives_its_file(card: Card) -> None:
    card = dataclasses.replace(card, companion="other")
    (card.folder / "card.json").write_text(card_json(card))
    assert read_card(card.folder / "card.json") == card
    for changes in ({"length": 0}, {"length": 10**6}, {"pad_id": -1}):
        wrong = dataclasses.replace(card, input=dataclasses.replace(card.input, **changes))
        (card.folder / "card.json").write_text(card_json(wrong))
        with pytest.raises(ModelError, match=r"input\.length"):
            read_card(card.folder / "card.json")


def test_what_is_no_tokenizer_is_refused(card: Card) -> None:
    tokens._tokenizer.cache_clear()  # a card of the same hashes was read by another test
    (card.folder / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match="SHA-256"):
        tokenized(card, ["a"])
    other = dataclasses.replace(card.input, tokenizer=hashed(card.folder / "tokenizer.json"))
    with pytest.raises(ModelError, match=r"^[^\n]*is no tokenizer[^\n]*$"):
        tokenized(dataclasses.replace(card, input=other), ["a"])


def test_cards_of_images_take_no_words() -> None:
    with pytest.raises(ModelError, match="does not take words"):
        tokenized(built_in("descriptor"), ["a"])
    with pytest.raises(ModelError, match="does not embed words"):
        text_vectors(built_in("descriptor"), ["a"])


def test_a_vector_that_points_nowhere_is_an_error(card: Card) -> None:
    class Nowhere:
        info = None

        def run(self, inputs):
            return {"vector": np.array([[3.0, 4.0]] * (len(inputs["ids"]) - 1) + [[np.nan, 1.0]], np.float32)}

    with pytest.raises(ModelError, match="no usable vector"):
        text_vectors(card, ["a", "dog"], using=Nowhere())
    assert text_vectors(card, []).shape == (0, 2)
