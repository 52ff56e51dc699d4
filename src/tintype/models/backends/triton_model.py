"""What a model on a server must be for a card, in the words of KServe's protocol, version 2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tintype.core.names import shown
from tintype.models.card import Card, PixelInput, TextInput
from tintype.models.preparing import network_input

_DTYPES = {"float32": "FP32", "float16": "FP16", "uint8": "UINT8"}


def mismatch(card: Card, facts: Mapping[str, Any]) -> str:
    """In what a server's model (its metadata in the protocol's words) differs from the card; "" where in nothing."""
    inputs = {row["name"]: row for row in facts.get("inputs", [])}
    outputs = {row["name"]: row for row in facts.get("outputs", [])}
    for name, (dtype, shape) in expected(card).items():
        row = inputs.get(name)
        if row is None:
            return f"it has no input {name} but {shown(', '.join(inputs)) or 'none'}"
        if row["datatype"] != dtype:
            return f"its input {name} is {shown(str(row['datatype']))}, not {dtype}"
        if not _fits(row["shape"], shape):
            return f"its input {name} is {_shape(row['shape'])}, not {_shape([-1, *shape])}"
    for output in card.outputs:
        row = outputs.get(output.name)
        if row is None:
            return f"it has no output {output.name} but {shown(', '.join(outputs)) or 'none'}"
        if row["datatype"] not in ("FP32", "FP16"):
            return f"its output {output.name} is {shown(str(row['datatype']))}, not FP32"
        if not _fits(row["shape"], output.shape):
            return f"its output {output.name} is {_shape(row['shape'])}, not {_shape([-1, *output.shape])}"
    return ""


def expected(card: Card) -> dict[str, tuple[str, tuple[int, ...]]]:
    """What the network takes, by the protocol's words: type and shape without the batch; -1 where any size goes."""
    given = card.single_input
    if isinstance(given, PixelInput):
        planes = (3, given.height, given.width) if given.layout == "NCHW" else (given.height, given.width, 3)
        return {given.name: (_DTYPES[given.dtype], planes)}
    if isinstance(given, TextInput):
        return {name: ("INT64", (-1,)) for name in (given.name, given.mask) if name}
    return {given.name: ("FP32", (given.dimension,))}


def _fits(found: Any, wanted: tuple[int, ...]) -> bool:
    """Sides of a server that are free are -1; the batch comes first."""
    sides = [int(side) for side in found]
    return len(sides) == len(wanted) + 1 and all(
        have == want or -1 in (have, want) for have, want in zip(sides[1:], wanted, strict=True)
    )


def sent(card: Card, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """What a runner is given (`base.Runner.run`) as the network takes it."""
    given = card.input
    if isinstance(given, PixelInput):
        return {given.name: np.ascontiguousarray(network_input(inputs[given.name], given))}
    return {name: np.ascontiguousarray(inputs[name]) for name in expected(card)}


def datatype(values: NDArray[Any]) -> str:
    """The protocol's word for the type of an array."""
    return {"float32": "FP32", "float16": "FP16", "uint8": "UINT8", "int64": "INT64"}[values.dtype.name]


def _shape(sides: Any) -> str:
    return "x".join(str(int(side)) for side in sides)
