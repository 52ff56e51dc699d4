"""Cards say what a model is; what is not so is refused in one line."""

import hashlib
import json
from pathlib import Path

import pytest

from tintype.core.errors import ModelError
from tintype.models.card import built_in, read_card, read_weights

GOOD = {
    "name": "tiny",
    "version": 1,
    "task": "embed image",
    "file": "tiny.onnx",
    "sha256": hashlib.sha256(b"weights").hexdigest(),
    "input": {"name": "pixels", "dtype": "uint8", "layout": "NHWC", "side_px": 8},
    "outputs": [{"name": "descriptor", "shape": [4], "normalized": True}],
    "license": "Apache-2.0",
    "source": "made here",
    "trained_on": "nothing",
}


def card_file(folder: Path, **changes: object) -> Path:
    facts = {**GOOD, **changes}
    (folder / "tiny.json").write_text(json.dumps({name: value for name, value in facts.items() if value is not None}))
    (folder / "tiny.onnx").write_bytes(b"weights")
    return folder / "tiny.json"


def test_a_card_says_what_the_model_is(tmp_path: Path) -> None:
    card = read_card(card_file(tmp_path))
    assert (card.name, card.input.side_px, card.output("descriptor").shape) == ("tiny", 8, (4,))
    assert read_weights(card) == b"weights"
    with pytest.raises(ModelError, match="descriptor"):
        card.output("regions")


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "../up"},
        {"file": "../tiny.onnx"},
        {"file": "/etc/passwd"},
        {"file": ".."},
        {"sha256": "0" * 63},
        {"sha256": None},
        {"input": {"name": "pixels", "dtype": "float32", "layout": "NHWC", "side_px": 8}},
        {"input": {"name": "pixels", "dtype": "uint8", "layout": "NHWC", "side_px": 10**9}},
        {"input": "pixels"},
        {"outputs": [{"name": "descriptor", "shape": [-1], "normalized": True}]},
        {"outputs": 5},
        {"version": "one"},
    ],
)
def test_an_invalid_card_is_refused_in_one_line(tmp_path: Path, changes: dict[str, object]) -> None:
    with pytest.raises(ModelError, match=r"^[^\n]+$"):
        read_card(card_file(tmp_path, **changes))


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, "null"])
def test_a_file_that_is_no_card_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(ModelError, match=r"^[^\n]+$"):
        read_card(tmp_path / "x.json")
    with pytest.raises(ModelError, match="cannot be read"):
        read_card(tmp_path / "missing.json")


def test_other_weights_are_refused(tmp_path: Path) -> None:
    card = read_card(card_file(tmp_path))
    card.weights.write_bytes(b"other")
    with pytest.raises(ModelError, match="SHA-256"):
        read_weights(card)
    card.weights.unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        read_weights(card)


def test_the_built_in_card_names_its_licence_and_what_it_saw() -> None:
    card = built_in("descriptor")
    assert card.license == "Apache-2.0"
    assert "ImageNet" in card.trained_on
    assert len(read_weights(card)) <= 4_000_000
