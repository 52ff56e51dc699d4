"""Heads that are learned: the best there is by brute force, figures that hold on images never seen, and copies that
do not flatter them."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from vector_collections import around, directions, unit

from tintype.core.errors import UsageError
from tintype.finders.learned_heads import FOLDS, _folds, learn_classes, learn_number
from tintype.finders.probe import softmax

NAMES = ("cat", "dog", "fish")


def photos(count: int, spread: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Vectors (n, 32) around three directions, shuffled as digests would shuffle them, and their class."""
    vectors = around(directions(3), count, spread, seed).astype(np.float16)
    order = np.random.default_rng(seed + 1).permutation(len(vectors))
    return vectors[order], np.repeat(np.arange(3), count)[order]


def named(classes: np.ndarray) -> pa.Array:
    return pa.array([NAMES[number] for number in classes])


def test_figures_hold_on_images_that_were_never_seen() -> None:
    vectors, classes = photos(150, spread=2.5)
    learned = learn_classes(vectors, named(classes))
    fresh, answers = photos(1_000, spread=2.5, seed=7)
    probability = softmax(fresh.astype(np.float32) @ learned.weight + learned.bias)
    accuracy = (probability.argmax(axis=1) == answers).mean()
    assert learned.classes == NAMES
    assert 0.6 < accuracy < 0.98  # neither chance nor too easy to tell anything
    assert learned.figures["accuracy"] == pytest.approx(accuracy, abs=0.05)
    log_loss = -np.log(probability[np.arange(len(answers)), answers]).mean()
    assert learned.figures["log_loss"] == pytest.approx(log_loss, abs=0.1)
    for number, name in enumerate(NAMES):
        figures = learned.figures["classes"][name]
        told = probability.argmax(axis=1)
        recall = (told[answers == number] == number).mean()
        precision = (answers[told == number] == number).mean()
        assert (figures["recall"], figures["precision"]) == pytest.approx((recall, precision), abs=0.12)
        assert figures["images"] == 150


def test_labels_by_chance_are_told_by_chance() -> None:
    vectors, _ = photos(150, spread=2.5)
    given_ = np.random.default_rng(3).integers(0, 3, len(vectors))
    assert learn_classes(vectors, named(given_)).figures["accuracy"] == pytest.approx(1 / 3, abs=0.08)


def test_near_copies_do_not_flatter_the_figures() -> None:
    """Each image eight times, labels by chance: where copies stand on both sides, all are told right."""
    single = directions(60, seed=4)
    vectors = unit(np.repeat(single, 8, axis=0) + 0.01 * np.random.default_rng(0).standard_normal((480, 32)))
    classes = np.repeat(np.random.default_rng(5).integers(0, 3, 60), 8)
    order = np.random.default_rng(6).permutation(480)
    learned = learn_classes(vectors[order].astype(np.float16), named(classes[order]))
    assert learned.figures["accuracy"] < 0.55


def test_the_same_again_is_the_same_to_the_bit() -> None:
    vectors, classes = photos(40, spread=1.0)
    one, other = (learn_classes(vectors, named(classes)) for _ in range(2))
    assert (one.weight.tobytes(), one.bias.tobytes()) == (other.weight.tobytes(), other.bias.tobytes())
    assert one.figures == other.figures


def test_rare_labels_are_left_out_and_too_few_refused() -> None:
    vectors, classes = photos(20, spread=0.5)
    labels = ["rare" if row < 4 else name for row, name in enumerate(named(classes).to_pylist())]
    learned = learn_classes(vectors, pa.array(labels))
    assert learned.classes == NAMES
    assert learned.figures["labels_left_out"] == 1
    assert learned.figures["images"] == 56
    with pytest.raises(UsageError, match="1 of 1 labels"):
        learn_classes(vectors, pa.array(["one"] * 60))
    with pytest.raises(UsageError, match="0 of 8 labels"):
        learn_classes(vectors[:8], pa.array(list("abcdefgh")))


# Numbers


def brute_force(vectors: np.ndarray, values: np.ndarray, ridge: float) -> tuple[np.ndarray, float]:
    """The minimum of mean squared error plus penalty, by the normal equations."""
    x, y = vectors.astype(np.float64), values
    centered = x - x.mean(axis=0)
    share = (centered**2).mean(axis=0).mean()
    weight = np.linalg.solve(
        centered.T @ centered / len(y) + ridge * share * np.eye(x.shape[1]), centered.T @ (y - y.mean()) / len(y)
    )
    return weight, float(y.mean() - x.mean(axis=0) @ weight)


@settings(max_examples=20)
@given(seed=st.integers(0, 1_000), noise=st.sampled_from([0.0, 0.05, 1.0]), count=st.integers(40, 200))
def test_the_number_is_that_of_the_normal_equations(seed: int, noise: float, count: int) -> None:
    vectors = directions(count, seed).astype(np.float16)
    random = np.random.default_rng(seed)
    values = 5 + 3 * (vectors.astype(np.float64) @ random.standard_normal(32)) + noise * random.standard_normal(count)
    learned = learn_number(vectors, values)
    weight, bias = brute_force(vectors, values, learned.figures["ridge"])
    assert learned.weight[:, 0] == pytest.approx(weight, abs=1e-3 + 1e-3 * abs(weight).max())
    assert learned.bias[0] == pytest.approx(bias, abs=1e-3)


def test_the_figures_of_a_number_are_those_of_a_cross_validation_by_hand() -> None:
    vectors = directions(300, 1).astype(np.float16)
    random = np.random.default_rng(2)
    values = vectors.astype(np.float64) @ random.standard_normal(32) + 0.3 * random.standard_normal(300)
    learned = learn_number(vectors, values)
    fold = _folds(vectors, np.zeros(300, np.int64))
    assert np.bincount(fold).tolist() == [60] * FOLDS
    errors = {}
    for ridge in 10.0 ** np.arange(-6, 3):
        off = np.empty(300)
        for number in range(FOLDS):
            weight, bias = brute_force(vectors[fold != number], values[fold != number], ridge)
            off[fold == number] = vectors[fold == number].astype(np.float64) @ weight + bias - values[fold == number]
        errors[ridge] = off
    best = min(errors, key=lambda ridge: (errors[ridge] ** 2).sum())
    assert learned.figures["ridge"] == pytest.approx(best)
    r2 = 1 - (errors[best] ** 2).sum() / ((values - values.mean()) ** 2).sum()
    assert learned.figures["r2"] == pytest.approx(r2, abs=1e-3)
    assert learned.figures["mean_absolute_error"] == pytest.approx(np.abs(errors[best]).mean(), abs=1e-3)


def test_numbers_by_chance_explain_nothing() -> None:
    values = np.random.default_rng(8).standard_normal(200)
    assert learn_number(directions(200).astype(np.float16), values).figures["r2"] < 0.1


@pytest.mark.parametrize(
    ("values", "said"),
    [
        pytest.param(np.arange(9.0), "whose values differ", id="too few"),
        pytest.param(np.ones(50), "whose values differ", id="all the same"),
        pytest.param(np.linspace(0, 1e200, 50), "beyond 1e\\+30", id="too large"),
    ],
)
def test_numbers_that_teach_nothing_are_refused(values: np.ndarray, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        learn_number(directions(len(values)).astype(np.float16), values)
