"""What lies where in each image: a stage made of a detector's card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import pyarrow as pa

from tintype.core.columns import Column
from tintype.core.errors import ConfigError, ModelError
from tintype.models.card import Card
from tintype.models.detecting import Found, class_names, detection_of, found
from tintype.stages.base import Batch, CardStage, Model, Stage
from tintype.stages.model_outputs import outputs_each

_SHARE = pa.float32()
BOXES = pa.list_(
    pa.struct(
        [
            pa.field("label", pa.string()),
            pa.field("confidence", pa.float32()),
            *(pa.field(name, _SHARE) for name in ("x", "y", "width", "height")),
        ]
    )
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How sure a detector must be, and how many of its boxes are kept."""

    min_confidence: float = 0.5  # 0 to 1; boxes below it are left out
    most: int = 100  # boxes kept of each image, the surest first

    def __post_init__(self) -> None:
        check("objects", self.min_confidence, self.most)


def check(section: str, min_confidence: float, most: int) -> None:
    """Raises ConfigError for numbers that make no sense."""
    if not 0 <= min_confidence <= 1:
        raise ConfigError(f"{section}.min_confidence must be 0 to 1, not {min_confidence}")
    if not 1 <= most <= 1_000:
        raise ConfigError(f"{section}.most must be 1 to 1,000, not {most}")


def compute(batch: Batch, settings: Settings) -> dict[str, pa.Array]:
    """The boxes of each image, the surest first; an empty list where nothing is found."""
    if batch.runner is None:
        raise ModelError("a stage that finds objects was run without its model")
    card = batch.runner.info.card
    rows = [
        found(card, made, (image.width, image.height), settings.min_confidence, settings.most)
        for made, image in zip(outputs_each(batch), batch.images, strict=True)
    ]
    return boxed(f"objects_{card.name}", rows, _names(card))


def boxed(name: str, rows: Sequence[Found], names: Sequence[str]) -> dict[str, pa.Array]:
    """The columns of `box_columns`; a class that has no name is called by its number."""
    listed = [
        [
            {"label": _name(number, names), "confidence": confidence, "x": x, "y": y, "width": width, "height": height}
            for number, confidence, (x, y, width, height) in zip(
                row.classes.tolist(), row.confidence.tolist(), row.boxes.tolist(), strict=True
            )
        ]
        for row in rows
    ]
    labels = [", ".join(dict.fromkeys(str(box["label"]) for box in boxes)) for boxes in listed]
    return {
        name: pa.array(listed, BOXES),
        f"{name}_labels": pa.array(labels, pa.string()),
        f"{name}_count": pa.array([len(boxes) for boxes in listed], pa.int32()),
    }


def box_columns(name: str, what: str, card: Card) -> tuple[Column, ...]:
    """The columns of a stage that finds boxes: the boxes, and what can be filtered by: their labels and number."""
    where = "x and y of the upper left corner, width and height, of the upright image"
    return (
        Column(name, BOXES, "shares", f"{what} by the model {card.name}, the surest first: {where}"),
        Column(f"{name}_labels", pa.string(), None, "the labels of these boxes, each once, separated by commas"),
        Column(f"{name}_count", pa.int32(), None, "how many boxes there are"),
    )


def _name(number: int, names: Sequence[str]) -> str:
    return names[number] if 0 <= number < len(names) else str(number)


@lru_cache(maxsize=8)
def _names(card: Card) -> tuple[str, ...]:
    return class_names(card)


def stage(card: Card) -> Stage:
    """The stage `objects_NAME`. Raises ModelError for a card that is no detector's."""
    _ = card.pixels, detection_of(card)
    if card.beside:
        raise ModelError(f"card {card.name} is told in words what to find: find:{card.name} with --prompt")
    columns = box_columns(f"objects_{card.name}", "objects that were found", card)
    return Stage(f"objects_{card.name}", 1, columns, Model(card), Settings, compute)


FAMILY = CardStage("objects", Settings, stage)
