"""How likely each label of an image is, by the images that are like it and by probes that never saw its own label."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tintype.finders.probe import Floats, Probe, Rows, fit, softmax
from tintype.index.base import Neighbors

_STRENGTHS = (0.1, 1.0, 3.0, 10.0, 30.0, 100.0, 1_000.0)
_FIRST_STRENGTH = 3  # place of the one that is tried first
_SAMPLED = 20_000  # images that the strength is chosen on
_SAMPLED_CLASSES = 64
_CALIBRATED_VALUES = 1 << 22  # probabilities that the weights are fitted to
_BLOCK_VALUES = 1 << 22
_LEAST_WRONG, _MOST_WRONG = 0.001, 0.4
_WEIGHT_BOUNDS = 0.02, 50.0
_USUAL_WRONG = 1.0, 50.0  # labels that count as seen before, wrong and right
_USUAL_WEIGHTS = 1.0, 0.3  # of the probe and the votes
_WEIGHT_SPREAD = 2.0  # standard deviation of their logarithms
_UNKNOWN_VOTES = 1.0  # votes that are spread over all classes, so that none has the probability 0


@dataclass(frozen=True)
class Evidence:
    """What is known of n images' c labels, all of it without looking at the image's own.

    Labels are taken to come about like this: the true one is drawn from the softmax of the weighted sum of the
    probe's logits and the logarithm of the neighbors' votes; with the probability `wrong` another one is written
    down, each as likely.
    """

    vectors: NDArray[np.float16]  # (n, d)
    fold: Rows  # (n,)
    probes: tuple[Probe, ...]  # that of each fold is fitted on all others
    votes: Rows  # (n, k) labels of the neighbors, nearest first; -1 where one has none or is a near-copy
    classes: int
    weights: tuple[float, float]  # of the probe and the votes
    wrong: float  # share of labels that are wrong

    def probabilities(self) -> Iterator[tuple[Rows, Floats]]:
        """Rows (m,) and the probability of each of their true labels (m, c), in bounded memory; all rows in turn."""
        block = max(1, _BLOCK_VALUES // self.classes)
        for fold, probe in enumerate(self.probes):
            rows = np.flatnonzero(self.fold == fold)
            for start in range(0, len(rows), block):
                part = rows[start : start + block]
                logits = probe.logits(self.vectors[part])
                logits *= np.float32(self.weights[0])
                logits += np.float32(self.weights[1]) * log_votes(self.votes[part], self.classes)
                yield part, softmax(logits)

    def suspicion(self, probability: Floats) -> Floats:
        """The probability that a label is wrong, where it is the true one with the given `probability`, (n,)."""
        other = self.wrong / (self.classes - 1)
        wrong = other * (1 - probability.astype(np.float64))
        return (wrong / (wrong + (1 - self.wrong) * probability)).astype(np.float32)


def gather(
    vectors: NDArray[np.float16], labels: Rows, classes: int, groups: Rows, fold: Rows, neighbors: Neighbors
) -> Evidence:
    """Evidence on n images with (n,) labels 0 to c - 1, or -1 where there is none; c is 2 or more.

    Each class must have images in two folds. `groups` are near-copies, which have no votes on each other.
    """
    strength, wrong = _strength(vectors, labels, classes, fold)
    probes = []
    for number in range(int(fold.max()) + 1):
        known = np.flatnonzero((fold != number) & (labels >= 0))
        probes.append(fit(vectors[known], labels[known], classes, strength=strength, wrong=wrong))
    other = neighbors.rows
    heard = (other >= 0) & (groups[other] != groups[:, None])
    votes = np.where(heard, labels[other], -1)
    weights, wrong = _calibrated(vectors, labels, classes, fold, probes, votes)
    return Evidence(vectors, fold, tuple(probes), votes, classes, weights, wrong)


def log_votes(votes: Rows, classes: int) -> Floats:
    """Logarithm of each class's share of the votes, (n, k) → (n, c). The farthest counts a seventh of the nearest."""
    count, k = votes.shape
    weight = np.exp(-2 * np.arange(k) / max(1, k - 1))
    row, place = np.nonzero(votes >= 0)
    at = row * classes + votes[row, place]
    sums = np.bincount(at, weight[place], minlength=count * classes).reshape(count, classes)
    total = sums.sum(axis=1, keepdims=True) + _UNKNOWN_VOTES
    shares: Floats = np.log((sums + _UNKNOWN_VOTES / classes) / total).astype(np.float32)
    return shares


