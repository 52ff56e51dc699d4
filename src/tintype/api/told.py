"""What models said of images, for people to read: classes, words and boxes in the columns of their stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from tintype.core.expressions import And, In, Reference
from tintype.core.filters import parse
from tintype.core.names import shown
from tintype.engine.origins import origins
from tintype.reports.content import Box, Told
from tintype.reports.summary import ModelValues
from tintype.sources.annotations.stored import is_boxes
from tintype.stages.registry import CARD_PLUGINS
from tintype.store.collection import Collection

_AT_ONCE = 10_000  # uris of one filter
_LONGEST = 200  # characters of what is said


def told_of(collection: Collection, uris: Sequence[str]) -> Mapping[str, Told]:
    """What models say of some images, by uri; images that none has seen are left out."""
    texts, boxes = _columns(collection.schema)
    if not texts and not boxes:
        return {}
    made: dict[str, Told] = {}
    columns = ["uri", *texts.values(), *boxes]
    for start in range(0, len(uris), _AT_ONCE):
        where = In(Reference("uri", pa.string()), tuple(uris[start : start + _AT_ONCE]))
        for batch in collection.batches(columns, where):
            for row in batch.to_pylist():
                facts = [(who, _cut(row[name])) for who, name in texts.items() if row[name]]
                found = [_corners(box) for name in boxes for box in row[name] or ()]
                if facts or found:
                    made[row["uri"]] = Told(facts=facts, boxes=found)
    return made


def values_of_models(collection: Collection, where: str | None = None) -> tuple[ModelValues, ...]:
    """How the values in the columns of models came about, as far as that is noted there. Raises FilterError."""
    chosen = () if where is None else (parse(where, collection.schema),)
    made = []
    for column in collection.schema.names:
        for origin in origins(collection.schema, column):
            images = collection.store.count(And((*chosen, origin.rows)))
            if images:
                seen = "thumbnails" if origin.thumbnails else "originals"
                made.append(ModelValues(column, str(origin.engine), seen, images))
    return tuple(made)


def _columns(schema: pa.Schema) -> tuple[dict[str, str], list[str]]:
    """Columns of text by what they are called here, and columns of boxes."""
    texts: dict[str, str] = {}
    boxes: list[str] = []
    for field in schema:
        kind, _, card = field.name.partition("_")
        if kind not in CARD_PLUGINS.names() or not card:
            continue
        if is_boxes(field.type):
            boxes.append(field.name)
        elif pa.types.is_string(field.type):
            texts[f"{kind.capitalize()} ({card.removesuffix('_labels')})"] = field.name
    return texts, boxes


def _cut(text: str) -> str:
    safe = shown(text)
    return safe if len(safe) <= _LONGEST else f"{safe[:_LONGEST]}…"


def _corners(box: Mapping[str, Any]) -> Box:
    left, top = box["x"], box["y"]
    return left, top, min(1.0, left + box["width"]), min(1.0, top + box["height"])
