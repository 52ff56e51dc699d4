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
    parts = [texts[start : start + _AT_ONCE] for start in range(0, len(texts), _AT_ONCE)]
    vectors = np.concatenate([run.run(tokenized(card, part))[output.name] for part in parts])
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    if not (np.isfinite(lengths) & (lengths > _LEAST_LENGTH)).all():
        raise ModelError(f"card {card.name} gives no usable vector for one of these texts")
    unit: NDArray[np.float32] = vectors / lengths
    return unit
