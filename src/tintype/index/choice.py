"""Which kind of index fits so many vectors, so much memory, and the recall asked for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from tintype.core.errors import UsageError

Kind = Literal["flat", "graph", "lists"]
Coding = Literal["float16", "int8", "product"]
Stored = Literal["float16", "int8"]

FLAT_MOST = 20_000
GRAPH_LEAST, GRAPH_MOST = 500_000, 2_000_000
LEAST_MEMORY_BYTES = 512 << 20
LINKS = 32  # of a graph's node and layer; its lowest layer has twice as many

_PROGRAM_BYTES = 320 << 20  # Python, numpy, Arrow and FAISS themselves, and vectors that were just read
_RESIDENT_SHARE = 0.8
_ROW_NUMBER_BYTES = 8
_LEAST_LIST = 256
_GRAPH_RECALL = 0.97
_BLURRED_RECALL = 0.95  # up to which candidates are compared by vectors in 8 bits


@dataclass(frozen=True)
class Design:
    """How an index is built.

    `flat` compares with all; `graph` is a hierarchical navigable small world; `lists` an inverted file. In `coding`
    vectors are kept where they are looked through: float16 and int8 are scalar quantizers, `product` is a product
    quantizer of `subvectors` bytes after a learned rotation. In `stored` they lie in a file from which the best
    candidates are compared again.
    """

    kind: Kind
    coding: Coding
    stored: Stored
    lists: int = 0
    subvectors: int = 0

    def code_bytes(self, dimensions: int) -> int:
        """Of one vector where it is looked through."""
        return {"float16": 2 * dimensions, "int8": dimensions, "product": self.subvectors}[self.coding]

    def resident_bytes(self, count: int, dimensions: int) -> int:
        """What a search looks through, once all of it was needed."""
        if self.kind == "flat":
            return count * 2 * dimensions
        beside = 4 * 2 * LINKS + 16 if self.kind == "graph" else _ROW_NUMBER_BYTES
        return count * (self.code_bytes(dimensions) + beside) + self.lists * 4 * dimensions


def choose(count: int, dimensions: int, memory_bytes: int, recall: float, *, has_crowds: bool = False) -> Design:
    """The design for `count` vectors: all that a search looks through fits into memory, the dearest that does.

    Flat where there are few, or where a recall of 1 is asked for, which nothing else promises; a graph for a million
    where much is asked for, unless there are crowds of equal vectors, out of which no links lead; else lists, of
    float16 or int8, or of a product quantizer where these are too large.
    Raises UsageError where nothing fits.
    """
    if count <= FLAT_MOST or recall >= 1:
        return Design("flat", "float16", "float16")
    room = _RESIDENT_SHARE * memory_bytes - _PROGRAM_BYTES
    lists = lists_for(count)
    designs = [Design("lists", coding, "float16", lists) for coding in ("float16", "int8")]
    if GRAPH_LEAST <= count <= GRAPH_MOST and recall > _GRAPH_RECALL and not has_crowds:
        designs.insert(0, Design("graph", "float16", "float16"))
    stored: Stored = "int8" if recall <= _BLURRED_RECALL else "float16"
    designs += [Design("lists", "product", stored, lists, part) for part in _subvectors(dimensions)]
    for design in designs:
        if design.resident_bytes(count, dimensions) <= room:
            return design
    least = (designs[-1].resident_bytes(count, dimensions) + _PROGRAM_BYTES) / _RESIDENT_SHARE
    raise UsageError(
        f"{count:,} vectors of {dimensions} numbers need at least --memory {least / 1e6:.0f}MB; "
        f"{memory_bytes / 1e6:.0f}MB were given"
    )


def lists_for(count: int) -> int:
    """How many lists so many vectors are put into: about as many as each of them has vectors."""
    return max(1, round(count / max(_LEAST_LIST, 0.75 * math.sqrt(count))))


def _subvectors(dimensions: int) -> list[int]:
    """Bytes a vector, from every second number down to every sixteenth."""
    return [part for width in (2, 4, 8, 16) if (part := max(1, -(-dimensions // width)))]
