"""The models at hand, as cards: which there are, one more, one less."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tintype.api.places import Place, absolute
from tintype.core.errors import ModelError
from tintype.core.names import shown
from tintype.models import registry
from tintype.models.card import Card
from tintype.models.card_file import files, read_card


def models() -> Iterator[Card]:
    """All cards: those that come with Tintype, then the user's by name. Raises ModelError for one that is not valid."""
    return registry.cards()


def model(name: str) -> Card:
    """The card of that name, or the one in a card's file or folder. Raises ModelError."""
    return registry.card(name)


def add_model(source: Place) -> Card:
    """Take a model over into the user's folder: from a card's JSON file, with the files that it names beside it.

    Raises ModelError where the card is not valid, a file is another than it says, or the name is taken.
    """
    path = Path(absolute(source))
    if path.suffix != ".json":
        raise ModelError(f"{shown(str(path))}: not a card (a JSON file). Write one: see docs/embedding.md")
    card = read_card(path)
    return registry.add(card, [path.with_name(file.name) for file in files(card)])


def remove_model(name: str) -> Path:
    """Remove one of the user's models; returns the folder that it lay in. Raises ModelError, UsageError."""
    return registry.remove(name)
