"""Places on a plane for the nodes of a neighbor graph, so that neighbors lie close together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tintype.finders.exact_cosine import PER_UNIT, Grid
from tintype.index.base import Neighbors

Places = NDArray[np.float32]
"""(2, n): x and y."""

_WIDTH = 12  # links of a node at most, its own and those of others to it; more would pull hubs to everything
_STRANGERS = 10  # nodes that each is pushed away from in a round
_PUSH = 3.0  # of all strangers together, against the pull of all neighbors
_STEP = 4.0  # of the first round; it falls to zero in even steps
_START_SPREAD = 5.0  # standard deviation of the first axis at the start; links are about 1 long in the end
_SOFT = 0.01  # squared distance within which the push no longer grows
_STRONGEST = 4.0  # push of one stranger along one axis
_AXIS_ROUNDS = 300
_BLOCK_ROWS = 32_768
_START_GRID = 2.0**-10  # starting places are multiples of it


def embedded(
    grid: Grid, neighbors: Neighbors, rounds: int, seed: int, tell: Callable[[int], None] = lambda _: None
) -> Places:
    """Places (2, n) float32 of n vectors (n, d) with their neighbors (n, k). `tell` hears of each round.

    From the two principal axes on, each node is pulled towards its neighbors in the graph and pushed away from a few
    random nodes, anew in every round, along the gradient of log(1 / (1 + d²)) for neighbors and of
    log(1 - 1 / (1 + d²)) for others: negative sampling as in LargeVis (Tang et al., "Visualizing large-scale and
    high-dimensional data", 2016) and UMAP with a = b = 1 (McInnes, Healy and Melville, 2018), but all nodes at once,
    which needs no order and no sums that several nodes write to. Only the four operations and roots are used, and
    they are exact to the last bit everywhere, so that the same input gives the same map.
    """
    axes = _start(grid)
    x, y = axes[0].copy(), axes[1].copy()
    linked = _linked(neighbors)
    random = np.random.default_rng(seed)
    for round_ in range(rounds):
        tell(round_)
        strangers = random.integers(0, len(x), (len(x), _STRANGERS), np.int32)
        move_x, move_y = np.empty_like(x), np.empty_like(y)
        for start in range(0, len(x), _BLOCK_ROWS):
            block = slice(start, start + _BLOCK_ROWS)
            move_x[block], move_y[block] = _forces(x, y, block, linked[block], strangers[block])
        step = np.float32(_STEP * (1 - round_ / rounds))
        x += step * move_x
        y += step * move_y
    return np.stack([x, y])


def principal_axes(grid: Grid) -> NDArray[np.float64]:
    """(2, n) coordinates of vectors along the two axes of most variance, by subspace iteration; the largest component
    of each axis is positive.

    Sums of whole numbers are exact, and the rest runs in a fixed order, in numpy's own loops.
    """
    count, dimensions = grid.shape
    total, products = np.zeros(dimensions), np.zeros((dimensions, dimensions))
    for start in range(0, count, _BLOCK_ROWS):
        block = grid[start : start + _BLOCK_ROWS].astype(np.float64)
        total += block.sum(axis=0)
        products += block.T @ block
    spread = products / count - np.outer(total, total) / count**2
    axes = np.random.default_rng(0).standard_normal((2, dimensions))
    for _ in range(_AXIS_ROUNDS):
        axes = np.einsum("ij,kj->ki", spread, axes)
        axes[0] /= max(float(np.sqrt((axes[0] ** 2).sum())), 1e-300)
        axes[1] -= (axes[0] * axes[1]).sum() * axes[0]
        axes[1] /= max(float(np.sqrt((axes[1] ** 2).sum())), 1e-300)
    largest = np.abs(axes).argmax(axis=1)
    axes *= np.where(axes[[0, 1], largest] < 0, -1, 1)[:, None]
    along = [np.einsum("nd,d->n", grid, axis, dtype=np.float64) - (total * axis).sum() / count for axis in axes]
    return np.stack(along) / PER_UNIT


def _start(grid: Grid) -> Places:
    places = principal_axes(grid)
    spread = float(places[0].std())
    places = places * (_START_SPREAD / spread) if spread > 1e-6 else np.zeros_like(places)
    # Equal vectors would be pulled and pushed alike for ever: a little of chance takes them apart.
    places = places + np.random.default_rng(1).uniform(-0.05, 0.05, places.shape)
    return (np.rint(places / _START_GRID) * _START_GRID).astype(np.float32)


def _linked(neighbors: Neighbors) -> NDArray[np.int32]:
    """(n, 12) the nearest of the nodes that each is a neighbor of or has as one; its own number where there are fewer.

    A link to itself pulls nowhere.
    """
    count, k = neighbors.rows.shape
    there = neighbors.rows >= 0
    first = np.repeat(np.arange(count), k)[there.ravel()]
    second, similarity = neighbors.rows[there].astype(np.int64), neighbors.similarity[there]
    ends, others = np.concatenate([first, second]), np.concatenate([second, first])
    order = np.lexsort((others, -np.tile(similarity, 2), ends))
    _, once = np.unique((ends * count + others)[order], return_index=True)
    order = order[np.sort(once)]
    ends, others = ends[order], others[order]
    place = np.arange(len(ends)) - np.searchsorted(ends, np.arange(count))[ends]
    linked = np.repeat(np.arange(count, dtype=np.int32)[:, None], _WIDTH, axis=1)
    kept = place < _WIDTH
    linked[ends[kept], place[kept]] = others[kept]
    return linked


def _forces(
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    block: slice,
    linked: NDArray[np.int32],
    strangers: NDArray[np.int32],
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(b,) each: where the nodes of a block are drawn, along x and along y."""
    at_x, at_y = x[block][:, None], y[block][:, None]
    dx, dy = x[linked] - at_x, y[linked] - at_y
    pull = 1 / (1 + dx * dx + dy * dy)
    move_x, move_y = (dx * pull).sum(axis=1) / np.float32(_WIDTH), (dy * pull).sum(axis=1) / np.float32(_WIDTH)
    dx, dy = x[strangers] - at_x, y[strangers] - at_y
    squared = dx * dx + dy * dy
    push = 1 / ((np.float32(_SOFT) + squared) * (1 + squared))
    share = np.float32(_PUSH / _STRANGERS)
    move_x -= share * np.clip(dx * push, -_STRONGEST, _STRONGEST).sum(axis=1)
    move_y -= share * np.clip(dy * push, -_STRONGEST, _STRONGEST).sum(axis=1)
    return move_x, move_y
