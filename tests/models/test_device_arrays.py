"""Arrays that are shared with a device process: laid out alike on both sides, and refused where a card has others."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from device_models import descriptor
from hypothesis import given, settings
from hypothesis import strategies as st

from tintype.core.errors import ModelError
from tintype.models.card import Card, File, Input, PixelInput, PlaceInput, TextInput, VectorInput
from tintype.models.devices import hosted as hosting
from tintype.models.devices.arrays import checked, dims_of, given_views, kinds, room, row_bytes, rows_in, views
from tintype.models.devices.hosted import device_ids, hosted
from tintype.models.devices.wire import Answer, Request, sorts_heard, sorts_said

TOKENIZER = File("t", "0" * 64)
FIXED = PixelInput("pixels", "image", 6, 4, "squeeze")
WHOLE = PixelInput("pixels", "image", 9, 7, "whole", shorter_px=7, longer_px=9)
TEXT = TextInput("text", "ids", 5, TOKENIZER, mask="mask", pad_to_length=False)
TEXTS = TextInput("text", "ids", 5, TOKENIZER, mask="mask", types="types", texts="several")


def card_of(given: Input, *beside: Input) -> Card:
    return dataclasses.replace(descriptor(), input=given, beside=beside)


CARDS = {
    "images": card_of(FIXED),
    "whole images": card_of(WHOLE),
    "words": card_of(TEXT),
    "images and words": card_of(WHOLE, TEXTS),
    "images and places": card_of(WHOLE, PlaceInput("places", "places")),
    "vectors": card_of(VectorInput("vectors", "x", "c", "f", 3)),
}


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
@settings(max_examples=30)
@given(data=st.data())
def test_what_one_side_lays_out_the_other_finds(card: Card, data: st.DataObject) -> None:
    rows = data.draw(st.integers(1, 5))
    sides: dict[Any, int] = {}  # masks have the sides of their tokens
    inputs: dict[str, np.ndarray] = {}
    for kind in kinds(card):
        row = [sides.setdefault((kind.dtype, side), data.draw(st.integers(*side))) for side in map(_short, kind.row)]
        inputs[kind.name] = np.full((rows, *row), len(inputs) + 1, kind.dtype)
    dims = dims_of(card, inputs)
    shapes = checked(card, Request.of(Request(7, 1, 0, dims).packed()).dims)
    memory = np.zeros(sum(values.nbytes for values in inputs.values()) + rows * 8 * 9 * 128 + 4_096, np.uint8)
    there, end = given_views(card, memory, dims)
    for name, values in inputs.items():
        there[name][:] = values
    sorts = [((3, 2), np.dtype(np.float32)), ((), np.dtype(np.int64))]
    assert sorts_heard(Answer.of(Answer(1, dims=sorts_said(sorts)).packed()).dims) == sorts
    outputs, _ = views(memory, end, [((rows, *row), dtype) for row, dtype in sorts])
    for values in outputs:
        values[:] = 9
    again, _ = given_views(card, memory, dims)
    assert again.keys() == inputs.keys() == set(card.input_names)
    assert all(np.array_equal(again[name], inputs[name]) for name in inputs)
    assert rows_in(card, room(card, rows)) == rows
    assert row_bytes(card, shapes) <= row_bytes(card)


def _short(side: tuple[int, int]) -> tuple[int, int]:
    return side[0], min(side[1], 20)


@pytest.mark.parametrize(
    ("card", "dims"),
    [
        ("images", []),
        ("images", [2, 4, 6]),
        ("images", [2, 6, 4, 3]),
        ("images", [0, 4, 6, 3]),
        ("images", [2, 4, 6, 3, 1]),
        ("whole images", [2, 10, 7, 3]),
        ("whole images", [2, 0, 7, 3]),
        ("words", [2, 5, 3, 5]),
        ("words", [2, 6, 2, 6]),
        ("images and places", [2, 7, 7, 3, 2, 5, 3]),
        ("images and places", [2, 7, 7, 3, 2, 2**32 - 1, 4]),
        ("vectors", [2, 4]),
    ],
    ids=str,
)
def test_shapes_of_other_cards_are_refused(card: str, dims: list[int]) -> None:
    with pytest.raises(ModelError, match="cannot have the shape"):
        checked(CARDS[card], dims)


@given(st.binary(max_size=200))
def test_no_message_is_too_strange(message: bytes) -> None:
    for kind in (Request, Answer):
        try:
            assert kind.of(message).packed()[:1] == message[:1]
        except ValueError:
            continue


def test_memory_ends_where_it_ends() -> None:
    memory = np.zeros(1_000, np.uint8)
    with pytest.raises(ModelError, match="does not fit in the 1,000 bytes"):
        given_views(CARDS["images"], memory, [14, 4, 6, 3])


def test_models_on_gpus_are_hosted() -> None:
    card = descriptor()
    words = ["", "onnx:fp32:cpu", "triton:served:server", "onnx:fp32:cuda", "torch:bf16:cuda", "onnx:fp32:cuda"]
    assert [one.engine for one in hosted((card, word) for word in words)] == ["onnx:fp32:cuda", "torch:bf16:cuda"]


@pytest.mark.parametrize(
    ("named", "count", "ids"),
    [
        (None, 0, ("0",)),
        (None, 3, ("0", "1", "2")),
        ("2, 5", 2, ("2", "5")),
        ("GPU-8932f937,GPU-a3", 2, ("GPU-8932f937", "GPU-a3")),
        ("0,-1,1", 1, ("0",)),
        ("", 0, ("",)),
    ],
    ids=str,
)
def test_the_gpus_are_those_that_may_be_used(
    named: str | None, count: int, ids: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if named is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    monkeypatch.setattr(hosting, "_gpus", lambda: count)
    assert device_ids() == ids


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="there may be a GPU")
def test_no_driver_is_no_gpu() -> None:
    assert hosting._gpus() == 0
