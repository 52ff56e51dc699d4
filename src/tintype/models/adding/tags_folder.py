"""Taggers in the layout of SmilingWolf's: model.onnx beside selected_tags.csv."""

from __future__ import annotations

import csv
import io
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tintype.core.errors import ModelError
from tintype.core.names import shown
from tintype.models.adding.folder import Folder
from tintype.models.adding.names import slug
from tintype.models.adding.wishes import Wishes
from tintype.models.backends.onnx import OnnxBackend
from tintype.models.backends.onnx_facts import FileFacts, Tensor, file_facts
from tintype.models.card import Card, Output, PixelInput, Weights
from tintype.models.card_file import MAX_SIDE_PX, hashed
from tintype.models.class_names import MOST_NAMES, read_text
from tintype.models.tag_names import RATING, Tags

MODEL, TAGS = "model.onnx", "selected_tags.csv"

_LABELS = "tags.txt"
_CATEGORIES = {"0": "general", "1": "artist", "3": "copyright", "4": "character", "5": "meta", "9": RATING}
"""By the numbers of Danbooru, whose tags these models tell; 9 is the models' own."""

_SAMPLES = 2
_WORD = re.compile(r"[^\W_]{2,}")


def is_tagger(folder: Folder) -> bool:
    return folder.has(MODEL) and folder.has(TAGS)


def cards_of_tagger(folder: Folder, wishes: Wishes, work: Path) -> list[Card]:
    """The card of the tagger in a folder, run once. Raises ModelError for whatever is not as in that layout.

    Its images are prepared as its makers do it: the whole image in the middle of a white square, scaled to the model's
    size by Pillow's bicubic filter, blue first, levels of 0 to 255 as they are.
    """
    where = shown(folder.source)
    tags = read_tags(folder.file(TAGS), f"{where}: {TAGS}")
    shutil.copyfile(folder.file(MODEL), work / MODEL)
    facts = file_facts((work / MODEL).read_bytes(), f"{where}: {MODEL}")
    (work / _LABELS).write_text(tags.text, encoding="utf-8")
    card = Card(
        name=wishes.name or slug(folder.source),
        version=1,
        task="multi-label",
        weights=(Weights("onnx", hashed(work / MODEL), revision=folder.revision),),
        input=_pixels(facts, where),
        outputs=(_output(facts, len(tags.names), work, where),),
        license=wishes.license or folder.license,
        source=f"{folder.source} at {folder.revision}" if folder.revision else folder.source,
        trained_on=wishes.trained_on or folder.trained_on,
        folder=work,
    )
    return [_tried(card, where)]


def read_tags(path: Path, place: str) -> Tags:
    """The tags in a CSV file with the columns `name` and `category`, in their order. Raises ModelError."""
    names, categories = [], []
    for row in _rows(read_text(path, place), place):
        names.append(spelled(row["name"]))
        number = row["category"].strip()
        categories.append(_CATEGORIES.get(number, number if not number.isdigit() else f"category {number}"))
    if not names:
        raise ModelError(f"{place}: it has no tags")
    lines = (f"{' '.join(name.split())}\t{category}" for name, category in zip(names, categories, strict=True))
    return Tags.of_lines(list(lines), place)


def spelled(name: str) -> str:
    """A tag as people write it: blanks for underscores, but faces such as ^_^ and o_o as they are.

    A face is a name that has no two letters or digits side by side.
    """
    return name if _WORD.search(name) is None else name.replace("_", " ")


def _rows(text: str, place: str) -> Iterator[dict[str, str]]:
    limit = csv.field_size_limit()
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        if not {"name", "category"} <= set(reader.fieldnames or ()):
            there = ", ".join(map(shown, reader.fieldnames or ()))[:120]
            raise ModelError(f"{place}: it has no columns `name` and `category`, but: {there or 'nothing'}")
        for number, row in enumerate(reader, 1):
            if number > MOST_NAMES:
                raise ModelError(f"{place}: more than {MOST_NAMES:,} tags")
            if row.get("name") is None or row.get("category") is None:
                raise ModelError(f"{place}: tag {number:,} has no name or no category")
            yield row
    except csv.Error as error:
        raise ModelError(
            f"{place}: not CSV at line {reader.line_num:,} ({error}; fields of {limit:,} at most)"
        ) from error


def _pixels(facts: FileFacts, where: str) -> PixelInput:
    given = facts.inputs[0] if len(facts.inputs) == 1 else Tensor("", "", ())
    sides = given.shape[1:3]
    side = sides[0] if len(given.shape) == 4 and given.shape[3] == 3 and sides[0] == sides[1] else None
    if given.type != "tensor(float)" or side is None or side > MAX_SIDE_PX:
        there = ", ".join(f"{shown(one.name)} {one.type} {one.shape}" for one in facts.inputs)
        raise ModelError(f"{where}: {MODEL} takes {there}, not float32 images (n, side, side, 3) of one size")
    return PixelInput(
        "pixels",
        given.name,
        side,
        side,
        "pad",
        filter="bicubic",
        pad=(255, 255, 255),
        order="bgr",
        layout="NHWC",
    )


def _output(facts: FileFacts, count: int, work: Path, where: str) -> Output:
    if len(facts.outputs) != 1:
        there = ", ".join(shown(one.name) for one in facts.outputs)
        raise ModelError(f"{where}: {MODEL} has the outputs {there}; a tagger has one")
    return Output(facts.outputs[0].name, (count,), meaning="probabilities", labels=hashed(work / _LABELS))


def _tried(card: Card, where: str) -> Card:
    """The card, if the model gives a probability for each tag."""
    wanted, output = card.pixels, card.outputs[0]
    shape = (_SAMPLES, wanted.height, wanted.width, 3)
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    values: NDArray[np.float32] = OnnxBackend().load(card).run({wanted.name: pixels})[output.name]
    if values.shape != (_SAMPLES, *output.shape):
        raise ModelError(
            f"{where}: {MODEL} gives {values.shape[1:]} values an image, and {TAGS} has {output.shape[0]:,} tags"
        )
    if not ((values >= 0) & (values <= 1)).all():
        raise ModelError(f"{where}: {MODEL} gives values that are no probabilities (0 to 1)")
    return card
