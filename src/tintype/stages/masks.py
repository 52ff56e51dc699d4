"""What in each image belongs together, as masks: a stage made of a card of SAM."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from tintype.core.columns import Column
from tintype.core.errors import ConfigError, ModelError
from tintype.models.card import Card, PlaceInput
from tintype.models.masking import Mask, grid_of, masks_of, whole_of
from tintype.stages.base import Batch, CardStage, Model, Stage
from tintype.stages.model_outputs import outputs_each

_SHARE = pa.float32()
MASKS = pa.list_(
    pa.struct(
        [
            pa.field("label", pa.string()),
            pa.field("confidence", pa.float32()),
            *(pa.field(name, _SHARE) for name in ("x", "y", "width", "height", "stability", "area")),
            pa.field("rle", pa.string()),
        ]
    )
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where the model is asked, and which of its masks are kept."""

    places: Literal["grid", "whole"] = "grid"  # points all over the image, or one box around it, for cut-out objects
    grid: int = 16  # points along each side
    min_confidence: float = 0.88  # 0 to 1; how well the model takes a mask to fit
    min_stability: float = 0.95  # 0 to 1; how little a mask changes with its threshold
    overlap: float = 0.7  # of masks whose boxes overlap by more the surest is kept
    most: int = 100  # masks kept of each image, the surest first

    def __post_init__(self) -> None:
        for name in ("min_confidence", "min_stability", "overlap"):
            if not 0 <= getattr(self, name) <= 1:
                raise ConfigError(f"masks.{name} must be 0 to 1, not {getattr(self, name)}")
        if not 1 <= self.grid <= 64:
            raise ConfigError(f"masks.grid must be 1 to 64, not {self.grid}")
        if not 1 <= self.most <= 128:
            raise ConfigError(f"masks.most must be 1 to 128, not {self.most}")


def compute(batch: Batch, settings: Settings) -> dict[str, pa.Array]:
    """The masks of each image, the surest first; an empty list where there are none."""
    if batch.runner is None:
        raise ModelError("a stage that makes masks was run without its model")
    card = batch.runner.info.card
    name, asked = f"masks_{card.name}", _places(card).name
    rows = []
    for row, image in enumerate(batch.images):
        size = image.width, image.height
        places = grid_of(size, card, settings.grid) if settings.places == "grid" else whole_of(size, card)
        (made,) = outputs_each(batch[row : row + 1], {asked: places})
        rows.append(
            masks_of(
                card,
                made,
                size,
                min_confidence=settings.min_confidence,
                min_stability=settings.min_stability,
                overlap=settings.overlap,
                most=settings.most,
            )
        )
    return {
        name: pa.array([_listed(masks) for masks in rows], MASKS),
        f"{name}_count": pa.array([len(masks) for masks in rows], pa.int32()),
        f"{name}_area": pa.array([max((mask.area for mask in masks), default=None) for masks in rows], pa.float32()),
    }


def _listed(masks: Sequence[Mask]) -> list[dict[str, object]]:
    sides = ("x", "y", "width", "height")
    return [
        {"confidence": mask.confidence, "stability": mask.stability, "area": mask.area, "rle": mask.rle}
        | dict(zip(sides, mask.box, strict=True))
        for mask in masks
    ]


def _places(card: Card) -> PlaceInput:
    """Raises ModelError for a card that is not asked about places."""
    for given in card.beside:
        if isinstance(given, PlaceInput):
            return given
    raise ModelError(f"card {card.name} ({card.task}) makes no masks")


def stage(card: Card) -> Stage:
    """The stage `masks_NAME`. Raises ModelError for a card that makes no masks."""
    _ = card.pixels, _places(card)
    name = f"masks_{card.name}"
    words = (
        f"what belongs together by the model {card.name}, the surest first: the box around it, the share of the image "
        "that it covers, and its pixels as COCO's compressed run lengths, of the upright image in its full size"
    )
    columns = (
        Column(name, MASKS, "shares", words),
        Column(f"{name}_count", pa.int32(), None, "how many masks there are"),
        Column(f"{name}_area", pa.float32(), "share", "how much of the image the largest of them covers"),
    )
    return Stage(name, 1, columns, Model(card), Settings, compute)


FAMILY = CardStage("masks", Settings, stage)
