"""What a picture looks like, as vectors that stay close together when it is edited."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tintype.core.columns import Column
from tintype.core.errors import ModelError
from tintype.models.card_file import built_in
from tintype.stages.base import Batch, Model, Stage

CARD = built_in("descriptor")
_WHOLE, _REGIONS = CARD.output("descriptor"), CARD.output("regions")

COLUMNS = (
    Column(
        "descriptor",
        pa.list_(pa.float16(), _WHOLE.shape[0]),
        None,
        "what the whole picture looks like, a vector of unit length: the cosine of two tells how alike they are",
    ),
    Column(
        "descriptor_regions",
        pa.list_(pa.int8(), int(np.prod(_REGIONS.shape))),
        None,
        f"the same of {_REGIONS.shape[0]} parts of the picture, one after the other; unit length is 127",
    ),
)

_INT8_ONE = 127
_AT_ONCE = 8  # images; of 32 the layers' results no longer fit the cache, and each takes a seventh longer


@dataclass(frozen=True, kw_only=True)
class Settings:
    """There is nothing to set: the card says how the vectors are made (decisions/0019-descriptor.md)."""


def compute(batch: Batch, settings: Settings) -> dict[str, pa.Array]:
    """Describe each image of the batch by the built-in model. Reads batch.rgb(card.pixels.width)."""
    if batch.runner is None:
        raise ModelError("the stage descriptor was run without its model")
    if len(batch) == 0:
        return {column.name: pa.array([], column.type) for column in COLUMNS}
    squares = batch.rgb(CARD.pixels.width)
    parts = (squares[start : start + _AT_ONCE] for start in range(0, len(squares), _AT_ONCE))
    outputs = [batch.runner.run({CARD.input.name: part}) for part in parts]
    whole = np.concatenate([output[_WHOLE.name] for output in outputs]).astype(np.float16)
    regions = np.rint(np.concatenate([output[_REGIONS.name] for output in outputs]) * _INT8_ONE).astype(np.int8)
    return {
        "descriptor": _lists(whole, COLUMNS[0].type),
        "descriptor_regions": _lists(regions.reshape(len(batch), -1), COLUMNS[1].type),
    }


def _lists(values: NDArray[np.generic], kind: pa.DataType) -> pa.Array:
    flat = pa.array(np.ascontiguousarray(values).reshape(-1), kind.value_type)
    return pa.FixedSizeListArray.from_arrays(flat, type=kind)


STAGE = Stage("descriptor", 1, COLUMNS, Model(CARD), Settings, compute)
