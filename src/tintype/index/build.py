"""Which index fits how many vectors, and one made or read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tintype.core.errors import CollectionDamaged
from tintype.index import ann, exact, files
from tintype.index.ann import AnnIndex
from tintype.index.base import Vectors
from tintype.index.exact import ExactIndex
from tintype.index.storage import Kind
from tintype.index.vectors import checked

EXACT_BELOW = 100_000
"""With fewer, one query takes less than 25 ms on one core, and the answer is the true one."""


def choose(count: int) -> type[ExactIndex] | type[AnnIndex]:
    """The kind of index for so many vectors: exact where that is quick enough."""
    return ExactIndex if count < EXACT_BELOW else AnnIndex


def build(ids: NDArray[np.int64], vectors: Vectors, storage: Kind = "float16") -> ExactIndex | AnnIndex:
    """An index of (n, d) vectors of unit length under ids (n,), its recall measured. Raises ValueError."""
    halves = checked(vectors)
    index = choose(len(halves))(halves.shape[1], storage)
    index.add(ids, halves)
    return index


def load(place: Path) -> ExactIndex | AnnIndex:
    """An index of whatever kind. Raises CollectionDamaged for a file that is not whole."""
    facts, arrays = files.read(place)
    kinds: dict[str, type[ExactIndex] | type[AnnIndex]] = {exact.KIND: ExactIndex, ann.KIND: AnnIndex}
    if facts.get("kind") not in kinds:
        raise CollectionDamaged(str(place), f"this is an index of an unknown kind, {facts.get('kind')!r}", files.MEND)
    return kinds[facts["kind"]].of(facts, arrays)
