"""What vectors say of labels or numbers, learned as one linear layer, with figures of how good it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tintype.core.errors import UsageError
from tintype.finders.folds import folds_of, near_groups
from tintype.finders.probe import Floats, Rows, fit, softmax
from tintype.index.graph import nearest_others

FOLDS = 5
FEWEST_IMAGES = 5
"""Classes with fewer images are left out: nothing can be said of how well they are told apart."""

_NEAR_COPIES_AT = 0.95  # cosine from which on two images are in one fold, as in `labels`
_NEIGHBORS = 4
_STRENGTHS = (0.1, 1.0, 3.0, 10.0, 30.0, 100.0, 1_000.0)
_FIRST_STRENGTH = 3  # place of the one that is tried first
_SAMPLED = 20_000  # images that it is chosen on
_RIDGES = tuple(10.0**power for power in range(-6, 3))  # penalties as a share of the mean variance of the vectors
_MOST_NAMED = 1_000  # classes whose own figures are kept
_LARGEST = 1e30  # of numbers that are learned
_PLACES = 4  # decimals of figures

Vectors = NDArray[np.float16]


@dataclass(frozen=True)
class Learned:
    """A linear layer: weight float32 (d, outputs) and bias (outputs,). `classes` are the outputs' names; without them
    it gives a number. `figures` are measured on images that the layer in question had not seen."""

    weight: Floats
    bias: Floats
    classes: tuple[str, ...]
    figures: dict[str, Any]


def learn_classes(vectors: Vectors, labels: pa.Array) -> Learned:
    """Multinomial logistic regression from (n, d) unit vectors, sorted by digest, to their labels (n,) string.

    Figures come from a cross-validation in which near-copies are in one fold; the penalty is chosen on the first fold
    by likelihood. Raises UsageError where there are no two classes of `FEWEST_IMAGES` or more.
    """
    names = labels.unique().sort()
    numbers = pc.index_in(labels, names).to_numpy(zero_copy_only=False).astype(np.int64)
    sizes = np.bincount(numbers, minlength=len(names))
    kept = np.flatnonzero(sizes >= FEWEST_IMAGES)
    if len(kept) < 2:
        raise UsageError(
            f"{len(kept)} of {len(names)} labels have {FEWEST_IMAGES} images with vectors or more; "
            "a head tells two or more apart"
        )
    place = np.full(len(names), -1)
    place[kept] = np.arange(len(kept))
    numbers = place[numbers]
    vectors, numbers = vectors[numbers >= 0], numbers[numbers >= 0]
    classes = len(kept)
    fold = _folds(vectors, numbers)
    strength = _strength(vectors, numbers, classes, fold)
    told = np.empty(len(numbers), np.int64)
    likelihood = 0.0
    for number in range(FOLDS):
        learned, judged = fold != number, np.flatnonzero(fold == number)
        probability = softmax(
            fit(vectors[learned], numbers[learned], classes, strength=strength).logits(vectors[judged])
        )
        told[judged] = probability.argmax(axis=1)
        likelihood += _log_likelihood(probability, numbers[judged])
    weight, bias = fit(vectors, numbers, classes, strength=strength).linear()
    texts = tuple(names.take(pa.array(kept)).to_pylist())
    figures = _class_figures(numbers, told, texts)
    figures |= {"log_loss": _rounded(-likelihood / len(numbers)), "strength": strength}
    return Learned(weight, bias, texts, figures | {"labels_left_out": len(names) - classes})


def learn_number(vectors: Vectors, values: NDArray[np.float64]) -> Learned:
    """Ridge regression from (n, d) unit vectors, sorted by digest, to (n,) finite numbers.

    The penalty is the one of the least cross-validated error; figures come from that cross-validation, in which
    near-copies are in one fold. Raises UsageError for fewer than 2 * `FOLDS` images, values that are all the same, and
    values too large to be squared.
    """
    if len(values) < 2 * FOLDS or values.min() == values.max():
        raise UsageError(f"a number is learned from {2 * FOLDS} images with vectors or more whose values differ")
    if np.abs(values).max() > _LARGEST:
        raise UsageError(
            f"numbers beyond {_LARGEST:g} are not learned: their squares add up to more than there is room for"
        )
    fold = _folds(vectors, np.zeros(len(values), np.int64))
    held = [_Sums.of(vectors[fold == number], values[fold == number]) for number in range(FOLDS)]
    whole = held[0] + held[1] + held[2] + held[3] + held[4]
    solutions = [(whole - part).solved(_RIDGES) for part in held]
    errors = [
        sum(part.squared_error(*solution[at]) for part, solution in zip(held, solutions, strict=True))
        for at in range(len(_RIDGES))
    ]
    best = int(np.argmin(errors))
    weight, bias = whole.solved((_RIDGES[best],))[0]
    predicted = np.empty(len(values))
    for number, solution in enumerate(solutions):
        mine = fold == number
        predicted[mine] = vectors[mine].astype(np.float32) @ solution[best][0].astype(np.float32) + solution[best][1]
    off = predicted - values
    figures = {
        "images": len(values),
        "folds": FOLDS,
        "r2": _rounded(1 - float((off**2).sum() / ((values - values.mean()) ** 2).sum())),
        "mean_absolute_error": _rounded(float(np.abs(off).mean())),
        "lowest": _rounded(float(values.min())),
        "mean": _rounded(float(values.mean())),
        "highest": _rounded(float(values.max())),
        "ridge": _RIDGES[best],
    }
    return Learned(weight[:, None].astype(np.float32), np.array([bias], np.float32), (), figures)


@dataclass(frozen=True)
class _Sums:
    """What ridge regression needs to know of some images: sums over them, in float64."""

    count: int
    x: NDArray[np.float64]  # (d,)
    xx: NDArray[np.float64]  # (d, d)
    xy: NDArray[np.float64]  # (d,)
    y: float
    yy: float

    @classmethod
    def of(cls, vectors: Vectors, values: NDArray[np.float64], rows: int = 4_096) -> _Sums:
        width = vectors.shape[1]
        made = cls(0, np.zeros(width), np.zeros((width, width)), np.zeros(width), 0.0, 0.0)
        for start in range(0, len(values), rows):
            x, y = vectors[start : start + rows].astype(np.float64), values[start : start + rows]
            made += cls(len(y), x.sum(axis=0), x.T @ x, x.T @ y, float(y.sum()), float(y @ y))
        return made

    def __add__(self, other: _Sums) -> _Sums:
        return self._with(other, 1)

    def __sub__(self, other: _Sums) -> _Sums:
        return self._with(other, -1)

    def _with(self, other: _Sums, sign: int) -> _Sums:
        return _Sums(
            self.count + sign * other.count,
            self.x + sign * other.x,
            self.xx + sign * other.xx,
            self.xy + sign * other.xy,
            self.y + sign * other.y,
            self.yy + sign * other.yy,
        )

    def solved(self, ridges: tuple[float, ...]) -> list[tuple[NDArray[np.float64], float]]:
        """Weights (d,) and intercept for each penalty; the intercept is not penalized."""
        mean_x, mean_y = self.x / self.count, self.y / self.count
        spread = self.xx / self.count - np.outer(mean_x, mean_x)
        variance, axes = np.linalg.eigh(spread)
        along = axes.T @ (self.xy / self.count - mean_x * mean_y)
        share = max(float(variance.clip(0).mean()), 1e-12)
        made = []
        for ridge in ridges:
            weight = axes @ (along / (variance.clip(0) + ridge * share))
            made.append((weight, mean_y - float(mean_x @ weight)))
        return made

    def squared_error(self, weight: NDArray[np.float64], bias: float) -> float:
        """The sum of squared differences of these images' values from what the weights say."""
        square = weight @ self.xx @ weight + 2 * bias * (self.x @ weight) + self.count * bias**2
        return float(square - 2 * (self.xy @ weight + bias * self.y) + self.yy)


