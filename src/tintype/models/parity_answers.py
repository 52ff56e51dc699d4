"""Parity of models whose answers are boxes or words: an engine agrees where its answer for an image is the same."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tintype.core.errors import ImageError, MissingExtra, ModelError
from tintype.models.card import Card
from tintype.models.detecting import Found, found, overlaps
from tintype.models.engines import Engine, load
from tintype.models.masking import MASKS
from tintype.models.parity_rows import PREPARATION, Parity, Row, decoded, per_second, too_many
from tintype.models.preparing import Size
from tintype.models.prompting import SAMPLE_THINGS, found_things, sample_beside
from tintype.models.reference import Reference, by_card
from tintype.models.tokens import texts

SUREST = 3
"""So many boxes of each image must be found again: of the unlikeliest, any rounding may take another."""

_LEAST_OVERLAP = 0.9  # intersection over union of a box and the same box
_OTHER_CONFIDENCE = 0.05
_CANDIDATES = 300

Outputs = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class _Kind:
    """What an answer is, from a card's outputs for one image of some size, and whether two are the same."""

    answer: Callable[[Card, Outputs, Size], Any]
    is_same: Callable[[Any, Any], bool]


def is_answer(card: Card) -> bool:
    """Whether what a card gives is compared as a whole, not as vectors or classes."""
    return card.task in _KINDS


def check(card: Card, encoded: Sequence[bytes], engines: Sequence[Engine], seconds: float) -> Parity:
    """As `parity.check`. Each image runs alone: once prepared, images may differ in size."""
    reference, kind = Reference(card, sample_beside(card)), _KINDS[card.task]
    read, sizes, pixels, wanted = [], [], [], []
    for data in encoded:
        try:
            image = decoded(card, data)  # first: ours has limits
            outputs = reference.of_file(data)
        except (ImageError, OSError):
            continue
        size = image.width, image.height
        wanted.append(kind.answer(card, _first(outputs), size))
        pixels.append(by_card(card, [image]))
        read.append(data)
        sizes.append(size)
    if not read:
        raise ModelError(f"none of {len(encoded)} images could be read. Give others")

    case = _Case(card, kind, sizes, pixels, wanted, seconds)
    rows = [
        case.row(
            PREPARATION,
            reference.of_pixels,
            lambda part: by_card(card, [decoded(card, data) for data in read[part]]),
        ),
        *(_engine_row(case, engine) for engine in engines),
    ]
    return Parity(card, reference.words, len(read), len(encoded) - len(read), tuple(rows))


@dataclass(frozen=True)
class _Case:
    """The images that could be read, as they are prepared, and the reference's answers for them."""

    card: Card
    kind: _Kind
    sizes: Sequence[Size]
    pixels: Sequence[NDArray[Any]]  # (1, height, width, 3) each
    wanted: Sequence[Any]
    seconds: float

    def row(self, name: str, run: Callable[[NDArray[Any]], Outputs], timed: Callable[[slice], object]) -> Row:
        given = zip(self.pixels, self.sizes, self.wanted, strict=True)
        same = [self.kind.is_same(self._answer(run(part), size), wanted) for part, size, wanted in given]
        others, count = same.count(False), len(same)
        agreement = 1 - others / count
        reason = f"another answer for {others} of {count}" if too_many(agreement, count) else ""
        each = [slice(number, number + 1) for number in range(count)]
        speed = per_second(timed, each, self.seconds)
        return Row(name, None, None, agreement, speed, is_usable=not reason, reason=reason)

    def _answer(self, outputs: Outputs, size: Size) -> Any:
        return self.kind.answer(self.card, _first(outputs), size)


def _engine_row(case: _Case, engine: Engine) -> Row:
    try:
        runner = load(case.card, engine)

        def run(pixels: NDArray[Any]) -> Outputs:
            return runner.run({case.card.pixels.name: pixels, **sample_beside(case.card)})

        return case.row(str(engine), run, lambda part: run(case.pixels[part.start]))
    except (ModelError, MissingExtra, MemoryError) as error:
        return Row(str(engine), None, None, None, None, is_usable=False, reason=str(error))


def _first(outputs: Outputs) -> Outputs:
    return {name: values[0] for name, values in outputs.items()}


def _boxes(card: Card, outputs: Outputs, size: Size) -> Found:
    return found(card, outputs, size, 0.0, _CANDIDATES)


def _are_same_boxes(made: Found, wanted: Found) -> bool:
    """Whether the surest boxes were found again."""
    for row in range(min(SUREST, len(wanted))):
        is_alike = made.classes == wanted.classes[row]
        is_alike &= np.abs(made.confidence - wanted.confidence[row]) <= _OTHER_CONFIDENCE
        is_alike &= overlaps(wanted.boxes[row], made.boxes) >= _LEAST_OVERLAP
        if not is_alike.any():
            return False
    return True


def _words(card: Card, outputs: Outputs, _size: Size) -> list[str]:
    """What is written, or else the number of the likeliest answer."""
    made = [texts(card, output, outputs[output.name][None])[0] for output in card.outputs if output.tokenizer]
    return made or [str(outputs[output.name].argmax()) for output in card.outputs]


def _things(card: Card, outputs: Outputs, size: Size) -> Found:
    return found_things(card, outputs, size, SAMPLE_THINGS, 0.0, _CANDIDATES)


def _masks(_card: Card, outputs: Outputs, _size: Size) -> NDArray[np.bool_]:
    covered: NDArray[np.bool_] = outputs[MASKS] > 0
    return covered


def _are_same_masks(made: NDArray[np.bool_], wanted: NDArray[np.bool_]) -> bool:
    """Whether the masks of all places cover nearly the same."""
    both, either = ((part).sum(axis=(1, 2)) for part in (made & wanted, made | wanted))
    return bool((both >= _LEAST_OVERLAP * either).all())


_KINDS: dict[str, _Kind] = {
    "detect": _Kind(_boxes, _are_same_boxes),
    "find": _Kind(_things, _are_same_boxes),
    "caption": _Kind(_words, operator.eq),
    "answer": _Kind(_words, operator.eq),
    "mask": _Kind(_masks, _are_same_masks),
}
"""By task."""
