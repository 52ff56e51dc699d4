"""Minimizing a smooth function of many numbers."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Point = NDArray[np.float32]
Function = Callable[[Point], tuple[float, Point]]
"""From a point to the value there and its gradient, of the point's shape."""

_REMEMBERED = 10
_SUFFICIENT = 1e-4  # share of the slope that a step must gain (Armijo)
_FLAT = 0.9  # share of the slope that may be left after it (Wolfe)
_TRIES = 30


def minimize(function: Function, start: Point, *, steps: int = 100, tolerance: float = 1e-4) -> Point:
    """The point that L-BFGS ends at, of the shape of `start`.

    Nocedal and Wright, "Numerical Optimization" (2006), algorithm 7.5. It ends after so many steps, or with one that
    gains less than `tolerance` of the value.
    """
    point = start
    value, gradient = function(point)
    pairs: deque[tuple[Point, Point, float]] = deque(maxlen=_REMEMBERED)
    for _ in range(steps):
        direction = -_scaled(gradient, pairs)
        slope = _dot(direction, gradient)
        if not slope < 0:
            break
        found = _searched(function, point, value, direction, slope)
        if found is None:
            break
        moved, moved_value, moved_gradient = found
        step, change = moved - point, moved_gradient - gradient
        curvature = _dot(step, change)
        if curvature > 0:
            pairs.append((step, change, curvature))
        gain = value - moved_value
        point, value, gradient = moved, moved_value, moved_gradient
        if gain < tolerance * abs(value):
            break
    return point


def _searched(
    function: Function, point: Point, value: float, direction: Point, slope: float
) -> tuple[Point, float, Point] | None:
    """A point along the direction that is low and flat enough, with its value and gradient; None where none is lower.

    Doubles or halves the step until both conditions of Wolfe hold (Lewis and Overton, "Nonsmooth optimization via
    quasi-Newton methods", 2013, algorithm 2.6).
    """
    length, short, long = 1.0, 0.0, np.inf
    best = None
    for _ in range(_TRIES):
        moved = (point + np.float32(length) * direction).astype(np.float32)
        moved_value, gradient = function(moved)
        if moved_value > value + _SUFFICIENT * length * slope:
            long = length
        else:
            best = moved, moved_value, gradient
            if _dot(direction, gradient) >= _FLAT * slope:
                break
            short = length
        length = 2 * short if np.isinf(long) else (short + long) / 2
    return best


def _scaled(gradient: Point, pairs: deque[tuple[Point, Point, float]]) -> Point:
    """The gradient times an estimate of the inverse Hessian (two-loop recursion)."""
    result = gradient.copy()
    shares = []
    for step, change, curvature in reversed(pairs):
        share = _dot(step, result) / curvature
        shares.append(share)
        result -= np.float32(share) * change
    if pairs:
        _, change, curvature = pairs[-1]
        result *= np.float32(curvature / _dot(change, change))
    for (step, change, curvature), share in zip(pairs, reversed(shares), strict=True):
        result += np.float32(share - _dot(change, result) / curvature) * step
    return result


def _dot(a: Point, b: Point) -> float:
    # Not BLAS, which sums in another order with each number of threads.
    return float((a * b).sum(dtype=np.float64))
