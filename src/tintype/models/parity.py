"""Whether a faster engine gives the same: each against the reference, on the same images, with its speed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tintype.core.errors import ImageError, MissingExtra, ModelError
from tintype.models import parity_answers
from tintype.models.card import Card, Output, PixelInput, TextInput
from tintype.models.engines import Engine, engines, load
from tintype.models.parity_rows import PREPARATION, Parity, Row, decoded, per_second, too_many
from tintype.models.reference import Reference, by_card
from tintype.models.tokens import tokenized

LEAST_MEAN = 0.999
LEAST_WORST = 0.99
AT_ONCE = 8
SECONDS = 1.0
"""How long each engine is measured."""

_LEAST_LENGTH = 1e-6
_TEXTS = (
    "a photo of a dog on a beach",
    "two people ride bicycles through a city at night, in the rain",
    "a red car",
    "",
    "an old map of the world, drawn by hand with ships and whales in the margins, on yellowed paper that is torn",
    "Ein Foto von einem Bahnhof, überfüllt",
    "diagram of a neural network",
    "the letter A",
)

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class _Case:
    """What all engines are given, and what the reference gives for it."""

    inputs: Arrays
    wanted: Arrays
    count: int


def check(
    card: Card,
    encoded: Sequence[bytes],
    chosen: Sequence[Engine] | None = None,
    *,
    seconds: float = SECONDS,
) -> Parity:
    """Compare engines (all that run here, if none are named) on images, as the bytes of their files.

    Cards of words are compared on texts of our own. Cards of the squares that the built-in stages share were trained on
    images decoded as a scan does it, so there it is the engines that are compared, on the same squares. An engine that
    cannot run is a row that says why. Raises ModelError for a card with nothing to compare, or where no image can be
    read.
    """
    if parity_answers.is_answer(card):
        return parity_answers.check(card, encoded, engines(card) if chosen is None else chosen, seconds)
    if not any(_is_compared(output) for output in card.outputs):
        raise ModelError(f"card {card.name} ({card.task}) has neither vectors nor classes that could be compared")
    reference = Reference(card)
    left_out = 0
    rows: list[Row] = []
    if isinstance(card.input, TextInput):
        inputs = tokenized(card, _TEXTS)
        case = _Case(inputs, reference.runner.run(inputs), len(_TEXTS))
        words = reference.forward_words
    elif isinstance(card.input, PixelInput):
        is_shared = card.input.fit == "shared square"
        case, read = _of_images(card, encoded, reference, is_shared=is_shared)
        left_out = len(encoded) - len(read)
        words = f"the same squares, {reference.forward_words}" if is_shared else reference.words
        if not is_shared:
            rows.append(_preparation_row(card, read, reference, case, seconds))
    else:
        raise ModelError(f"card {card.name} ({card.task}) runs on vectors, by one engine alone. There is no other")
    rows += [_engine_row(card, engine, case, seconds) for engine in (engines(card) if chosen is None else chosen)]
    return Parity(card, words, case.count, left_out, tuple(rows))


def _of_images(
    card: Card, encoded: Sequence[bytes], reference: Reference, *, is_shared: bool
) -> tuple[_Case, list[bytes]]:
    """What engines are given for the images that can be read, what is wanted, and those images."""
    read, images, wanted = [], [], []
    for data in encoded:
        try:
            image = decoded(card, data)  # first: ours has limits
            wanted.append({} if is_shared else reference.of_file(data))
        except (ImageError, OSError):
            continue
        images.append(by_card(card, [image]))
        read.append(data)
    if not read:
        raise ModelError(f"none of {len(encoded)} images could be read. Give others")
    pixels = np.concatenate(images)
    if is_shared:
        return _Case({card.input.name: pixels}, reference.of_pixels(pixels), len(read)), read
    made = {output.name: np.concatenate([one[output.name] for one in wanted]) for output in card.outputs}
    return _Case({card.input.name: pixels}, made, len(read)), read


def _preparation_row(card: Card, encoded: Sequence[bytes], reference: Reference, case: _Case, seconds: float) -> Row:
    """Our preparation through the reference's forward pass."""
    made = reference.of_pixels(case.inputs[card.input.name])
    per_s = per_second(
        lambda part: by_card(card, [decoded(card, data) for data in encoded[part]]), _parts(case.count), seconds
    )
    return _row(PREPARATION, card, made, case.wanted, per_s)


def _engine_row(card: Card, engine: Engine, case: _Case, seconds: float) -> Row:
    try:
        run = load(card, engine).run
        parts = _parts(case.count)

        def forward(part: slice) -> dict[str, NDArray[np.float32]]:
            return run({name: values[part] for name, values in case.inputs.items()})

        made = [forward(part) for part in parts]
        outputs = {name: np.concatenate([one[name] for one in made]) for name in made[0]}
        return _row(str(engine), card, outputs, case.wanted, per_second(forward, parts, seconds))
    except (ModelError, MissingExtra, MemoryError) as error:
        return Row(str(engine), None, None, None, None, is_usable=False, reason=str(error))


def _row(name: str, card: Card, made: Arrays, wanted: Arrays, per_s: float) -> Row:
    means, worsts, agreements = [], [], []
    is_finite = all(bool(np.isfinite(made[output.name]).all()) for output in card.outputs)
    for output in filter(_is_compared, card.outputs):
        if output.meaning == "vector":
            same = cosines(made[output.name], wanted[output.name])
            means.append(float(same.mean()))
            worsts.append(float(same.min()))
        else:
            agreements.append(float((made[output.name].argmax(1) == wanted[output.name].argmax(1)).mean()))
    mean, worst = (min(values) if values else None for values in (means, worsts))
    agreement = min(agreements) if agreements else None
    if not is_finite:
        return Row(name, None, None, None, per_s, is_usable=False, reason="gives values that are not finite")
    reason = _reason(mean, worst, agreement, len(wanted[card.outputs[0].name]))
    return Row(name, mean, worst, agreement, per_s, is_usable=not reason, reason=reason)


def _reason(mean: float | None, worst: float | None, agreement: float | None, count: int) -> str:
    """Why an engine is not to be used; "" where it may be."""
    if mean is not None and mean < LEAST_MEAN:
        return f"mean cosine {mean:.5f} is below {LEAST_MEAN}"
    if worst is not None and worst < LEAST_WORST:
        return f"worst cosine {worst:.5f} is below {LEAST_WORST}"
    if agreement is not None and too_many(agreement, count):
        return f"another first class for {round((1 - agreement) * count)} of {count}"
    return ""


def _is_compared(output: Output) -> bool:
    return output.meaning in ("vector", "probabilities", "logits") and len(output.shape) == 1


def cosines(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.float64]:
    """Of each row of two (n, d) arrays; 1 where both rows have no length, 0 where one has none."""
    left, right = a.astype(np.float64), b.astype(np.float64)
    lengths = np.linalg.norm(left, axis=1), np.linalg.norm(right, axis=1)
    made: NDArray[np.float64] = (left * right).sum(axis=1) / np.maximum(lengths[0] * lengths[1], _LEAST_LENGTH**2)
    return np.where(np.maximum(*lengths) < _LEAST_LENGTH, 1.0, made)


def _parts(count: int) -> list[slice]:
    return [slice(start, min(start + AT_ONCE, count)) for start in range(0, count, AT_ONCE)]
