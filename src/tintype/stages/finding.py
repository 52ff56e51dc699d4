"""Things that are told in words, and where they lie: a stage made of a card of an open-vocabulary detector."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from tintype.core.errors import ConfigError, ModelError
from tintype.models.card import Card
from tintype.models.detecting import detection_of
from tintype.models.prompting import found_things, phrases, prompt_inputs
from tintype.stages.base import Batch, CardStage, Model, Stage
from tintype.stages.detection import box_columns, boxed, check
from tintype.stages.model_outputs import outputs_each

MOST_THINGS = 100


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What to find, and how sure a detector must be."""

    prompt: str = "a person. an animal. a vehicle. a building."  # things to find, each closed by a full stop
    min_confidence: float = 0.25  # 0 to 1; boxes below it are left out
    most: int = 100  # boxes kept of each image, the surest first

    def __post_init__(self) -> None:
        if not 1 <= len(phrases(self.prompt)) <= MOST_THINGS:
            raise ConfigError(f"find.prompt must name 1 to {MOST_THINGS} things, each closed by a full stop")
        check("find", self.min_confidence, self.most)


def compute(batch: Batch, settings: Settings) -> dict[str, pa.Array]:
    """The boxes of the prompt's things in each image, the surest first; an empty list where there are none."""
    if batch.runner is None:
        raise ModelError("a stage that finds things was run without its model")
    card, things = batch.runner.info.card, phrases(settings.prompt)
    rows = [
        found_things(card, made, (image.width, image.height), things, settings.min_confidence, settings.most)
        for made, image in zip(outputs_each(batch, prompt_inputs(card, things)), batch.images, strict=True)
    ]
    return boxed(f"find_{card.name}", rows, things)


def stage(card: Card) -> Stage:
    """The stage `find_NAME`. Raises ModelError for a card that is not told in words what to find."""
    _ = card.pixels, detection_of(card), card.words
    columns = box_columns(f"find_{card.name}", "what the prompt names, found", card)
    return Stage(f"find_{card.name}", 1, columns, Model(card), Settings, compute)


FAMILY = CardStage("find", Settings, stage)
