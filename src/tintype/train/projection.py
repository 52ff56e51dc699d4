"""The closed-form part of a descriptor: which directions of the features tell pictures apart through all edits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def discriminant(views: Floats, dimension: int, ridge: float, emphasis: float) -> tuple[Floats, Floats]:
    """The offset (channels,) and projection (channels, dimension) that Fisher's linear discriminant analysis gives.

    `views` is (pictures, views, channels): each picture and edits of it. Features are scaled so that edits scatter
    evenly in all directions, then the directions in which pictures differ most are kept, the best first, each stretched
    by its ratio of scatter (all to edits) to the power `emphasis`: 0 counts all alike. `ridge` is added to the scatter
    of edits, as a share of its mean variance. (Fisher 1936; with a shared scatter it is also the
    whitening of Mikolajczyk and Matas, Improving descriptors for fast tree matching, 2007.)
    """
    channels = views.shape[2]
    wide = views.astype(np.float64)
    centers = wide.mean(axis=1)
    offset = centers.mean(axis=0)
    apart = (wide - centers[:, None]).reshape(-1, channels)
    within = apart.T @ apart / len(apart)
    between = (centers - offset).T @ (centers - offset) / len(centers)
    within += ridge * np.trace(within) / channels * np.eye(channels)
    variance, axes = np.linalg.eigh(within)
    even = axes / np.sqrt(variance)
    strength, directions = np.linalg.eigh(even.T @ between @ even)
    order = np.argsort(-strength, kind="stable")[:dimension]
    best, ratio = directions[:, order], 1 + strength[order].clip(0)
    projection = even @ (best * _signs(best) * ratio**emphasis)
    projection /= np.abs(projection).max()  # length means nothing: vectors are scaled to unit length behind it
    return offset.astype(np.float32), projection.astype(np.float32)


def pooled(maps: NDArray[np.float16], pooling: Floats, rows: int = 512) -> Floats:
    """(n, 1 + regions, channels): root mean squares over (n, channels, cells).

    They are generalized means with the power 2 (Radenović, Tolias and Chum, Fine-tuning CNN image retrieval, 2018).
    """
    parts = []
    for start in range(0, len(maps), rows):
        means = np.sqrt(np.square(maps[start : start + rows], dtype=np.float32) @ pooling)
        parts.append(means.transpose(0, 2, 1).astype(np.float32))
    return np.concatenate(parts)


def region_pooling(cells_a_side: int) -> Floats:
    """(cells, 10), columns that sum to 1: the whole map, its halves, its center, its quarters.

    Where a side has an odd number of cells, the middle one belongs to both halves.
    """
    first, last = slice(0, (cells_a_side + 1) // 2), slice(cells_a_side // 2, None)
    all_cells, quarter = slice(None), (cells_a_side + 1) // 4
    middle = slice(quarter, cells_a_side - quarter)
    halves = [(all_cells, first), (all_cells, last), (first, all_cells), (last, all_cells)]
    quarters = [(down, across) for down in (first, last) for across in (first, last)]
    columns = []
    for place in [(all_cells, all_cells), *halves, (middle, middle), *quarters]:
        cells = np.zeros((cells_a_side, cells_a_side), np.float32)
        cells[place] = 1
        columns.append(cells.ravel() / cells.sum())
    return np.stack(columns, axis=1)


def unit_length(vectors: NDArray[np.floating[Any]]) -> Floats:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-6), np.float32)


def _signs(directions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Eigenvectors have no sign of their own: the largest entry becomes positive."""
    largest = np.abs(directions).argmax(axis=0)
    signs: NDArray[np.float64] = np.sign(directions[largest, np.arange(directions.shape[1])])
    return signs
