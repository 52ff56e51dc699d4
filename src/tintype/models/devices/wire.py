"""What a worker and a device process say to each other: small records over a socket that keeps messages apart.

Arrays lie in memory that both have mapped. A worker has decoded hostile bytes, so it names no places in it, only which
of its two slots it has filled, and sides that are compared with the card: what is not said cannot be wrong.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tintype.models.devices.arrays import Outputs, Sort

SLOTS = 2
"""Batches that a worker may have out: one that is run while it fills the other."""

MOST_ROWS = 64
"""Of one batch of a worker: of more a GPU gains little, as batches of several workers are run together."""

MOST_BYTES = 4_096
"""Of a message."""

HELLO, DONE, REFUSED, MEMORY = range(4)
"""What a device process says: here is your memory; here are outputs; your batch cannot be run; it is too large even
row by row."""

_REQUEST = struct.Struct("<QHHH")  # number, card, slot, how many sides follow
_ANSWER = struct.Struct("<BQddH")  # kind, number, seconds of copying and computing, how many sides follow
_SIDE = struct.Struct("<I")
_DTYPES = (np.dtype(np.float32), np.dtype(np.int64))  # of outputs


@dataclass(frozen=True)
class Request:
    """A batch that lies in a slot. `dims` are the sides of its arrays, one after another."""

    number: int
    card: int
    slot: int
    dims: Sequence[int]

    def packed(self) -> bytes:
        return _REQUEST.pack(self.number, self.card, self.slot, len(self.dims)) + _packed(self.dims)

    @classmethod
    def of(cls, message: bytes) -> Request:
        """Raises ValueError for what is no request."""
        try:
            number, card, slot, count = _REQUEST.unpack_from(message)
        except struct.error as error:
            raise ValueError(str(error)) from error
        return cls(number, card, slot, _unpacked(message[_REQUEST.size :], count))


@dataclass(frozen=True)
class Answer:
    """`dims` say what the outputs look like, each as `sorts_said` has it; of HELLO the bytes of a slot. `words` say why
    not."""

    kind: int
    number: int = 0
    copy_s: float = 0.0
    compute_s: float = 0.0
    dims: Sequence[int] = ()
    words: str = ""

    def packed(self) -> bytes:
        head = _ANSWER.pack(self.kind, self.number, self.copy_s, self.compute_s, len(self.dims))
        return (head + _packed(self.dims) + self.words.encode(errors="replace"))[:MOST_BYTES]

    @classmethod
    def of(cls, message: bytes) -> Answer:
        """Raises ValueError for what is no answer."""
        try:
            kind, number, copy_s, compute_s, count = _ANSWER.unpack_from(message)
        except struct.error as error:
            raise ValueError(str(error)) from error
        end = _ANSWER.size + count * _SIDE.size
        dims = _unpacked(message[_ANSWER.size : end], count)
        return cls(kind, number, copy_s, compute_s, dims, message[end:].decode(errors="replace"))


def sorts_said(sorts: Outputs) -> list[int]:
    """Types and row shapes of outputs as sides of an answer: for each its type, how many sides, and these."""
    return [number for row, dtype in sorts for number in (_DTYPES.index(dtype), len(row), *row)]


def sorts_heard(dims: Sequence[int]) -> list[Sort]:
    """The reverse of it. Raises ValueError or IndexError for what is none."""
    made: list[Sort] = []
    left = list(dims)
    while left:
        dtype, count = _DTYPES[left[0]], left[1]
        row, left = tuple(left[2 : 2 + count]), left[2 + count :]
        made.append((row, dtype))
    return made


def _packed(dims: Sequence[int]) -> bytes:
    return b"".join(map(_SIDE.pack, dims))


def _unpacked(message: bytes, count: int) -> tuple[int, ...]:
    if len(message) != count * _SIDE.size:
        raise ValueError(f"{len(message)} bytes where {count} sides were announced")
    return tuple(side for (side,) in _SIDE.iter_unpack(message))
