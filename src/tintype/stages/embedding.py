"""Vectors of images by any model that embeds them: a stage made of its card."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tintype.core.columns import Column
from tintype.core.errors import ModelError
from tintype.models.card import Card
from tintype.stages.base import Batch, CardStage, Model, Stage
from tintype.stages.model_outputs import model_output

_LEAST_LENGTH = 1e-6  # of a vector; shorter ones point nowhere


@dataclass(frozen=True, kw_only=True)
class Settings:
    """There is nothing to set: the card says how images are prepared and what comes out."""


def compute(batch: Batch, settings: Settings) -> dict[str, pa.Array]:
    """The card's vectors of each image, at unit length; null where they are not finite or have no length."""
    if batch.runner is None:
        raise ModelError("a stage that embeds was run without its model")
    card = batch.runner.info.card
    output = card.vectors()
    return {column_name(card): vectors_column(model_output(batch, output), output.shape[0])}


def vectors_column(vectors: NDArray[np.float32], dimension: int) -> pa.FixedSizeListArray:
    """(n, d) vectors as float16 of unit length; null where one is not finite or has no length."""
    vectors = vectors.reshape(-1, dimension)
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)  # no square overflows
        good = np.isfinite(lengths[:, 0]) & (lengths[:, 0] > _LEAST_LENGTH)
        unit = np.where(good[:, None], vectors / np.where(good[:, None], lengths, 1), 0).astype(np.float16)
    flat = pa.array(unit.reshape(-1), pa.float16())
    return pa.FixedSizeListArray.from_arrays(flat, dimension, mask=pa.array(~good))


def column_name(card: Card) -> str:
    """`embed_` and the card's name."""
    return f"embed_{card.name}"


def column_type(card: Card) -> pa.DataType:
    """A fixed-size list of float16, as long as the card's vectors."""
    return pa.list_(pa.float16(), card.vectors().shape[0])


def stage(card: Card) -> Stage:
    """The stage `embed_NAME`. Raises ModelError for a card that makes no vectors of images."""
    _ = card.pixels
    words = f"what the picture looks like by the model {card.name}, a vector of unit length: compare by cosine"
    column = Column(column_name(card), column_type(card), None, words)
    return Stage(column_name(card), 1, (column,), Model(card), Settings, compute)


FAMILY = CardStage("embed", Settings, stage)