def _folds(vectors: Vectors, numbers: Rows) -> Rows:
    """The fold of each image, 0 to FOLDS - 1; near-copies share one."""
    neighbors = nearest_others(vectors, min(_NEIGHBORS, len(vectors) - 1))
    groups = near_groups(neighbors, _NEAR_COPIES_AT, max(2, len(vectors) // (2 * FOLDS)))
    return folds_of(numbers, groups, FOLDS)


def _strength(vectors: Vectors, numbers: Rows, classes: int, fold: Rows) -> float:
    """The inverse penalty under which the first fold's labels are likeliest; of many images some are enough."""
    some = np.arange(len(fold)) < _SAMPLED  # digests are in no order that means anything
    learned, judged = some & (fold != 0), some & (fold == 0)
    tried: dict[int, float] = {}

    def likelihood(place: int) -> float:
        if place not in tried:
            probe = fit(vectors[learned], numbers[learned], classes, strength=_STRENGTHS[place])
            tried[place] = _log_likelihood(softmax(probe.logits(vectors[judged])), numbers[judged])
        return tried[place]

    best = _FIRST_STRENGTH
    for direction in (-1, 1):
        while 0 <= best + direction < len(_STRENGTHS) and likelihood(best + direction) > likelihood(best):
            best += direction
    return _STRENGTHS[best]


def _log_likelihood(probability: Floats, numbers: Rows) -> float:
    own = probability[np.arange(len(numbers)), numbers].astype(np.float64)
    return float(np.log(np.maximum(own, 1e-30)).sum())


def _class_figures(given: Rows, told: Rows, names: tuple[str, ...]) -> dict[str, Any]:
    """Accuracy, and for each class how many of its images were found and how many that were told are its own."""
    count = len(names)
    right = np.bincount(given[given == told], minlength=count)
    images, claimed = np.bincount(given, minlength=count), np.bincount(told, minlength=count)
    recall = right / images
    figures: dict[str, Any] = {
        "images": len(given),
        "folds": FOLDS,
        "accuracy": _rounded(float(right.sum() / len(given))),
        "balanced_accuracy": _rounded(float(recall.mean())),
    }
    if count <= _MOST_NAMED:
        figures["classes"] = {
            name: {
                "images": int(images[at]),
                "recall": _rounded(float(recall[at])),
                "precision": _rounded(float(right[at] / claimed[at])) if claimed[at] else None,
            }
            for at, name in enumerate(names)
        }
    return figures


def _rounded(value: float) -> float:
    return round(value, _PLACES)
