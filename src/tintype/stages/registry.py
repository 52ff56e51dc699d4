"""Which stages there are, ours and plug-ins', and the number that tells how a row's columns were computed."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from blake3 import blake3

from tintype.core.plugins import Plugins

if TYPE_CHECKING:  # OpenCV is loaded with the first stage, not with the list of their names
    from tintype.stages.base import CardStage, Stage

PLUGINS = Plugins("stage")
"""Entry points of the group `tintype.stages`: name = "module:attribute"."""

CARD_PLUGINS = Plugins("card_stage")
"""Entry points of the group `tintype.card_stages`: stages that are made of a card, named `NAME:CARD`."""

DEFAULT_STAGES = ("exif", "quality", "phash", "colors", "thumbnail", "descriptor")
"""What a scan computes unless told otherwise."""


def names() -> tuple[str, ...]:
    """Names of all installed stages, sorted. Nothing is imported. Raises PluginError where two have one name."""
    return PLUGINS.names()


def stage(name: str) -> Stage:
    """The stage of that name, or of a name and a card (`embed:CARD`), imported on first use.

    Raises PluginError where it is unknown or does not load, ModelError where the card is not there.
    """
    from tintype.stages.base import Stage

    kind, colon, card = name.partition(":")
    if colon:
        from tintype.models import registry as models

        return family(kind).make(models.card(card))
    loaded: Stage = PLUGINS.load(name, Stage)
    return loaded


def family(name: str) -> CardStage:
    """The kind of stages that are named `NAME:CARD`. Raises PluginError where it is unknown or does not load."""
    from tintype.stages.base import CardStage

    loaded: CardStage = CARD_PLUGINS.load(name, CardStage)
    return loaded


def fingerprint(stage: Stage, settings: Any) -> int:
    """A number, 1 to 2³¹ - 1, that changes with the stage's name, version, settings, model or engine, and with the
    thumbnails where it sees these instead of the images; with nothing else.

    The engine counts where one was settled: rows of the card's default engine, those of before among them, stay.

    It is stored beside a row's columns as int32: a row with another number is computed again. The first four bytes
    of the BLAKE3 of canonical JSON; 0 is kept for "never computed".
    """
    from tintype.stages.base import Model

    known = [stage.name, stage.version, dataclasses.asdict(settings)]
    if isinstance(stage.needs, Model):
        known += [card.fingerprint for card in (stage.needs.card, *stage.needs.beside)]
        known += [stage.needs.backend] if stage.needs.backend else []
        known += [{"thumbnails": stage.needs.thumbnails}] if stage.needs.thumbnails else []
    text = json.dumps(known, sort_keys=True, separators=(",", ":"), allow_nan=False)
    number = int.from_bytes(blake3(text.encode()).digest(length=4), "big") & 0x7FFF_FFFF
    return number or 1
