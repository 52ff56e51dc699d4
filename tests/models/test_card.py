"""Cards say what a model is; what is not so is refused in one line."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tintype.core.errors import ModelError
from tintype.models.card_file import built_in, card_json, parsed, read_card, read_file, read_labels

SHA256 = hashlib.sha256(b"weights").hexdigest()
PIXELS = {"kind": "pixels", "name": "image", "width": 8, "height": 6, "fit": "squeeze", "mean": [128.0, 128.0, 128.0]}
GOOD: dict[str, Any] = {
    "name": "tiny",
    "version": 1,
    "task": "embed image",
    "weights": [{"engine": "onnx", "file": {"name": "tiny.onnx", "sha256": SHA256}}],
    "input": PIXELS,
    "outputs": [{"name": "descriptor", "shape": [4], "normalized": True}],
    "license": "Apache-2.0",
    "source": "made here",
    "trained_on": "nothing",
}


def weights(**changes: object) -> dict[str, object]:
    return {"weights": [{"engine": "onnx", "file": {"name": "tiny.onnx", "sha256": SHA256} | changes}]}


def card_file(folder: Path, /, **changes: object) -> Path:
    facts = {**GOOD, **changes}
    (folder / "tiny.json").write_text(json.dumps({name: value for name, value in facts.items() if value is not None}))
    (folder / "tiny.onnx").write_bytes(b"weights")
    return folder / "tiny.json"


def test_a_card_says_what_the_model_is(tmp_path: Path) -> None:
    card = read_card(card_file(tmp_path))
    assert (card.name, card.pixels.width, card.pixels.std, card.vectors().shape) == ("tiny", 8, (1.0, 1.0, 1.0), (4,))
    assert read_file(card, card.weights_for("onnx").file) == b"weights"
    with pytest.raises(ModelError, match="descriptor"):
        card.output("regions")
    with pytest.raises(ModelError, match="torch"):
        card.weights_for("torch")


def test_a_card_survives_its_file(tmp_path: Path) -> None:
    card = read_card(card_file(tmp_path, figures={"top": 0.5}, notes="\u00e4"))
    (tmp_path / "again.json").write_text(card_json(card), encoding="utf-8")
    assert read_card(tmp_path / "again.json") == card
    assert read_card(tmp_path / "again.json").figures == {"top": 0.5}


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "../up"},
        {"name": "Big"},
        weights(name="../tiny.onnx"),
        weights(name="/etc/passwd"),
        weights(name=".."),
        weights(name="a\\b"),
        weights(sha256="0" * 63),
        weights(sha256=None),
        {"weights": [{"engine": "pickle", "file": {"name": "x", "sha256": SHA256}}]},
        {"input": PIXELS | {"width": 10**9}},
        {"input": PIXELS | {"width": 0}},
        {"input": PIXELS | {"std": [0.0, 1.0, 1.0]}},
        {"input": PIXELS | {"mean": [float("nan"), 1.0]}},
        {"input": PIXELS | {"fit": "stretch"}},
        {"input": PIXELS | {"fit": "crop"}},
        {"input": PIXELS | {"fit": "crop", "shorter_px": 4}},
        {"input": PIXELS | {"fit": "shared square"}},
        {"input": PIXELS | {"pad": [0, 0, 256]}},
        {"input": PIXELS | {"kind": "sound"}},
        {"input": "pixels"},
        {"outputs": [{"name": "descriptor", "shape": [-1], "normalized": True}]},
        {"outputs": []},
        {"outputs": 5},
        {"version": "one"},
        {"task": "dance"},
        {"extra": 1},
        {"folder": "/"},
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
    file = card.weights_for("onnx").file
    (tmp_path / file.name).write_bytes(b"other")
    with pytest.raises(ModelError, match="SHA-256"):
        read_file(card, file)
    (tmp_path / file.name).unlink()
    with pytest.raises(ModelError, match="cannot be read"):
        read_file(card, file)


def test_labels_are_as_many_as_the_output_has(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("cat\ndog\n")
    named = {"name": "names.txt", "sha256": hashlib.sha256(b"cat\ndog\n").hexdigest()}
    two = parsed(GOOD | {"outputs": [{"name": "p", "shape": [2], "labels": named}]}, tmp_path)
    assert read_labels(two, "p") == ("cat", "dog")
    three = parsed(GOOD | {"outputs": [{"name": "p", "shape": [3], "labels": named}]}, tmp_path)
    with pytest.raises(ModelError, match="2 lines for 3"):
        read_labels(three, "p")
    assert read_labels(parsed(GOOD, tmp_path), "descriptor") == ("0", "1", "2", "3")


def test_the_fingerprint_changes_with_what_is_computed_alone() -> None:
    plain = parsed(GOOD, Path())
    assert parsed(GOOD | {"notes": "words", "license": "MIT"}, Path("x")).fingerprint == plain.fingerprint
    for changes in (
        {"input": PIXELS | {"filter": "box"}},
        weights(sha256="0" * 64),
        {"outputs": [{"name": "descriptor", "shape": [4]}]},
        {"task": "classify"},
    ):
        assert parsed(GOOD | changes, Path()).fingerprint != plain.fingerprint


def test_the_built_in_card_names_its_licence_and_what_it_saw() -> None:
    card = built_in("descriptor")
    assert card.license == "Apache-2.0"
    assert "ImageNet" in card.trained_on
    assert len(read_file(card, card.weights_for("onnx").file)) <= 4_000_000
