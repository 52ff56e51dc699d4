"""What each image shows, in a sentence: a stage made of a card of a model that writes captions."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from tintype.core.columns import Column
from tintype.core.errors import ModelError
from tintype.models.card import Card, Output
from tintype.models.tokens import texts
from tintype.stages.base import Batch, CardStage, Model, Stage
from tintype.stages.model_outputs import outputs_each


@dataclass(frozen=True, kw_only=True)
class Settings:
    """There is nothing to set: how long captions are, and by how many beams they are sought, the model says."""


def compute(batch: Batch, settings: Settings) -> dict[str, pa.Array]:
    """The caption of each image, without special tokens; null where the model has nothing to say."""
    if batch.runner is None:
        raise ModelError("a stage that writes captions was run without its model")
    card = batch.runner.info.card
    output = text_output(card)
    captions = [texts(card, output, made[output.name][None])[0] or None for made in outputs_each(batch)]
    return {f"caption_{card.name}": pa.array(captions, pa.string())}


def text_output(card: Card) -> Output:
    """The output of a model that writes. Raises ModelError for a card that has none."""
    for output in card.outputs:
        if output.meaning == "text":
            return output
    raise ModelError(f"card {card.name} ({card.task}) writes no words")


def stage(card: Card) -> Stage:
    """The stage `caption_NAME`. Raises ModelError for a card that writes no captions."""
    _ = card.pixels, text_output(card)
    if card.task != "caption":
        raise ModelError(f"card {card.name} ({card.task}) writes no captions")
    words = f"what the picture shows, in words of the model {card.name}"
    column = Column(f"caption_{card.name}", pa.string(), None, words)
    return Stage(f"caption_{card.name}", 1, (column,), Model(card), Settings, compute)


FAMILY = CardStage("caption", Settings, stage)
