"""Engines that give what the reference gives pass parity; a card that prepares images otherwise does not."""

import dataclasses
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from torch_libraries import save_clip, save_dino, save_open_clip, save_timm

from tintype.core.errors import ModelError
from tintype.models import parity, reference, registry
from tintype.models.adding.adding import add
from tintype.models.adding.wishes import Wishes
from tintype.models.card import Card
from tintype.models.card_file import hashed
from tintype.models.engines import ONNX, TORCH
from tintype.models.made_pictures import made_pictures

ENGINES = ["onnx:fp32:cpu", "torch:fp32:cpu"]


@pytest.fixture(autouse=True)
def own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINTYPE_MODELS", str(tmp_path / "models"))


@pytest.fixture(scope="module")
def pictures() -> list[bytes]:
    return made_pictures(8)


def the_card(save: Callable[..., Any], folder: Path) -> Card:
    save(folder)
    return add(str(folder), Wishes())[0]


@pytest.mark.parametrize(
    ("save", "library"),
    [(save_clip, "transformers"), (save_dino, "transformers"), (save_timm, "timm"), (save_open_clip, "open_clip")],
)
def test_right_cards_pass_and_wrong_ones_fail_on_every_engine(
    save: Callable[..., Any], library: str, tmp_path: Path, pictures: list[bytes]
) -> None:
    card = the_card(save, tmp_path / "model")
    right = parity.check(card, pictures, seconds=0)
    assert right.reference == f"full decode by Pillow, the preparation of {library}, PyTorch in fp32"
    assert [row.name for row in right.rows] == [parity.PREPARATION, *ENGINES]
    assert all(row.is_usable and not row.reason for row in right.rows), right.rows
    assert all((row.per_s or 0) > 0 and (row.cosine_worst or 0) > 0.999 for row in right.rows), right.rows

    wrong = {"mean": (0.0, 0.0, 0.0), "std": (128.0, 128.0, 20.0), "filter": "nearest", "order": "bgr"}
    for name, value in wrong.items():
        other = dataclasses.replace(card, input=dataclasses.replace(card.pixels, **{name: value}))
        rows = parity.check(other, pictures, seconds=0).rows
        assert [row.is_usable for row in rows] == [False] * 3, (name, rows)
        assert all("is below" in row.reason for row in rows)


def test_words_are_compared_too(tmp_path: Path) -> None:
    save_clip(tmp_path / "model")
    text = add(str(tmp_path / "model"), Wishes())[1]
    found = parity.check(text, [], seconds=0)
    assert [row.name for row in found.rows] == ENGINES
    assert all(row.is_usable for row in found.rows)
    assert (found.count, found.reference) == (8, "PyTorch in fp32")


def test_an_engine_with_other_weights_fails(tmp_path: Path, pictures: list[bytes]) -> None:
    """ONNX weights of a model that is not the one of the safetensors."""
    card = the_card(save_dino, tmp_path / "model")
    onnx = registry.card(card.name).weights_for("onnx")
    data = bytearray((card.folder / onnx.file.name).read_bytes())
    half = len(data) // 2
    floats = np.frombuffer(bytes(data[half : half + 8_000]), np.float32)
    data[half : half + 8_000] = np.where(np.isfinite(floats), floats[::-1], 0).astype(np.float32).tobytes()
    (card.folder / onnx.file.name).write_bytes(data)
    other = dataclasses.replace(onnx, file=hashed(card.folder / onnx.file.name))
    rest = tuple(part for part in card.weights if part.engine != "onnx")
    rows = parity.check(dataclasses.replace(card, weights=(other, *rest)), pictures, seconds=0).rows
    assert [(row.name, row.is_usable) for row in rows] == [
        (parity.PREPARATION, True),
        ("onnx:fp32:cpu", False),
        ("torch:fp32:cpu", True),
    ]


