"""What a picture looks like, as vectors that stay close together when it is edited."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tintype.core.columns import Column
from tintype.models.card_file import built_in
from tintype.stages.base import Batch, Model, Stage
from tintype.stages.model_outputs import model_outputs

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
        pa.list_(pa.list_(pa.int8(), _REGIONS.shape[1]), _REGIONS.shape[0]),
        None,
        f"the first {_REGIONS.shape[1]} numbers of the same of {_REGIONS.shape[0]} parts of the picture; "
        "unit length is 127",
    ),
)

_INT8_ONE = 127


@dataclass(frozen=True, kw_only=True)
class Settings:
    """There is nothing to set: the card says how the vectors are made (decisions/0019-descriptor.md)."""


def compute(batch: Batch, settings: Settings) -> dict[str, pa.Array]:
    """Describe each image of the batch by the built-in model. Reads batch.rgb(card.pixels.width)."""
    whole, regions = model_outputs(batch, (_WHOLE, _REGIONS))
    quantized = np.rint(regions * _INT8_ONE).astype(np.int8)
    return {
        "descriptor": _lists(pa.array(whole.astype(np.float16).ravel()), COLUMNS[0].type),
        "descriptor_regions": _lists(_lists(pa.array(quantized.ravel()), COLUMNS[1].type.value_type), COLUMNS[1].type),
    }


def _lists(values: pa.Array, kind: pa.DataType) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(values, type=kind)


STAGE = Stage("descriptor", 2, COLUMNS, Model(CARD), Settings, compute)
