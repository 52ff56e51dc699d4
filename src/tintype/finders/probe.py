"""Linear probes: what the vectors of labeled images say of an image's label, learned where some labels are wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tintype.finders.lbfgs import minimize

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]

_BLOCK_VALUES = 1 << 19  # probabilities computed at once; they stay in the cache
_INTERCEPT = np.float32(2)  # the constant input; larger than the others, so that class sizes are learned first
_MOST_CURVATURE = 0.25  # of a logit: where its probability is a half
_STEPS = 60
_TOLERANCE = 1e-3  # of the loss; a tenth of it takes twice as long and judges no better


@dataclass(frozen=True)
class Probe:
    """Multinomial logistic regression over vectors of d numbers, for c classes."""

    mean: Floats  # (d,)
    axes: Floats  # (d, d) from centered vectors to inputs whose penalized curvature is about 1
    weights: Floats  # (d + 1, c)

    def logits(self, vectors: NDArray[np.float16]) -> Floats:
        """(n, d) → (n, c); probabilities are their softmax."""
        logits: Floats = self._inputs(vectors) @ self.weights
        return logits

    def linear(self) -> tuple[Floats, Floats]:
        """The same as weights on the vectors themselves (d, c), and what is added to the logits (c,)."""
        weights = self.axes.astype(np.float64) @ self.weights[:-1]
        bias = float(_INTERCEPT) * self.weights[-1].astype(np.float64) - self.mean.astype(np.float64) @ weights
        return weights.astype(np.float32), bias.astype(np.float32)

    def _inputs(self, vectors: NDArray[np.float16]) -> Floats:
        inputs = np.empty((len(vectors), len(self.mean) + 1), np.float32)
        np.matmul(vectors.astype(np.float32) - self.mean, self.axes, out=inputs[:, :-1])
        inputs[:, -1] = _INTERCEPT
        return inputs


def fit(
    vectors: NDArray[np.float16], labels: Rows, classes: int, *, strength: float = 10.0, wrong: float = 0.0
) -> Probe:
    """The probe under which (n,) `labels` are likeliest for the (n, d) vectors.

    `strength` is the inverse of the L2 penalty against n images, as scikit-learn's `C`. A share `wrong` of the
    labels is expected to be any other class, as likely as each (symmetric label noise; the likelihood is that of
    forward correction in Patrini et al., "Making Deep Neural Networks Robust to Label Noise", 2017), so that a wrong
    label pulls the less the surer it is wrong.
    """
    penalty = 1 / (strength * len(vectors))
    mean, axes, penalties = _preconditioned(vectors, penalty, min(_MOST_CURVATURE, 2 / classes))
    probe = Probe(mean, axes, np.zeros((vectors.shape[1] + 1, classes), np.float32))
    inputs = probe._inputs(vectors)
    other = wrong / (classes - 1)
    block = max(1, _BLOCK_VALUES // classes)

    def loss(weights: Floats) -> tuple[float, Floats]:
        gradient = penalties * weights
        total = 0.5 * float((gradient * weights).sum(dtype=np.float64))
        for start in range(0, len(inputs), block):
            part = inputs[start : start + block]
            own = np.arange(len(part)), labels[start : start + block]
            probability = softmax(part @ weights)
            right = probability[own]
            likelihood = (1 - wrong - other) * right + other
            total -= float(np.log(np.maximum(likelihood, 1e-30)).sum(dtype=np.float64)) / len(inputs)
            pull = (1 - wrong - other) * right / np.maximum(likelihood, 1e-30)
            probability[own] -= 1
            probability *= pull[:, None] / len(inputs)
            gradient += part.T @ probability
        return total, gradient

    return Probe(mean, axes, minimize(loss, probe.weights, steps=_STEPS, tolerance=_TOLERANCE))


def softmax(logits: Floats) -> Floats:
    """Probabilities of (n, c) logits, in their place."""
    logits -= logits.max(axis=1, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=1, keepdims=True)
    return logits


def _preconditioned(vectors: NDArray[np.float16], penalty: float, curvature: float) -> tuple[Floats, Floats, Floats]:
    """Mean (d,), axes (d, d) and the penalty of each input, (d + 1, 1).

    Along the principal axes, each scaled by the curvature that is expected there, which is that of a logit times
    the variance: so ten steps of L-BFGS do what otherwise takes hundreds. The penalty stays that of weights on the
    vectors themselves.
    """
    width = vectors.shape[1]
    mean = vectors.mean(axis=0, dtype=np.float64).astype(np.float32)
    spread = np.zeros((width, width))
    for start in range(0, len(vectors), 8_192):
        centered = vectors[start : start + 8_192].astype(np.float32) - mean
        spread += centered.T @ centered
    variance, directions = np.linalg.eigh(spread / len(vectors))
    scale = 1 / np.sqrt(curvature * np.maximum(variance, 0) + penalty)
    penalties = np.append(penalty * scale**2, 0.0)
    return mean, (directions * scale).astype(np.float32), penalties[:, None].astype(np.float32)
