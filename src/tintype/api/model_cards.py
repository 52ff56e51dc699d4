"""The models at hand, as cards: which there are, one more, one less."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tintype.api.places import Place, absolute
from tintype.models import registry
from tintype.models.adding.wishes import Wishes
from tintype.models.card import Card


def cards() -> Iterator[Card]:
    """All cards: those that come with Tintype, then the user's by name. Raises ModelError for one that is not valid."""
    return registry.cards()


def card(name: str) -> Card:
    """The card of that name, or the one in a card's file or folder. Raises ModelError."""
    return registry.card(name)


def add_model(source: Place, wishes: Wishes | None = None) -> tuple[Card, ...]:
    """Take a model over into the user's folder; returns its card, or the two of a model for images and for words.

    `source` is a card's JSON file with the files that it names beside it, an .onnx file, a folder as transformers, timm
    and open_clip save it, the id of a repository of the Hugging Face hub, or a name that timm or open_clip has for one
    ("resnet50.a1_in1k", "ViT-B-32/laion2b_s34b_b79k"); a path that exists is never taken for either. `wishes` says
    what the files do not. Nothing is added unless everything can be.

    Raises ModelError where the model is not what it should be, cannot be had or said by a card, its license forbids its
    use, or the name is taken; MissingExtra where a library is needed that is not installed.
    """
    from tintype.models.adding.adding import add

    text = str(source)
    return add(absolute(source) if Path(text).exists() else text, wishes or Wishes())


def remove_model(name: str) -> Path:
    """Remove one of the user's models; returns the folder that it lay in. Raises ModelError, UsageError."""
    return registry.remove(name)
