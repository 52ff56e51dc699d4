"""Which of some scenes, told in words, each image shows: a stage made of a model of images and words."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa

from tintype.core.errors import ConfigError, ModelError
from tintype.models import registry
from tintype.models.card import Card
from tintype.models.words import TEMPLATES, label_vectors
from tintype.stages.base import Batch, CardStage, Model, Stage
from tintype.stages.classification import class_columns, classified
from tintype.stages.model_outputs import model_output

SCENES = (
    "a beach", "the sea", "a lake", "a river", "a waterfall", "mountains", "a forest", "a desert", "snow and ice",
    "a field or meadow", "a garden", "a park", "the sky", "a sunset", "the night sky", "a storm", "fireworks",
    "a city street", "a skyline", "a market", "a shop", "a restaurant", "a bar", "a cafe", "a kitchen", "a living room",
    "a bedroom", "a bathroom", "an office", "a classroom", "a library", "a museum", "a church", "a castle", "a bridge",
    "a train station", "an airport", "a harbor", "a road", "a parking lot", "a factory", "a construction site",
    "a farm", "a stadium", "a gym", "a swimming pool", "a playground", "a concert", "a party", "a wedding",
    "a group of people", "a portrait of a person", "a baby", "a dog", "a cat", "a bird", "a wild animal", "flowers",
    "food on a plate", "a drink", "a car", "a bicycle", "a document", "a screenshot", "a drawing", "a map",
)  # fmt: skip
"""What photo libraries mostly hold."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Which scenes are told apart, in which words, and how sure a model must be."""

    labels: tuple[str, ...] = SCENES
    templates: tuple[str, ...] = TEMPLATES  # `{}` is the label; vectors of all are averaged (Radford et al., 2021)
    scale: float = 100.0  # of cosines, before they become probabilities; CLIP's own, as trained
    min_confidence: float = 0.3  # 0 to 1; below it an image shows none of them
    top: int = 3

    def __post_init__(self) -> None:
        if len(set(self.labels)) < max(2, len(self.labels)) or not all(label.strip() for label in self.labels):
            raise ConfigError("scenes.labels must be two different texts or more")
        if not self.templates or not all(template.count("{}") == 1 for template in self.templates):
            raise ConfigError("scenes.templates must each have {} once, where the label goes")
        if not 0 < self.scale <= 1_000:
            raise ConfigError(f"scenes.scale must be above 0, and 1,000 at most, not {self.scale}")
        if not 0 <= self.min_confidence <= 1:
            raise ConfigError(f"scenes.min_confidence must be 0 to 1, not {self.min_confidence}")
        if not 1 <= self.top <= 1_000:
            raise ConfigError(f"scenes.top must be 1 to 1,000, not {self.top}")


@dataclass(frozen=True)
class ZeroShot:
    """Compares images with the words of the settings (zero-shot classification; Radford et al., "Learning
    transferable visual models from natural language supervision", 2021)."""

    words: Card

    def __call__(self, batch: Batch, settings: Settings) -> dict[str, pa.Array]:
        """The likeliest scene of each image, its confidence (0 to 1), and the likeliest few."""
        if batch.runner is None:
            raise ModelError("a stage that needs a model was run without one")
        card = batch.runner.info.card
        output = card.vectors()
        vectors = model_output(batch, output).astype(np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        logits = settings.scale * unit @ _label_vectors(self.words, settings.labels, settings.templates).T
        raised = np.exp(logits - logits.max(axis=1, keepdims=True, initial=-np.inf))
        probabilities = np.asarray(raised / raised.sum(axis=1, keepdims=True), np.float32)
        return classified(f"scenes_{card.name}", probabilities, settings.labels, settings.min_confidence, settings.top)


_label_vectors = lru_cache(maxsize=4)(label_vectors)


def stage(card: Card) -> Stage:
    """The stage `scenes_NAME`. Raises ModelError for a card without a companion that embeds words."""
    _ = card.pixels, card.vectors()
    if card.companion is None:
        raise ModelError(f"card {card.name} has no companion for words, so it cannot tell scenes by their names")
    columns = class_columns(f"scenes_{card.name}", "scene", card)
    words = registry.card(card.companion)
    return Stage(f"scenes_{card.name}", 1, columns, Model(card, (words,)), Settings, ZeroShot(words))


FAMILY = CardStage("scenes", Settings, stage)
