"""What goes into a model beside an image, told in words: what to find, or what is asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tintype.models.card import Card
from tintype.models.detecting import Found, detection_of, found
from tintype.models.preparing import Size
from tintype.models.tokens import token_places, tokenized

SAMPLE_THINGS = ("a red car", "a dog")
SAMPLE_QUESTION = "what is in the picture?"
_SAMPLE_POINTS = ((0.2, 0.3), (0.4, 0.1), (0.3, 0.5))  # shares of the input's sides
"""What models are tried with."""


def phrases(prompt: str) -> tuple[str, ...]:
    """The things that a prompt names, "a red car. a sign." two of them: each once, in lower case."""
    named = (" ".join(part.split()).lower() for part in prompt.split("."))
    return tuple(dict.fromkeys(part for part in named if part))


def question_inputs(card: Card, question: str) -> dict[str, NDArray[np.int64]]:
    """The inputs beside one image for a question: (1, length) each. Raises ModelError where it is too long."""
    token_places(card, question)
    return tokenized(card, [question])


@lru_cache(maxsize=8)
def prompt_inputs(card: Card, things: Sequence[str]) -> Mapping[str, NDArray[np.int64]]:
    """The inputs beside one image that say what to find, (1, ...) each. Raises ModelError for too many words."""
    if card.words.texts == "several":
        for thing in things:
            token_places(card, thing)
        return {name: values[None] for name, values in tokenized(card, things).items()}
    token_places(card, _sentence(things))
    return tokenized(card, [_sentence(things)])


def sample_beside(card: Card) -> Mapping[str, NDArray[Any]]:
    """Something to try a card with, (1, ...) each; nothing for one that takes images alone."""
    if card.task == "find":
        return prompt_inputs(card, SAMPLE_THINGS)
    if card.task == "answer":
        return question_inputs(card, SAMPLE_QUESTION)
    if card.task == "mask":
        points = np.array(_SAMPLE_POINTS) * card.pixels.width
        return {card.beside[0].name: np.concatenate([points, points], axis=1)[None].astype(np.float32)}
    return {}


def found_things(
    card: Card, made: Mapping[str, NDArray[Any]], size: Size, things: Sequence[str], min_confidence: float, most: int
) -> Found:
    """As `detecting.found`, where classes are the things of the prompt by number."""
    if card.words.texts == "several":
        return found(card, made, size, min_confidence, most)
    name = detection_of(card).scores
    of_tokens = made[name]
    owners = _owners(card, tuple(things))
    scores = np.stack(
        [of_tokens[:, owners == number].max(axis=1, initial=-np.inf) for number in range(len(things))], axis=1
    )
    return found(card, {**made, name: scores}, size, min_confidence, most)


@lru_cache(maxsize=8)
def _owners(card: Card, things: Sequence[str]) -> NDArray[np.int64]:
    """Which thing each token of the sentence belongs to: of marks the one before, of what opens the sentence the first.

    So the likeliest thing is as likely as the likeliest token, which is the confidence that the library gives.
    """
    ends = np.cumsum([len(thing) + len(_AFTER) for thing in things])
    places = np.array([start for start, _ in token_places(card, _sentence(things))])
    special = np.array([start == end for start, end in token_places(card, _sentence(things))])
    owners = np.minimum(np.searchsorted(ends, places, side="right"), len(things) - 1)
    owners[special] = np.where(np.flatnonzero(special) == 0, 0, len(things) - 1)
    return owners


_AFTER = ". "


def _sentence(things: Sequence[str]) -> str:
    return f"{_AFTER.join(things)}."
