"""Vectors of words, to be compared with those of images by the companion card."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tintype.core.errors import ModelError
from tintype.models.base import Runner
from tintype.models.card import Card
from tintype.models.running import runner
from tintype.models.tokens import tokenized

TEMPLATES = ("a photo of {}.", "a snapshot of {}.", "a picture that shows {}.")
"""Sentences for labels; `{}` is the label."""

_AT_ONCE = 32
_LEAST_LENGTH = 1e-6  # of a vector; shorter ones point nowhere


def text_vectors(card: Card, texts: Sequence[str], using: Runner | None = None) -> NDArray[np.float32]:
    """The vectors of texts, float32 (n, d) of unit length, by a card whose task is "embed text".

    `using` is a runner of that card where the one of this machine (`running.runner`) is not meant. Raises ModelError
    for a card of another task, and for a text whose vector is not finite or has no length; MissingExtra without
    the extra `text`.
    """
    if card.task != "embed text":
        hint = f" Its words go to {card.companion}" if card.companion else ""
        raise ModelError(f"card {card.name} ({card.task}) does not embed words.{hint}")
    output = card.vectors()
    if not texts:
        return np.empty((0, output.shape[0]), np.float32)
    run = using or runner(card)
    # Texts of their own lengths run alone, so that a vector does not depend on its neighbors.
    at_once = _AT_ONCE if card.words.pad_to_length else 1
    parts = [texts[start : start + at_once] for start in range(0, len(texts), at_once)]
    vectors = np.concatenate([run.run(tokenized(card, part))[output.name] for part in parts])
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not (np.isfinite(lengths) & (lengths > _LEAST_LENGTH)).all():
        raise ModelError(f"card {card.name} gives no usable vector for one of these texts")
    unit: NDArray[np.float32] = vectors / lengths
    return unit


def label_vectors(card: Card, labels: Sequence[str], templates: Sequence[str]) -> NDArray[np.float64]:
    """(n, d) of unit length: the mean direction of each label's sentences, which zero-shot classification compares
    images with (Radford et al., "Learning transferable visual models from natural language supervision", 2021).

    Raises as `text_vectors` does.
    """
    texts = [template.replace("{}", label) for label in labels for template in templates]
    vectors = text_vectors(card, texts).astype(np.float64).reshape(len(labels), len(templates), -1).mean(axis=1)
    unit: NDArray[np.float64] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit
