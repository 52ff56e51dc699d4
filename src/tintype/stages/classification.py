"""Which of a model's classes each image shows: a stage made of a classifier's card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tintype.core.columns import Column
from tintype.core.errors import ConfigError, ModelError
from tintype.models.card import Card, Output
from tintype.models.card_file import read_labels
from tintype.stages.base import Batch, CardStage, Model, Stage
from tintype.stages.model_outputs import model_output

TOP = pa.list_(pa.struct([pa.field("label", pa.string()), pa.field("confidence", pa.float32())]))


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How sure a model must be, and how many of its classes are kept."""

    min_confidence: float = 0.0  # 0 to 1; below it an image has no class
    top: int = 5  # classes kept of each image, the likeliest first

    def __post_init__(self) -> None:
        if not 0 <= self.min_confidence <= 1:
            raise ConfigError(f"classify.min_confidence must be 0 to 1, not {self.min_confidence}")
        if not 1 <= self.top <= 1_000:
            raise ConfigError(f"classify.top must be 1 to 1,000, not {self.top}")


def compute(batch: Batch, settings: Settings) -> dict[str, pa.Array]:
    """The likeliest class of each image, its confidence (0 to 1), and the likeliest few; null where it is not sure."""
    if batch.runner is None:
        raise ModelError("a stage that classifies was run without its model")
    card = batch.runner.info.card
    output, name = classes(card), f"classify_{card.name}"
    probabilities = _probabilities(model_output(batch, output), output)
    return classified(name, probabilities, _labels(card, output.name), settings.min_confidence, settings.top)


def classified(
    name: str, probabilities: NDArray[np.float32], labels: Sequence[str], min_confidence: float, top: int
) -> dict[str, pa.Array]:
    """The columns of `class_columns`, from (n, classes) probabilities; null where the model is not sure."""
    # A stable sort of the negated values: equally likely classes come in the model's order.
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, : min(top, len(labels))]
    confidence = np.take_along_axis(probabilities, order, axis=1)
    sure = np.isfinite(confidence) & (confidence >= min_confidence)
    names = pa.array(labels, pa.string())
    top_of = sure.sum(axis=1)
    ends = pa.array(np.concatenate([[0], np.cumsum(top_of)]).astype(np.int32))
    parts = [names.take(pa.array(order[sure])), pa.array(confidence[sure], pa.float32())]
    entries = pa.StructArray.from_arrays(parts, fields=list(TOP.value_type))
    return {
        name: names.take(pa.array(order[:, 0], mask=~sure[:, 0])),
        f"{name}_confidence": pa.array(confidence[:, 0], pa.float32(), mask=~sure[:, 0]),
        f"{name}_top": pa.ListArray.from_arrays(ends, entries, mask=pa.array(top_of == 0)),
    }


def class_columns(name: str, what: str, card: Card) -> tuple[Column, ...]:
    """The columns of a stage that tells classes: the likeliest, its confidence, and the likeliest few."""
    return (
        Column(name, pa.string(), None, f"the likeliest {what} by the model {card.name}"),
        Column(f"{name}_confidence", pa.float32(), "0–1", "how likely the model takes that to be"),
        Column(f"{name}_top", TOP, None, "the likeliest few with their confidence, the likeliest first"),
    )


def classes(card: Card) -> Output:
    """The output of a classifier. Raises ModelError for a card that has none."""
    for output in card.outputs:
        if output.meaning in ("probabilities", "logits") and len(output.shape) == 1:
            return output
    raise ModelError(f"card {card.name} ({card.task}) has no output of classes. It cannot be used to classify")


def _probabilities(values: NDArray[np.float32], output: Output) -> NDArray[np.float32]:
    if output.meaning == "probabilities":
        return values
    raised = np.exp(values.astype(np.float64) - values.max(axis=1, keepdims=True, initial=-np.inf))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), np.float32)


@lru_cache(maxsize=8)
def _labels(card: Card, output: str) -> tuple[str, ...]:
    return read_labels(card, output)


def stage(card: Card) -> Stage:
    """The stage `classify_NAME`. Raises ModelError for a card that tells no classes of images."""
    if card.task == "multi-label":
        raise ModelError(f"card {card.name} tells tags, several of an image: --stages tags:{card.name}")
    _ = card.single_input, card.pixels, classes(card)
    name = f"classify_{card.name}"
    columns = class_columns(name, "class", card)
    return Stage(name, 1, columns, Model(card), Settings, compute)


FAMILY = CardStage("classify", Settings, stage)
