"""Which labels are wrong and which classes overlap, by confident learning."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tintype.finders.label_evidence import Evidence
from tintype.finders.probe import Floats, Rows


@dataclass(frozen=True)
class Verdicts:
    """What is thought of each of n images' labels.

    `suggested` is the likeliest class but the one that was given; where none was given (-1), the likeliest of all.
    `confident` says that an image counts as one of the suggested class in the confident joint: its probability of
    that class, though it has another label, is at least the mean of that class's own images.
    """

    suspicion: Floats  # (n,) probability that the label is wrong, 0 to 1; NaN where there is none
    suggested: Rows  # (n,)
    likelihood: Floats  # (n,) probability of the suggested class
    confident: NDArray[np.bool_]  # (n,)


def judge(evidence: Evidence, labels: Rows) -> Verdicts:
    """Judge (n,) labels, 0 to c - 1 or -1 where there is none.

    The thresholds and the joint are those of Northcutt, Jiang and Chuang, "Confident Learning: Estimating
    Uncertainty in Dataset Labels" (2021). The order of suspicion is theirs by self-confidence; its scale is the
    probability of a mistake under the rate of mistakes that the labels themselves speak for.
    """
    count = len(labels)
    own = np.zeros(count, np.float32)
    suggested, likelihood = np.zeros(count, np.int64), np.zeros(count, np.float32)
    for rows, probability in evidence.probabilities():
        given, place = labels[rows], np.arange(len(rows))
        own[rows] = probability[place, given]  # of the last class where there is no label, and not used there
        probability[place[given >= 0], given[given >= 0]] = -1
        suggested[rows] = probability.argmax(axis=1)
        likelihood[rows] = probability[place, suggested[rows]]
    known = labels >= 0
    threshold = _thresholds(own[known], labels[known], evidence.classes)
    confident = np.zeros(count, np.bool_)
    for rows, probability in evidence.probabilities():
        given, place = labels[rows], np.arange(len(rows))
        probability[probability < threshold] = -1
        likeliest = probability.argmax(axis=1)
        sure = (given >= 0) & (likeliest != given) & (probability[place, likeliest] >= 0)
        confident[rows] = sure
        suggested[rows[sure]] = likeliest[sure]
        likelihood[rows[sure]] = probability[place, likeliest][sure]
    suspicion = np.where(known, evidence.suspicion(own), np.float32("nan"))
    return Verdicts(suspicion, suggested, likelihood, confident)


def _thresholds(own: Floats, labels: Rows, classes: int) -> Floats:
    """Mean probability of each class among its own images, (c,)."""
    sums = np.bincount(labels, own, minlength=classes)
    return (sums / np.maximum(np.bincount(labels, minlength=classes), 1)).astype(np.float32)
