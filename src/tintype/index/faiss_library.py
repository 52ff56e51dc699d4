"""FAISS, loaded on first use, and its arrays as numpy's."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray


def library() -> Any:
    import faiss  # takes a tenth of a second that few calls need to spend

    return faiss


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """FAISS in one thread: what it learns and links is then the same every time."""
    faiss = library()
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def filled(vector: Any, array: NDArray[Any]) -> None:
    """Copy an array into a vector of C++."""
    vector.resize(len(array))
    if len(array):
        library().memcpy(vector.data(), library().swig_ptr(array), array.nbytes)


def taken(vector: Any) -> NDArray[Any]:
    """A copy of a vector of C++."""
    if not vector.size():
        return np.empty(0, np.int32)
    return np.array(library().rev_swig_ptr(vector.data(), vector.size()))


def without(removed: NDArray[np.int64], rows: int) -> Any:
    """What lets all rows through but some; None where there are none."""
    if not len(removed):
        return None
    faiss = library()
    bits = np.full(-(-rows // 8), 255, np.uint8)
    np.bitwise_and.at(bits, removed >> 3, ~(np.uint8(1) << (removed & 7).astype(np.uint8)))
    return faiss.IDSelectorBitmap(bits)