def test_a_classifier_is_judged_by_its_first_class(tmp_path: Path, pictures: list[bytes]) -> None:
    card = the_card(save_timm, tmp_path / "model")
    classes = dataclasses.replace(card, outputs=(card.output("logits"),), weights=(card.weights_for("onnx"),))
    right = parity.check(classes, pictures, seconds=0)
    assert [(row.cosine_mean, row.is_usable) for row in right.rows] == [(None, True)] * 2
    assert all((row.top1_agreement or 0) >= 7 / 8 for row in right.rows)
    assert right.reference == "full decode by Pillow, the card's rule, ONNX Runtime in fp32"


def test_what_cannot_be_read_is_left_out_and_counted(pictures: list[bytes]) -> None:
    card = registry.card("descriptor")
    found = parity.check(card, [pictures[0], b"no image", pictures[1][:2_000], pictures[2]], [ONNX], seconds=0)
    assert (found.count, found.left_out) == (2, 2)
    with pytest.raises(ModelError, match="none of 1 images could be read"):
        parity.check(card, [b"no image"], [ONNX])


def test_an_image_that_its_library_cannot_prepare_is_left_out(
    tmp_path: Path, pictures: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    card = the_card(save_clip, tmp_path / "model")
    thin = io.BytesIO()
    Image.fromarray(np.zeros((3, 900, 3), np.uint8)).save(thin, "PNG")
    found = parity.check(card, [pictures[0], thin.getvalue()], [ONNX], seconds=0)
    assert found.count + found.left_out == 2
    assert all(row.is_usable for row in found.rows)
    monkeypatch.setattr(reference, "opened", lambda data: "not an image")
    with pytest.raises(ModelError, match="none of 1 images"):
        parity.check(card, pictures[:1], [ONNX], seconds=0)


def test_a_configuration_that_says_nothing_of_images_leaves_the_rule_of_the_card(
    tmp_path: Path, pictures: list[bytes]
) -> None:
    card = the_card(save_timm, tmp_path / "model")
    torch = card.weights_for("torch")
    path = card.folder / torch.beside[0].name
    path.write_text(json.dumps({k: v for k, v in json.loads(path.read_text()).items() if k != "pretrained_cfg"}))
    kept = dataclasses.replace(torch, beside=(hashed(path),))
    found = parity.check(dataclasses.replace(card, weights=(kept,)), pictures[:2], seconds=0)
    assert found.reference == "full decode by Pillow, the card's rule, PyTorch in fp32"


def test_an_engine_that_cannot_run_is_a_row_that_says_why(pictures: list[bytes]) -> None:
    (row,) = parity.check(registry.card("descriptor"), pictures[:1], [TORCH], seconds=0).rows
    assert not row.is_usable
    assert "has no weights for the engine torch" in row.reason


def test_values_that_are_not_finite_fail() -> None:
    card = registry.card("descriptor")
    wanted = {output.name: np.ones((2, *output.shape), np.float32) for output in card.outputs}
    made = {name: values.copy() for name, values in wanted.items()}
    made["descriptor"][1, 3] = np.nan
    row = parity._row("x", card, made, wanted, 1.0)
    assert (row.is_usable, row.cosine_mean, row.reason) == (False, None, "gives values that are not finite")


@pytest.mark.parametrize(
    ("others", "count", "is_usable"), [(1, 16, True), (2, 16, False), (2, 200, True), (3, 200, False)]
)
def test_one_image_in_a_hundred_may_get_another_class(others: int, count: int, is_usable: bool) -> None:
    assert (parity._reason(None, None, 1 - others / count, count) == "") == is_usable


def test_bounds_are_the_stated_ones() -> None:
    assert parity._reason(0.999, 0.99, None, 16) == ""
    assert "mean cosine" in parity._reason(0.99899, 0.9989, None, 16)
    assert "worst cosine" in parity._reason(0.9995, 0.98999, None, 16)


def test_made_pictures_are_the_same_ones_every_time() -> None:
    assert made_pictures(3) == made_pictures(3)
    assert len({len(data) for data in made_pictures(3)}) == 3
