"""Which tags each image has by a multi-label model: a stage made of its card."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tintype.core.columns import Column
from tintype.core.errors import ConfigError, ModelError
from tintype.core.names import shown
from tintype.models.card import Card
from tintype.models.tag_names import RATING, Tags, tags_of, told
from tintype.stages.base import Batch, CardStage, Model, Stage
from tintype.stages.model_outputs import model_output

TAG = pa.struct([("label", pa.string()), ("confidence", pa.float32()), ("category", pa.string())])

MOST_TAGS = 1_000
"""Tags that are kept of an image, the surest; trained models tell some dozens."""

_BETWEEN = "; "


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How sure a model must be of a tag. What is said of a tag counts before what is said of its category."""

    min_confidence: float = 0.35  # 0 to 1; SmilingWolf's own, as that of characters
    categories: tuple[str, ...] = ("character=0.85",)  # CATEGORY=CONFIDENCE where another one holds
    tags: tuple[str, ...] = ()  # TAG=CONFIDENCE

    def __post_init__(self) -> None:
        if not 0 <= self.min_confidence <= 1:
            raise ConfigError(f"tags.min_confidence must be 0 to 1, not {self.min_confidence}")
        for name, entries in (("categories", self.categories), ("tags", self.tags)):
            for entry in entries:
                _parsed(name, entry)

    def thresholds(self, tags: Tags) -> NDArray[np.float32]:
        """The least confidence of each tag, (n,)."""
        by_category = dict(_parsed("categories", entry) for entry in self.categories)
        by_tag = dict(_parsed("tags", entry) for entry in self.tags)
        known = zip(tags.names, tags.categories, strict=True)
        least = [by_tag.get(name, by_category.get(category or "", self.min_confidence)) for name, category in known]
        return np.array(least, np.float32)


def compute(batch: Batch, settings: Settings) -> dict[str, pa.Array]:
    """The tags of each image that reach their thresholds, the surest first, and the likeliest of the ratings."""
    if batch.runner is None:
        raise ModelError("a stage that needs a model was run without one")
    card = batch.runner.info.card
    output = told(card)
    values = model_output(batch, output)
    return tagged(f"tags_{card.name}", values if output.meaning == "probabilities" else sigmoid(values), card, settings)


def tagged(name: str, confidence: NDArray[np.float32], card: Card, settings: Settings) -> dict[str, pa.Array]:
    """The columns of the stage, from (n, tags) probabilities; those that are not a number are no tags."""
    known = _known(card, settings)
    kept = np.isfinite(confidence) & (confidence >= known.thresholds) & ~known.is_rating
    if known.is_rating.any():
        rated = np.where(known.is_rating & np.isfinite(confidence), confidence, -np.inf)
        best = rated.argmax(axis=1)
        rows = np.flatnonzero(np.isfinite(rated[np.arange(len(rated)), best]))
        kept[rows, best[rows]] = True
    row, tag = np.nonzero(kept)
    values = confidence[row, tag]
    order = np.lexsort((tag, -values, row))  # equally sure ones in the model's order
    row, tag, values = row[order], tag[order], values[order]
    first = np.searchsorted(row, np.arange(len(confidence) + 1))
    few = np.arange(len(row)) - first[row] < MOST_TAGS
    row, tag, values = row[few], tag[few], values[few]
    ends = pa.array(np.searchsorted(row, np.arange(len(confidence) + 1)).astype(np.int32))
    places = pa.array(tag)
    names, categories = known.names.take(places), known.categories.take(places)
    entries = pa.StructArray.from_arrays([names, pa.array(values, pa.float32()), categories], fields=list(TAG))
    texts = pa.ListArray.from_arrays(ends, names).to_pylist()
    return {
        name: pa.ListArray.from_arrays(ends, entries),
        f"{name}_text": pa.array(
            [_BETWEEN + "".join(f"{label}{_BETWEEN}" for label in text) for text in texts], pa.string()
        ),
    }


def sigmoid(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities of logits, each of its own."""
    with np.errstate(over="ignore"):
        return np.asarray(1 / (1 + np.exp(-values.astype(np.float64))), np.float32)


@dataclass(frozen=True)
class _Known:
    """What is known of a card's tags: names and categories (n,), the thresholds, and which are ratings."""

    names: pa.Array
    categories: pa.Array
    thresholds: NDArray[np.float32]
    is_rating: NDArray[np.bool_]


@lru_cache(maxsize=8)
def _known(card: Card, settings: Settings) -> _Known:
    tags = tags_of(card)
    is_rating = np.array([category == RATING for category in tags.categories])
    names, categories = pa.array(tags.names, pa.string()), pa.array(tags.categories, pa.string())
    return _Known(names, categories, settings.thresholds(tags), is_rating)


def _parsed(setting: str, entry: str) -> tuple[str, float]:
    """A name and a confidence, from text such as `character=0.85`; a name may have the sign in it."""
    name, _, text = entry.rpartition("=")
    try:
        least = float(text)
    except ValueError:
        least = -1.0
    if not name.strip() or not 0 <= least <= 1:
        raise ConfigError(f"tags.{setting} must be of entries such as character=0.85, not {shown(entry)[:60]!r}")
    return name.strip(), least


def stage(card: Card) -> Stage:
    """The stage `tags_NAME`. Raises ModelError for a card that is not of a multi-label model of images."""
    _ = card.pixels, told(card)
    name = f"tags_{card.name}"
    columns = (
        Column(name, pa.list_(TAG), None, f"tags by the model {card.name} with confidence (0–1), the surest first"),
        Column(f"{name}_text", pa.string(), None, "the same in a line, to filter by: `contains '; dog;'`"),
    )
    return Stage(name, 1, columns, Model(card), Settings, compute)


FAMILY = CardStage("tags", Settings, stage)
