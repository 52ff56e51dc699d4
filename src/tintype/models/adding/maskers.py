"""Cards of SAM."""

from __future__ import annotations

from collections.abc import Sequence

from tintype.core.errors import ModelError
from tintype.models.adding.maker import Maker
from tintype.models.card import Card, Output, PixelInput, PlaceInput
from tintype.models.masking import CONFIDENCE, MASKS, STABILITY

ARCHITECTURES: dict[tuple[object, object], str] = {("sam", "SamModel"): "SamModel"}
"""By model_type and architecture: the class that loads it."""

_SIDE_PX = 1_024  # the library's own default


def card_of(maker: Maker, loader: str, given: PixelInput, beside: Sequence[str]) -> Card:
    """The card of a model that makes masks. Raises ModelError where images are not prepared in its size."""
    side = (maker.config.get("vision_config") or {}).get("image_size") or _SIDE_PX
    if side != given.width:
        raise ModelError(f"it takes images of {side} px, and its processor makes them {given.width} px")
    outputs = (
        Output(MASKS, (), meaning="masks"),
        *(Output(name, (), meaning="score") for name in (CONFIDENCE, STABILITY)),
    )
    places = (PlaceInput("places", "places"),)
    return maker.card(maker.name, "mask", loader, given, outputs, beside=beside, words=places)
