"""Outputs of detectors become boxes as their card says, checked against numbers worked out by hand."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tintype.core.errors import ModelError
from tintype.models.card import Card, Detection, Output, PixelInput
from tintype.models.card_file import built_in, card_json, hashed, read_card
from tintype.models.detecting import class_names, found, overlaps
from tintype.models.preparing import prepared, prepared_size, window
from tintype.testing.pictures import scene

SQUARE = (100, 100)


def detector(shapes: dict[str, tuple[int, ...]], detection: Detection, **pixels: Any) -> Card:
    facts: dict[str, Any] = {"width": 50, "height": 50, "fit": "squeeze"}
    given = PixelInput("pixels", "image", **(facts | pixels))
    outputs = tuple(Output(name, shape) for name, shape in shapes.items())
    return dataclasses.replace(
        built_in("descriptor"), name="d", task="detect", input=given, outputs=outputs, detection=detection
    )


def rows(card: Card, made: dict[str, Any], size: tuple[int, int] = SQUARE, least: float = 0.0) -> list[tuple[Any, ...]]:
    values = {name: np.array(part, np.float32) for name, part in made.items()}
    boxes = found(card, values, size, least, 100)
    lists = (boxes.classes.tolist(), boxes.confidence.tolist(), boxes.boxes.tolist())
    return [
        (number, round(sure, 4), *(round(side, 4) for side in box)) for number, sure, box in zip(*lists, strict=True)
    ]


def test_the_background_is_no_class_and_takes_its_share_of_softmax() -> None:
    card = detector({"b": (2, 4), "s": (2, 3)}, Detection("b", "s", background="last"))
    made = {"b": [[0.5, 0.5, 0.2, 0.4], [0.25, 0.5, 0.5, 0.5]], "s": [[0.0, np.log(3), 0.0], [0.0, 0.0, np.log(8)]]}
    assert rows(card, made) == [(1, 0.6, 0.4, 0.3, 0.2, 0.4), (0, 0.1, 0.0, 0.25, 0.5, 0.5)]
    assert rows(card, made, least=0.2) == [(1, 0.6, 0.4, 0.3, 0.2, 0.4)]
    first = detector({"b": (2, 4), "s": (2, 3)}, Detection("b", "s", background="first"))
    assert [row[0] for row in rows(first, made)] == [1, 0]


def test_each_class_of_a_query_may_be_a_box_of_its_own() -> None:
    card = detector({"b": (2, 4), "s": (2, 2)}, Detection("b", "s", scoring="sigmoid", pick="each", most=3))
    made = {"b": [[0.5, 0.5, 1, 1], [0.5, 0.5, 0.5, 0.5]], "s": [[np.log(9), np.log(4)], [-np.log(9), np.log(1.5)]]}
    assert rows(card, made) == [
        (0, 0.9, 0.0, 0.0, 1.0, 1.0),
        (1, 0.8, 0.0, 0.0, 1.0, 1.0),
        (1, 0.6, 0.25, 0.25, 0.5, 0.5),
    ]


@pytest.mark.parametrize(
    ("form", "numbers"),
    [("center", (20, 25, 20, 30)), ("corners", (10, 10, 30, 40)), ("corner and size", (10, 10, 20, 30))],
)
def test_forms_of_boxes_in_pixels_of_the_input(form: Any, numbers: tuple[int, ...]) -> None:
    detection = Detection("b", "s", "c", scoring="probabilities", form=form, unit="px")
    card = detector({"b": (1, 4), "s": (1,), "c": (1,)}, detection)
    assert rows(card, {"b": [numbers], "s": [0.75], "c": [7.0]}) == [(7, 0.75, 0.2, 0.2, 0.4, 0.6)]


def test_one_output_may_hold_boxes_and_scores_in_its_columns() -> None:
    detection = Detection("o", "o", scoring="probabilities", rows="last", form="corners", unit="px", overlap=0.5)
    card = detector({"o": (6, 3)}, detection)
    out = np.array([[0, 0, 25, 25, 0.9, 0.1], [1, 0, 25, 25, 0.8, 0.2], [25, 25, 50, 50, 0.3, 0.6]]).T
    assert rows(card, {"o": out}) == [(0, 0.9, 0.0, 0.0, 0.5, 0.5), (1, 0.6, 0.5, 0.5, 0.5, 0.5)]
    named = Detection("o", "o", "o", scoring="probabilities", form="corners", unit="px")
    assert rows(detector({"o": (1, 6)}, named), {"o": [[0, 0, 25, 50, 0.5, 3]]}) == [(3, 0.5, 0.0, 0.0, 0.5, 1.0)]


def test_boxes_are_cut_to_the_image_and_those_without_sense_left_out() -> None:
    card = detector({"b": (5, 4), "s": (5, 1)}, Detection("b", "s", scoring="probabilities"))
    boxes = [[0.0, 0.5, 0.5, 2], [np.nan, 0, 1, 1], [2, 2, 0.5, 0.5], [0.5, 0.5, -1, -1], [0.5, 0.5, 1, np.inf]]
    assert rows(card, {"b": boxes, "s": [[0.9]] * 5}) == [(0, 0.9, 0.0, 0.0, 0.25, 1.0)]
    assert rows(card, {"b": [[0.5, 0.5, 1, 1]] * 5, "s": [[np.nan]] * 5}) == []


@pytest.mark.parametrize("fit", ["letterbox", "crop", "squeeze", "whole"])
def test_a_box_lies_where_the_picture_shows_it(fit: Any) -> None:
    """A bright square is found in what was prepared, as a detector would, and comes out where the photo has it."""
    rgb = np.zeros((120, 160, 3), np.uint8)
    rgb[48:96, 40:80] = 255
    pixels = {"fit": fit, "width": 60, "height": 60, "shorter_px": 60.0, "longer_px": 100.0, "filter": "box"}
    card = detector({"b": (1, 4), "s": (1, 1)}, Detection("b", "s", scoring="probabilities", form="corners"), **pixels)
    made = prepared([rgb], card.pixels)[0]
    down, across = np.nonzero(made[..., 0] > 127)
    height, width = made.shape[:2]
    assert (width, height) == prepared_size((160, 120), card.pixels)
    box = [across.min() / width, down.min() / height, (across.max() + 1) / width, (down.max() + 1) / height]
    ((*_, x, y, wide, high),) = rows(card, {"b": [box], "s": [[1.0]]}, (160, 120))
    assert (x * 160, y * 120, wide * 160, high * 120) == pytest.approx((40, 48, 40, 48), abs=1.5)
    left, top, *shown = window((160, 120), card.pixels)
    if fit in ("squeeze", "whole"):
        assert (left, top, *shown) == (0, 0, width, height)


def test_images_of_several_shapes_are_not_prepared_together() -> None:
    wanted = PixelInput("pixels", "image", 96, 96, "whole", shorter_px=64.0, longer_px=96.0)
    images = [scene(0, 80, 60), scene(1, 60, 80)]
    with pytest.raises(ValueError, match="one shape"):
        prepared(images, wanted)
    assert [prepared([rgb], wanted).shape for rgb in images] == [(1, 64, 85, 3), (1, 85, 64, 3)]


def plain_overlap(a: tuple[int, ...], b: tuple[int, ...]) -> float:
    """Intersection over union by counting cells."""
    cells = [{(x, y) for x in range(p[0], p[0] + p[2]) for y in range(p[1], p[1] + p[3])} for p in (a, b)]
    return len(cells[0] & cells[1]) / len(cells[0] | cells[1])


SIDE, LENGTH = st.integers(0, 12), st.integers(1, 8)
PLACES = st.lists(st.tuples(SIDE, SIDE, LENGTH, LENGTH, st.integers(0, 1)), min_size=1, max_size=8)


@settings(max_examples=60)
@given(places=PLACES)
def test_of_boxes_that_overlap_the_likeliest_stays(places: list[tuple[int, ...]]) -> None:
    detection = Detection("b", "s", "c", scoring="probabilities", form="corner and size", unit="px", overlap=0.30001)
    count = len(places)
    card = detector({"b": (count, 4), "s": (count,), "c": (count,)}, detection, width=20, height=20)
    sure = [1 - number / 100 for number in range(count)]
    made = rows(card, {"b": [place[:4] for place in places], "s": sure, "c": [place[4] for place in places]})
    kept: list[tuple[int, ...]] = []
    for place in places:  # the likeliest first
        if all(other[4] != place[4] or plain_overlap(other[:4], place[:4]) <= 0.30001 for other in kept):
            kept.append(place)
    assert [tuple(round(side * 20) for side in row[2:]) for row in made] == [place[:4] for place in kept]
    boxes = np.array([place[:4] for place in places], np.float64)
    assert overlaps(boxes[0], boxes) == pytest.approx([plain_overlap(places[0][:4], place[:4]) for place in places])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"boxes": "gone"}, "names the output 'gone'"),
        ({"boxes": "flat"}, "must be rows"),
        ({"scores": "b"}, "shapes of boxes"),
        ({"classes": "s"}, "shapes of boxes"),
        ({"most": 0}, "at least 1"),
        ({"overlap": 1.5}, "0 to 1"),
        ({"form": "round"}, "form"),
    ],
    ids=str,
)
def test_cards_that_make_no_sense_are_refused(change: dict[str, Any], reason: str, tmp_path: Path) -> None:
    good = detector({"b": (2, 4), "s": (2, 3), "flat": (2,)}, Detection("b", "s"))
    (tmp_path / "card.json").write_text(card_json(good))
    assert read_card(tmp_path / "card.json").detection == good.detection
    wrong = dataclasses.replace(good, detection=dataclasses.replace(good.detection, **change))  # type: ignore[type-var]  # wrong on purpose, or of many types
    (tmp_path / "card.json").write_text(card_json(wrong))
    with pytest.raises(ModelError, match=rf"^[^\n]*{reason}[^\n]*$"):
        read_card(tmp_path / "card.json")


def test_only_a_detector_says_how_boxes_are_read(tmp_path: Path) -> None:
    good = detector({"b": (2, 4), "s": (2, 3)}, Detection("b", "s"))
    for wrong in (dataclasses.replace(good, task="classify"), dataclasses.replace(good, detection=None)):
        (tmp_path / "card.json").write_text(card_json(wrong))
        with pytest.raises(ModelError, match="detection is for cards whose task is detect"):
            read_card(tmp_path / "card.json")


def test_the_names_of_classes_are_a_file_of_the_card(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("cat\ndog\n")
    labels = hashed(tmp_path / "labels.txt")
    card = detector({"b": (2, 4), "s": (2, 3)}, Detection("b", "s", labels=labels, background="last"))
    here = dataclasses.replace(card, folder=tmp_path)
    assert class_names(here) == ("cat", "dog")
    assert here.fingerprint != dataclasses.replace(here, detection=Detection("b", "s")).fingerprint
    (tmp_path / "labels.txt").write_text("cat\nwolf\n")
    with pytest.raises(ModelError, match="SHA-256"):
        class_names(here)