def _strength(vectors: NDArray[np.float16], labels: Rows, classes: int, fold: Rows) -> tuple[float, float]:
    """The strength under which the first fold's labels are likeliest, and the share of wrong labels it speaks for.

    Of many classes some are enough: a penalty acts on each class as it would beside fewer others.
    """
    kept = np.full(classes + 1, -1)
    chosen = np.unique(np.linspace(0, classes - 1, _SAMPLED_CLASSES).astype(np.int64))
    kept[chosen] = np.arange(len(chosen))
    labels, classes = kept[labels], len(chosen)
    sample = _spread(np.flatnonzero(labels >= 0), _SAMPLED)
    learned, judged = sample[fold[sample] != 0], sample[fold[sample] == 0]
    if not len(judged) or not len(learned):
        return _STRENGTHS[_FIRST_STRENGTH], _LEAST_WRONG
    tried: dict[int, tuple[float, float]] = {}

    def cost(place: int) -> float:
        if place not in tried:
            probe = fit(vectors[learned], labels[learned], classes, strength=_STRENGTHS[place])
            tried[place] = _mixture([probe.logits(vectors[judged])], labels[judged])[1:]
        return tried[place][0]

    best, least = _FIRST_STRENGTH, cost(_FIRST_STRENGTH)
    for direction in (-1, 1):
        while 0 <= best + direction < len(_STRENGTHS) and cost(best + direction) < least:
            best += direction
            least = cost(best)
    return _STRENGTHS[best], tried[best][1]


def _calibrated(
    vectors: NDArray[np.float16], labels: Rows, classes: int, fold: Rows, probes: list[Probe], votes: Rows
) -> tuple[tuple[float, float], float]:
    """Weights of probe and votes, and the share of wrong labels, that make the labels likeliest."""
    sample = _spread(np.flatnonzero(labels >= 0), max(2_000, _CALIBRATED_VALUES // classes))
    logits = np.empty((len(sample), classes), np.float32)
    for number, probe in enumerate(probes):
        mine = fold[sample] == number
        logits[mine] = probe.logits(vectors[sample[mine]])
    weights, _, wrong = _mixture([logits, log_votes(votes[sample], classes)], labels[sample])
    return (weights[0], weights[1]), wrong


def _spread(rows: Rows, most: int) -> Rows:
    """At most so many of the rows, from first to last."""
    return rows[np.linspace(0, len(rows) - 1, min(len(rows), most)).astype(np.int64)]


def _mixture(signals: list[Floats], labels: Rows) -> tuple[list[float], float, float]:
    """Weights of the signals (n, c), cost, and share of wrong labels, at their best.

    The cost is the mean negative logarithm of what labels, weights and share are likely to be together: the share
    comes from a beta distribution, each weight from a log-normal one. Among few labels that keeps one that fits badly
    from passing for noise everywhere, and all from passing for right; among thousands it no longer counts. The best is
    found by trying larger and smaller values of each, in steps that shrink.
    """
    own = np.arange(len(labels)), labels
    classes = signals[0].shape[1]

    def cost(weights: list[float], wrong: float) -> float:
        logits = sum(np.float32(weight) * signal for weight, signal in zip(weights, signals, strict=True))
        right = softmax(np.asarray(logits))[own].astype(np.float64)
        known = np.log((1 - wrong) * right + wrong / (classes - 1) * (1 - right)).sum()
        before = _USUAL_WRONG[0] * np.log(wrong) + _USUAL_WRONG[1] * np.log(1 - wrong)
        before -= (np.log(np.divide(weights, usual)) ** 2).sum() / (2 * _WEIGHT_SPREAD**2)
        return float(-(known + before) / len(labels))

    usual = _USUAL_WEIGHTS[: len(signals)]
    place = [*usual, 0.03]
    bounds = [_WEIGHT_BOUNDS] * len(signals) + [(_LEAST_WRONG, _MOST_WRONG)]
    least = cost(place[:-1], place[-1])
    factor = 1.6
    while factor > 1.02:
        moved = False
        for which, (low, high) in enumerate(bounds):
            for value in (place[which] * factor, place[which] / factor):
                other = [*place]
                other[which] = min(high, max(low, value))
                found = cost(other[:-1], other[-1])
                if found < least - 1e-6:
                    place, least, moved = other, found, True
        if not moved:
            factor **= 0.5
    return place[:-1], least, place[-1]
