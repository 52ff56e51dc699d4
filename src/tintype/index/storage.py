"""How vectors lie in files: as float16, or in 8 bits a number with a factor for each."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tintype.index.choice import Stored
from tintype.index.vectors import Halves, widened

_HALF_A_STEP = np.int32(1 << 12)
_ELEVEN_BITS = np.int32(-1 << 13)  # of a float32: its first bit is not written down

Arrays = tuple[NDArray[Any], ...]


def encoded(halves: Halves, stored: Stored) -> Arrays:
    """The arrays that keep (n, d) vectors: themselves, or (n, d) int8 and (n,) float32 factors.

    In 8 bits the largest number of each becomes 127, so the error of each is at most 1/254 of that.
    """
    if stored == "float16":
        return (halves,)
    wide = widened(halves)
    whole = np.rint(wide * (127 / np.abs(wide).max(axis=1, keepdims=True)))
    factors = (1 / np.sqrt(np.einsum("nd,nd->n", whole, whole))).astype(np.float32)
    return whole.astype(np.int8), factors


def decoded(arrays: Arrays) -> NDArray[np.float16] | NDArray[np.float32]:
    """The vectors at unit length: float16, or float32 with the 11 bits of a float16, in which they are scored."""
    if len(arrays) == 1:
        halves: NDArray[np.float16] = arrays[0]
        return halves
    codes, factors = arrays
    wide: NDArray[np.float32] = codes * factors[:, None]
    bits = wide.view(np.int32)
    bits += _HALF_A_STEP
    bits &= _ELEVEN_BITS
    return wide
