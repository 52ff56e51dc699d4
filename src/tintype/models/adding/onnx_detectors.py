"""Cards of detectors that are ONNX files: which output is what follows from their shapes, how it is read is told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tintype.core.errors import ModelError
from tintype.core.names import shown
from tintype.models.adding.told import Told
from tintype.models.backends.onnx import OnnxBackend
from tintype.models.backends.onnx_facts import FileFacts
from tintype.models.card import Card, Detection, Output
from tintype.models.card_file import card_json, parsed

_FORMS = ("center", "corners", "corner and size")
_UNITS = ("share", "px")
_SCORINGS = ("softmax", "sigmoid", "probabilities")
_CLASS_WORDS = ("class", "label")

Shapes = Mapping[str, tuple[int, ...]]


def finished(card: Card, facts: FileFacts, told: Told) -> Card:
    """The card of a detector, run once. Raises ModelError where its outputs are not understood or something is not
    said."""
    outputs = _run(card, facts, told)
    shapes = {name: values.shape for name, values in outputs.items()}
    labels = told.read_labels(card.folder)
    detection = _named(shapes, labels[1] if labels else None, told)
    detection = _said(replace(detection, labels=labels[0] if labels else None), told)
    used = dict.fromkeys(name for name in (detection.boxes, detection.scores, detection.classes) if name is not None)
    made = tuple(Output(name, shapes[name], meaning="boxes" if name == detection.boxes else "score") for name in used)
    finished_card = replace(card, task="detect", outputs=made, detection=detection)
    try:
        return parsed(json.loads(card_json(finished_card)), card.folder)
    except ValueError as error:
        raise ModelError(f"{told.place}: {error}") from error


def _run(card: Card, facts: FileFacts, told: Told) -> dict[str, NDArray[np.float32]]:
    """Every output for one picture, without the batch."""
    wanted = card.pixels
    pixels = np.random.default_rng(0).integers(0, 256, (1, wanted.height, wanted.width, 3), dtype=np.uint8)
    named = replace(card, outputs=tuple(Output(output.name, ()) for output in facts.outputs))
    made = {
        name: values[0] for name, values in OnnxBackend().load(named).run({wanted.name: pixels}).items() if values.ndim
    }
    broken = next((name for name, values in made.items() if not np.isfinite(values).all()), None)
    if broken is not None:
        raise ModelError(f"{told.place}: what it gives for a picture is not finite ({shown(broken)})")
    return made


def _named(shapes: Shapes, labels: int | None, told: Told) -> Detection:
    """Which output holds what."""
    boxes = [name for name, shape in shapes.items() if len(shape) == 2 and shape[1] == 4]
    rest = {name: shape for name, shape in shapes.items() if name not in boxes[:1]}
    if boxes:
        lists = [name for name, shape in rest.items() if shape == shapes[boxes[0]][:1]]
        tables = [name for name, shape in rest.items() if len(shape) == 2 and shape[0] == shapes[boxes[0]][0]]
        classes = [name for name in lists if any(word in name.lower() for word in _CLASS_WORDS)]
        scores = [name for name in lists if name not in classes]
        if len(classes) == len(scores) == 1:
            return Detection(boxes[0], scores[0], classes[0])
        if len(tables) == 1:
            count = shapes[tables[0]][1]
            return Detection(boxes[0], tables[0], background="last" if labels == count - 1 else None)
    elif len(shapes) == 1:
        ((name, shape),) = shapes.items()
        if len(shape) == 2 and shape[1] == 6 and labels != 2:
            return Detection(name, name, name)
        if labels is not None and len(shape) == 2 and 4 + labels in shape:
            return Detection(name, name, rows="first" if shape[1] == 4 + labels else "last")
    there = ", ".join(f"{shown(name)} {'x'.join(map(str, shape))}" for name, shape in shapes.items())
    raise ModelError(
        f"{told.place}: which of its outputs are boxes and scores is not clear: {there}. "
        "Give the names of its classes (--labels), or write a card for it"
    )


def _said(detection: Detection, told: Told) -> Detection:
    """With how boxes and scores are read. Raises ModelError for what is not said."""
    form, unit = told.one_of("boxes", _FORMS), told.one_of("unit", _UNITS)
    scoring = told.one_of("scores", _SCORINGS)
    missing = [
        option for option, value in (("--boxes", form), ("--unit", unit), ("--scores", scoring)) if value is None
    ]
    if missing:
        raise ModelError(
            f"{told.place}: the file does not say how its boxes and scores are read, and it is not guessed. Give: "
            f"{' '.join(missing)}"
        )
    if scoring == "softmax" and detection.classes is not None:
        raise ModelError(f"{told.place}: it gives one score a box, which softmax makes nothing of")
    return replace(
        detection,
        form=cast("Any", form),
        unit=cast("Any", unit),
        scoring=cast("Any", scoring),
        overlap=told.number("overlap"),
    )
