"""What every index asks of what it is given."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tintype.core.errors import CollectionDamaged
from tintype.index.base import Vectors
from tintype.index.files import MEND
from tintype.index.vectors import Halves, checked


def checked_addition(known: NDArray[np.int64], ids: NDArray[np.int64], vectors: Vectors, dimensions: int) -> Halves:
    """The vectors as float16. Raises ValueError where they or their ids cannot be added."""
    halves = _of_dimensions(vectors, dimensions)
    if ids.shape != (len(halves),) or ids.dtype != np.int64:
        raise ValueError(f"{len(halves)} vectors need as many ids, as int64, not {ids.dtype} of shape {ids.shape}")
    if len(ids) and ids.min() < 0:
        raise ValueError(f"ids must be 0 or more, not {ids.min()}")
    if len(np.unique(ids)) < len(ids) or np.isin(ids, known).any():
        raise ValueError("an id stands for one vector, and some are there already or given twice")
    return halves


def checked_queries(queries: Vectors, k: int, dimensions: int) -> Halves:
    """The queries as float16. Raises ValueError."""
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    return _of_dimensions(queries, dimensions)


def of_kind(place: Path, facts: Mapping[str, Any], kind: str) -> None:
    """Raises CollectionDamaged where a file's facts say that it is another kind of index."""
    if facts.get("kind") != kind:
        raise CollectionDamaged(str(place), f"this index is of the kind {facts.get('kind')!r}, not {kind!r}", MEND)


def _of_dimensions(vectors: Vectors, dimensions: int) -> Halves:
    halves = checked(vectors)
    if halves.shape[1] != dimensions:
        raise ValueError(f"vectors of {halves.shape[1]} dimensions do not fit an index of {dimensions}")
    return halves
