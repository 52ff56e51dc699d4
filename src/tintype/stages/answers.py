"""What a model answers to a question about each image: a stage made of a card of visual question answering."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tintype.core.columns import Column
from tintype.core.errors import ConfigError, ModelError
from tintype.models.card import Card, Output
from tintype.models.card_file import read_labels
from tintype.models.prompting import question_inputs
from tintype.models.tokens import texts
from tintype.stages.base import Batch, CardStage, Model, Stage
from tintype.stages.captions import text_output
from tintype.stages.model_outputs import outputs_each

MOST_CHARACTERS = 1_000


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What is asked."""

    question: str = "what is in the picture?"

    def __post_init__(self) -> None:
        if not 1 <= len(self.question.strip()) <= MOST_CHARACTERS:
            raise ConfigError(f"ask.question must be a question of up to {MOST_CHARACTERS:,} characters")


def compute(batch: Batch, settings: Settings) -> dict[str, pa.Array]:
    """The answer for each image, and where the model chooses among answers how sure it is; null where it says none."""
    if batch.runner is None:
        raise ModelError("a stage that answers was run without its model")
    card = batch.runner.info.card
    name, question = f"ask_{card.name}", " ".join(settings.question.split())
    made = outputs_each(batch, question_inputs(card, question))
    chosen = _choices(card)
    if chosen is None:
        output = text_output(card)
        answers = [texts(card, output, one[output.name][None])[0] or None for one in made]
        return {name: pa.array(answers, pa.string())}
    labels = _labels(card, chosen.name)
    rows = [_likeliest(one[chosen.name]) for one in made]
    return {
        name: pa.array([labels[number] if sure is not None else None for number, sure in rows], pa.string()),
        f"{name}_confidence": pa.array([sure for _, sure in rows], pa.float32()),
    }


def _likeliest(logits: NDArray[np.float32]) -> tuple[int, float | None]:
    """The first of the likeliest answers, and its probability beside all others, as such models are trained."""
    number = int(logits.argmax())
    value = float(logits[number])
    return number, None if not np.isfinite(value) else float(1 / (1 + np.exp(-value)))


def _choices(card: Card) -> Output | None:
    """The output of a model that chooses among answers; None for one that writes."""
    return next((output for output in card.outputs if output.meaning == "logits" and len(output.shape) == 1), None)


@lru_cache(maxsize=8)
def _labels(card: Card, output: str) -> tuple[str, ...]:
    return read_labels(card, output)


def stage(card: Card) -> Stage:
    """The stage `ask_NAME`. Raises ModelError for a card that answers no questions."""
    _ = card.pixels, card.words
    name, words = f"ask_{card.name}", f"what the model {card.name} answers to the question (ask.question)"
    columns = [Column(name, pa.string(), None, words)]
    if _choices(card) is None:
        _ = text_output(card)
    else:
        columns.append(Column(f"{name}_confidence", pa.float32(), "0–1", "how likely the model takes that to be"))
    return Stage(name, 1, tuple(columns), Model(card), Settings, compute)


FAMILY = CardStage("ask", Settings, stage)
