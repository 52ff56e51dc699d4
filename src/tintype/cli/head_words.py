"""Heads in words: what was made, and what one said of a collection."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tintype.cli.output import Block, Line, Table
from tintype.core.names import shown
from tintype.models.card import Card, VectorInput

_MOST_CLASSES = 30


def head_blocks(card: Card) -> Iterator[Block]:
    """What the head is over and, where it was learned, how good it is."""
    over = card.input.card if isinstance(card.input, VectorInput) else ""
    yield Line(f"{card.name} was made over {over}: {shown(card.source)}")
    figures = card.figures
    if "accuracy" in figures:
        yield Line(
            f"Right for {figures['accuracy']:.1%} of {figures['images']:,} images that it had not seen "
            f"({figures['balanced_accuracy']:.1%} of a class on average; {figures['folds']} folds)"
        )
        if classes := figures.get("classes"):
            yield _class_table(classes)
    elif "r2" in figures:
        yield Line(
            f"Explains {figures['r2']:.1%} of the variance of {figures['images']:,} images that it had not seen; "
            f"off by {figures['mean_absolute_error']:.3g} on average, from {figures['lowest']:.3g} "
            f"to {figures['highest']:.3g}"
        )
    yield Line(f"Use it: tintype predict PLACE --model {card.name}")


def predict_blocks(document: Mapping[str, Any]) -> Iterator[Block]:
    """How many rows were computed, and what came of it."""
    parts = [f"{document['computed']:,} computed", f"{document['kept']:,} as they were"]
    if document["without_vector"]:
        parts.append(f"{document['without_vector']:,} images without a vector")
    yield Line(f"{', '.join(document['columns'])}: {', '.join(parts)}")
    if document["classes"]:
        rows = [(shown(name), f"{count:,}") for name, count in [*document["classes"].items()][:_MOST_CLASSES]]
        if document["unsure"]:
            rows.append(("(not sure)", f"{document['unsure']:,}"))
        yield Table("Classes", ("", ">images"), rows)
    if number := document["number"]:
        yield Line(f"{number['mean']:.3g} on average, from {number['lowest']:.3g} to {number['highest']:.3g}")


def _class_table(classes: Mapping[str, Mapping[str, Any]]) -> Table:
    """The classes that are found worst first."""
    worst = sorted(classes.items(), key=lambda one: (one[1]["recall"], one[0]))
    rows = [
        (shown(name), f"{one['images']:,}", f"{one['recall']:.1%}", _share(one["precision"]))
        for name, one in worst[:_MOST_CLASSES]
    ]
    return Table("Classes", ("", ">images", ">found", ">right of those told"), rows)


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"
