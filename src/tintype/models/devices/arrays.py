"""What the arrays of a batch look like that a card's model is given, and where they lie in memory that is shared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from tintype.core.errors import ModelError
from tintype.models.card import Card, PixelInput, TextInput, VectorInput

ALIGNMENT = 256
"""Bytes that the beginning of each array is a multiple of, as CUDA's own allocations are."""

MOST_TEXTS = 1_000  # beside one image
MOST_PLACES = 65_536  # in one image
_SPARE_BYTES = 65_536  # in each slot: texts may be some tokens longer than a card says

Side = tuple[int, int]
"""The least and the most that a side may have; both are the same where there is no choice."""

Sort = tuple[tuple[int, ...], "np.dtype[Any]"]
"""A shape and a type."""

Outputs = Sequence[Sort]
"""Of each output the shape of a row, and its type."""


@dataclass(frozen=True)
class Kind:
    """An array that a model is given: (n, *row), of this type."""

    name: str
    dtype: np.dtype[Any]
    row: tuple[Side, ...]

    @property
    def most_row_bytes(self) -> int:
        return self.dtype.itemsize * prod(most for _, most in self.row)

    @property
    def is_fixed(self) -> bool:
        """Whether all rows are of one shape."""
        return all(least == most for least, most in self.row)


def kinds(card: Card) -> tuple[Kind, ...]:
    """The arrays of a card, in the order of `card.input_names`."""
    return tuple(kind for given in (card.input, *card.beside) for kind in _kinds(given))


def _kinds(given: Any) -> Iterator[Kind]:
    if isinstance(given, PixelInput):
        longer = max(given.width, given.height)
        sides = ((1, longer), (1, longer)) if given.fit == "whole" else (_only(given.height), _only(given.width))
        yield _kind(given.name, np.uint8, *sides, _only(3))
    elif isinstance(given, TextInput):
        length = _only(given.length) if given.pad_to_length else (1, given.length)
        row = ((1, MOST_TEXTS), length) if given.texts == "several" else (length,)
        for name in filter(None, (given.name, given.mask, given.types)):
            yield _kind(name, np.int64, *row)
    elif isinstance(given, VectorInput):
        yield _kind(given.name, np.float32, _only(given.dimension))
    else:
        yield _kind(given.name, np.float32, (1, MOST_PLACES), _only(4))


def _kind(name: str, dtype: DTypeLike, *row: Side) -> Kind:
    return Kind(name, np.dtype(dtype), row)


def _only(side: int) -> Side:
    return side, side


def checked(card: Card, dims: Sequence[int]) -> list[tuple[int, ...]]:
    """The shape of each array, from all their sides one after another.

    Raises ModelError for those that the card's model does not take: whoever says them is not trusted.
    """
    shapes: list[tuple[int, ...]] = []
    left = list(dims)
    for kind in kinds(card):
        count = 1 + len(kind.row)
        shape, left = tuple(left[:count]), left[count:]
        if len(shape) < count or not all(
            least <= side <= most for side, (least, most) in zip(shape[1:], kind.row, strict=True)
        ):
            raise ModelError(f"card {card.name}: {kind.name} cannot have the shape {shape}")
        shapes.append(shape)
    if left or len({shape[0] for shape in shapes}) != 1 or shapes[0][0] < 1:
        raise ModelError(f"card {card.name}: its inputs cannot have the shapes {shapes}")
    return shapes


def row_bytes(card: Card, shapes: Sequence[tuple[int, ...]] | None = None) -> int:
    """What a row takes with its outputs; without `shapes` at most."""
    known = kinds(card)
    given = (
        [kind.most_row_bytes for kind in known]
        if shapes is None
        else [kind.dtype.itemsize * prod(shape[1:]) for kind, shape in zip(known, shapes, strict=True)]
    )
    return sum(given) + sum((8 if output.meaning == "text" else 4) * prod(output.shape) for output in card.outputs)


def room(card: Card, rows: int) -> int:
    """Bytes that so many rows take at most, with their outputs and what is left free between arrays."""
    return rows * row_bytes(card) + _between(card)


def rows_in(card: Card, size_bytes: int, shapes: Sequence[tuple[int, ...]] | None = None) -> int:
    """How many rows have room in so many bytes, one at least; without `shapes` any rows."""
    return max(1, (size_bytes - _between(card)) // max(1, row_bytes(card, shapes)))


def _between(card: Card) -> int:
    return _SPARE_BYTES + ALIGNMENT * (len(kinds(card)) + len(card.outputs) + 1)


def views(memory: NDArray[np.uint8], start: int, sorts: Sequence[Sort]) -> tuple[list[NDArray[Any]], int]:
    """Arrays of these shapes and types one after another in (bytes,) memory, and where the last one ends.

    Raises ModelError where there is no room for them.
    """
    made: list[NDArray[Any]] = []
    for shape, dtype in sorts:
        start = -(-start // ALIGNMENT) * ALIGNMENT
        size = dtype.itemsize * prod(shape)
        if start + size > len(memory):
            raise ModelError(f"an array {shape} does not fit in the {len(memory):,} bytes that are shared with a GPU")
        made.append(memory[start : start + size].view(dtype).reshape(shape))
        start += size
    return made, start


def given_views(card: Card, memory: NDArray[np.uint8], dims: Sequence[int]) -> tuple[dict[str, NDArray[Any]], int]:
    """The arrays of a batch that lies in shared memory, and where they end. Raises ModelError as `checked`."""
    known = kinds(card)
    shapes = checked(card, dims)
    sorts = [(shape, kind.dtype) for shape, kind in zip(shapes, known, strict=True)]
    arrays, end = views(memory, 0, sorts)
    return {kind.name: values for kind, values in zip(known, arrays, strict=True)}, end


def dims_of(card: Card, inputs: Mapping[str, Any]) -> list[int]:
    """All sides of the arrays that a model is given, one after another. Raises ModelError for those that it does not
    take."""
    dims: list[int] = []
    for kind in kinds(card):
        if kind.name not in inputs:
            raise ModelError(f"card {card.name}: it is not given {kind.name}")
        values = inputs[kind.name]
        row = np.shape(values[0]) if len(values) else tuple(least for least, _ in kind.row)
        if len(values) and values[0].dtype != kind.dtype:
            raise ModelError(f"card {card.name}: {kind.name} is {kind.dtype}, not {values[0].dtype}")
        dims += [len(values), *row]
    return dims
