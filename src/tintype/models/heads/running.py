"""A head at work: from stored vectors to probabilities of classes, or to one number each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tintype.core.errors import ModelError
from tintype.models.base import Runner
from tintype.models.card import Card, Output, VectorInput
from tintype.models.running import runner

AT_ONCE = 1_024
"""Rows that a head runs on together, never more or fewer: for other numbers a processor's kernels sum in other orders,
and a row's last bits would depend on how many came with it."""


class Head:
    """A head's card with what runs it. Raises ModelError for a card that is no head."""

    def __init__(self, card: Card, run: Runner | None = None) -> None:
        self.card, self.input, self.output = card, vectors_of(card), result_of(card)
        self._run = run or runner(card)

    def __call__(self, vectors: NDArray[np.floating]) -> NDArray[np.float32]:
        """Probabilities (n, classes), or numbers (n,), of n vectors (n, d). Raises ModelError where d does not fit."""
        if vectors.shape[1:] != (self.input.dimension,):
            raise ModelError(
                f"card {self.card.name} takes vectors of {self.input.dimension} dimensions, not {vectors.shape[1:]}"
            )
        values = self.values(vectors)
        if self.output.meaning == "score":
            return values.reshape(len(vectors))
        return values if self.output.meaning == "probabilities" else softmax(values)

    def values(self, vectors: NDArray[np.floating]) -> NDArray[np.float32]:
        """What its network gives, (n, *shape)."""
        parts = [self._block(vectors[start : start + AT_ONCE]) for start in range(0, len(vectors), AT_ONCE)]
        return np.concatenate(parts) if parts else np.empty((0, *self.output.shape), np.float32)

    def _block(self, vectors: NDArray[np.floating]) -> NDArray[np.float32]:
        block = np.zeros((AT_ONCE, self.input.dimension), np.float32)
        block[: len(vectors)] = vectors
        made: NDArray[np.float32] = self._run.run({self.input.name: block})[self.output.name]
        if made.shape != (AT_ONCE, *self.output.shape):
            raise ModelError(
                f"card {self.card.name}: its output is of the shape {made.shape[1:]}, not {self.output.shape}"
            )
        return made[: len(vectors)]


def vectors_of(card: Card) -> VectorInput:
    """What a head takes. Raises ModelError for a card that is none."""
    if card.task != "head" or not isinstance(card.input, VectorInput):
        raise ModelError(
            f"card {card.name} ({card.task}) is no head: it does not run on stored vectors. "
            f"Models of images run in a scan, as in --stages classify:{card.name}"
        )
    return card.input


def result_of(card: Card) -> Output:
    """The classes or the number that a head gives. Raises ModelError where it gives neither."""
    for output in card.outputs:
        if output.meaning == "score" or (output.meaning in ("probabilities", "logits") and len(output.shape) == 1):
            return output
    raise ModelError(f"card {card.name} gives neither classes nor a number")


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities of (n, classes) logits; not a number where one of a row's is not finite."""
    with np.errstate(invalid="ignore"):
        raised = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True, initial=-np.inf))
        return np.asarray(raised / raised.sum(axis=1, keepdims=True), np.float32)
