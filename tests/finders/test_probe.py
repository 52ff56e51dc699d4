"""Logistic regression, checked by its gradient, by what is known of noise, and by the minimizer's known answers."""

import numpy as np
import pytest

from tintype.finders.lbfgs import minimize
from tintype.finders.probe import fit, softmax


def sample(count=600, width=12, classes=4, seed=0):
    random = np.random.default_rng(seed)
    true = random.integers(0, classes, count)
    centers = np.random.default_rng(3).standard_normal((classes, width))
    vectors = centers[true] + 0.8 * random.standard_normal((count, width))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16), true


def weights_of(probe):
    """Weights on the vectors themselves, (d, c)."""
    return (probe.axes @ probe.weights[:-1]).astype(np.float64)


def loss(vectors, labels, weights, bias, strength, wrong, classes):
    """The penalized negative log likelihood, written down as its formula says."""
    logits = vectors.astype(np.float64) @ weights + bias
    probability = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    right = probability[np.arange(len(labels)), labels]
    likelihood = (1 - wrong) * right + wrong / (classes - 1) * (1 - right)
    return -np.log(likelihood).mean() + (weights**2).sum() / (2 * strength * len(labels))


@pytest.mark.parametrize("wrong", [0.0, 0.1])
@pytest.mark.parametrize("strength", [0.3, 10.0])
def test_no_small_change_of_the_weights_makes_the_labels_likelier(strength, wrong):
    vectors, labels = sample()
    probe = fit(vectors, labels, 4, strength=strength, wrong=wrong)
    weights, zero = weights_of(probe), np.zeros((1, 12), np.float16)
    bias = probe.logits(zero)[0].astype(np.float64)
    assert np.allclose(vectors.astype(np.float64) @ weights + bias, probe.logits(vectors), atol=1e-3)
    least = loss(vectors, labels, weights, bias, strength, wrong, 4)
    random = np.random.default_rng(0)
    for _ in range(50):
        step, turn = 0.3 * random.standard_normal(weights.shape), 0.1 * random.standard_normal(4)
        assert loss(vectors, labels, weights + step, bias + turn, strength, wrong, 4) > least - 2e-3 * least


def test_expected_mistakes_pull_less():
    """With 30 % wrong labels the probe that expects them is nearer to the one that learned the right ones."""
    vectors, true = sample(3_000)
    random = np.random.default_rng(1)
    given = np.where(random.random(len(true)) < 0.3, (true + random.integers(1, 4, len(true))) % 4, true)
    tests, answers = sample(3_000, seed=5)
    right = [
        np.log(softmax(fit(vectors, given, 4, wrong=wrong).logits(tests))[np.arange(3_000), answers]).mean()
        for wrong in (0.0, 0.3)
    ]
    assert right[1] > right[0] + 0.1


def test_one_class_that_never_occurs_is_unlikely():
    vectors, labels = sample()
    probability = softmax(fit(vectors, labels, 6).logits(vectors))
    assert probability[:, 4:].max() < 0.05


def test_equal_vectors_give_the_shares_of_the_labels():
    vectors = np.tile(np.eye(1, 8, dtype=np.float16), (100, 1))
    probability = softmax(fit(vectors, np.repeat([0, 1], [75, 25]), 2).logits(vectors[:1]))
    assert np.allclose(probability, [[0.75, 0.25]], atol=0.01)


def test_the_minimum_of_a_bowl_is_found():
    scales = np.geomspace(1, 1_000, 20).astype(np.float32)
    target = np.linspace(-1, 1, 20, dtype=np.float32)

    def bowl(point):
        away = point - target
        return 1 + float((scales * away * away).sum() / 2), scales * away

    assert np.allclose(minimize(bowl, np.zeros(20, np.float32), tolerance=1e-9), target, atol=1e-3)


def test_the_minimum_of_a_bent_valley_is_found():
    """Rosenbrock's function."""

    def valley(point):
        x, y = point.astype(np.float64)
        value = (1 - x) ** 2 + 100 * (y - x * x) ** 2
        slope = [-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)]
        return 1 + value, np.array(slope, np.float32)

    found = minimize(valley, np.array([-1.2, 1.0], np.float32), steps=200, tolerance=1e-12)
    assert np.allclose(found, [1, 1], atol=0.02)


def test_at_the_minimum_nothing_moves():
    start = np.ones(3, np.float32)
    assert np.array_equal(minimize(lambda point: (0.0, np.zeros_like(point)), start), start)
