"""What heads say of the images of a collection, kept as its columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc

from tintype.api.inputs import Listener, Telling
from tintype.engine.predicting import Counts, Prediction, predict_rows, source_of
from tintype.models import registry
from tintype.models.card import Card
from tintype.store.collection import Collection
from tintype.store.trust import require_trust

MOST_COUNTED = 100
"""Classes that are counted by name, the commonest first."""


@dataclass(frozen=True)
class Predicted:
    """What a head was asked and what it said; the answers are columns of `collection`, opened again.

    `classes` counts images by their likeliest class, those without one under None; `number` has lowest, mean and
    highest of a head that gives numbers, None where there are none.
    """

    collection: Collection
    card: Card
    columns: tuple[str, ...]
    counts: Counts
    classes: dict[str, int] | None
    unsure: int
    number: dict[str, float] | None

    def to_json(self) -> dict[str, Any]:
        """`schema` 1 and the rest as JSON has it."""
        return {
            "schema": 1,
            "model": self.card.name,
            "columns": list(self.columns),
            "computed": self.counts.computed,
            "kept": self.counts.kept,
            "without_vector": self.counts.without_vector,
            "classes": self.classes,
            "unsure": self.unsure,
            "number": self.number,
        }


def predict(
    collection: Collection,
    model: str,
    *,
    min_confidence: float = 0.0,
    top: int = 5,
    progress: Listener | None = None,
) -> Predicted:
    """Run a head on the vectors that a collection has of the head's card, and keep what it says as columns.

    Of classes they are `predict_NAME`, the likeliest, null where its confidence is below `min_confidence` (0 to 1),
    `predict_NAME_confidence`, and `predict_NAME_top`, the likeliest `top`; of a number it is `predict_NAME`. Only rows
    are computed that lack them, or have them by another head, other settings or of other vectors.

    Raises ModelError for a card that is no head, vectors of another card or version; UsageError where there are no
    vectors, CollectionNotTrusted, CollectionLocked, StorageFull.
    """
    card = registry.card(model)
    prediction = Prediction(card, min_confidence, top)
    require_trust(collection.layout, collection.record, "written to")
    source_of(collection.store, card)
    tell = Telling(progress)
    counts = predict_rows(
        collection.layout, prediction, lambda done, total: tell("running the head on vectors", done, total)
    )
    opened = Collection.open(collection.place)
    names = tuple(column.name for column in prediction.columns)
    classes, unsure = _classes(opened, names[0]) if prediction.tells_classes else (None, 0)
    number = None if prediction.tells_classes else _number(opened, names[0])
    return Predicted(opened, card, names, counts, classes, unsure, number)


def _classes(collection: Collection, column: str) -> tuple[dict[str, int], int]:
    """The commonest classes with their images, and how many images with a vector have none."""
    counts: dict[str | None, int] = {}
    state = f"_stage_{column}"
    for batch in collection.store.batches([column, state]):
        for entry in pc.value_counts(batch[column].filter(batch[state].is_valid())).to_pylist():
            counts[entry["values"]] = counts.get(entry["values"], 0) + entry["counts"]
    unsure = counts.pop(None, 0)
    named = sorted(((name or "", count) for name, count in counts.items()), key=lambda one: (-one[1], one[0]))
    return dict(named[:MOST_COUNTED]), unsure


def _number(collection: Collection, column: str) -> dict[str, float] | None:
    count, total, lowest, highest = 0, 0.0, np.inf, -np.inf
    for batch in collection.store.batches([column]):
        values = batch[column].drop_null().to_numpy(zero_copy_only=False)
        if len(values):
            count, total = count + len(values), total + float(values.sum(dtype=np.float64))
            lowest, highest = min(lowest, float(values.min())), max(highest, float(values.max()))
    return {"lowest": lowest, "mean": total / count, "highest": highest} if count else None
