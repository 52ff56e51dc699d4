"""How an index keeps vectors: as float16, or in 8 bits a number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tintype.index.vectors import Halves, widened

Kind = Literal["float16", "int8"]

_BLOCK_ROWS = 16_384
_HALF_A_STEP = np.int32(1 << 12)
_ELEVEN_BITS = np.int32(-1 << 13)  # of a float32: its first bit is not written down


class Float16:
    """(n, d) vectors as they came: 2·d bytes each."""

    kind: Kind = "float16"

    def __init__(self, values: NDArray[np.float16]) -> None:
        self._values = values

    @classmethod
    def empty(cls, dimensions: int) -> Float16:
        return cls(np.empty((0, dimensions), np.float16))

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> Float16:
        return cls(arrays["values"])

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        return {"values": self._values}

    @property
    def dimensions(self) -> int:
        return int(self._values.shape[1])

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, rows: Any) -> NDArray[np.float16]:
        part: NDArray[np.float16] = self._values[rows]
        return part

    def extended(self, vectors: Halves) -> Float16:
        return Float16(np.concatenate([self._values, vectors]))


class Int8:
    """(n, d) vectors as whole numbers of -127 to 127 with one factor for each vector: d + 4 bytes each.

    The largest number becomes 127, so the error of each is at most 1/254 of that. Given back at unit length, as
    float32 with the 11 bits of a float16, in which they are scored.
    """

    kind: Kind = "int8"

    def __init__(self, codes: NDArray[np.int8], factors: NDArray[np.float32]) -> None:
        self._codes, self._factors = codes, factors

    @classmethod
    def empty(cls, dimensions: int) -> Int8:
        return cls(np.empty((0, dimensions), np.int8), np.empty(0, np.float32))

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]]) -> Int8:
        return cls(arrays["codes"], arrays["factors"])

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        return {"codes": self._codes, "factors": self._factors}

    @property
    def dimensions(self) -> int:
        return int(self._codes.shape[1])

    def __len__(self) -> int:
        return len(self._codes)

    def __getitem__(self, rows: Any) -> NDArray[np.float32]:
        wide: NDArray[np.float32] = self._codes[rows] * self._factors[rows][..., None]
        bits = wide.view(np.int32)
        bits += _HALF_A_STEP
        bits &= _ELEVEN_BITS
        return wide

    def extended(self, vectors: Halves) -> Int8:
        codes, factors = [self._codes], [self._factors]
        for start in range(0, len(vectors), _BLOCK_ROWS):
            wide = widened(vectors[start : start + _BLOCK_ROWS])
            whole = np.rint(wide * (127 / np.abs(wide).max(axis=1, keepdims=True)))
            codes.append(whole.astype(np.int8))
            factors.append((1 / np.sqrt(np.einsum("nd,nd->n", whole, whole))).astype(np.float32))
        return Int8(np.concatenate(codes), np.concatenate(factors))


Storage = Float16 | Int8

STORAGE: Mapping[Kind, type[Float16] | type[Int8]] = {"float16": Float16, "int8": Int8}
