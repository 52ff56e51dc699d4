"""The tags that a multi-label model tells, with their categories: the labels of its card, `TAG<tab>CATEGORY` a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from tintype.core.errors import ModelError
from tintype.models.card import Card, Output
from tintype.models.card_file import read_labels
from tintype.models.class_names import checked_names

RATING = "rating"
"""The category of which an image always has exactly one: the likeliest."""


@dataclass(frozen=True)
class Tags:
    """Names in the order of the model's output, and the category of each; None where nothing is said of it."""

    names: tuple[str, ...]
    categories: tuple[str | None, ...]

    @classmethod
    def of_lines(cls, lines: Sequence[str], place: str) -> Tags:
        """From the lines of a file. Raises ModelError for a name that cannot be one."""
        parts = [line.partition("\t") for line in lines]
        said = [category.strip() for _, _, category in parts]
        checked_names(dict.fromkeys(filter(None, said)), f"{place}, categories")
        return cls(checked_names((name for name, _, _ in parts), place), tuple(category or None for category in said))

    @property
    def text(self) -> str:
        """As a card's file has them."""
        pairs = zip(self.names, self.categories, strict=True)
        return "".join(f"{name}\t{category}\n" if category else f"{name}\n" for name, category in pairs)


def told(card: Card) -> Output:
    """The output with a value for each tag. Raises ModelError for a card that is not of a multi-label model."""
    if card.task == "multi-label":
        for output in card.outputs:
            if output.meaning in ("probabilities", "logits") and len(output.shape) == 1:
                return output
    raise ModelError(f"card {card.name} ({card.task}) tells no tags. Multi-label models do; see docs/tags.md")


@lru_cache(maxsize=8)
def tags_of(card: Card) -> Tags:
    """The tags of a card's output; numbers where it names none. Raises ModelError."""
    return Tags.of_lines(read_labels(card, told(card).name), f"card {card.name}")
