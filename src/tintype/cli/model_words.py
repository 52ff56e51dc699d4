"""Cards in words and as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any

from tintype.cli.output import Block, Table
from tintype.core.names import shown
from tintype.models.card import Card, PixelInput
from tintype.models.card_file import files


def card_json(card: Card) -> dict[str, Any]:
    """The card as its file has it, with its folder and fingerprint."""
    facts = {name: value for name, value in dataclasses.asdict(card).items() if name != "folder"}
    return facts | {"folder": str(card.folder), "fingerprint": card.fingerprint}


def models_blocks(cards: Sequence[Card]) -> list[Block]:
    """A line for each card."""
    rows = [tuple(map(shown, _line(card))) for card in cards]
    return [Table("Models", ("name", "task", "output", ">size", "engines", "license"), rows)]


def card_blocks(card: Card) -> list[Block]:
    """All that a card says, a line each."""
    rows = [(name, shown(value)) for name, value in _facts(card)]
    return [Table(shown(card.name), ("", ""), rows)]


def _facts(card: Card) -> Iterator[tuple[str, str]]:
    yield "task", card.task
    yield "input", _input(card)
    for output in card.outputs:
        unit = ", of unit length" if output.normalized else ""
        yield f"output {output.name}", f"{' x '.join(map(str, output.shape))} {output.meaning}{unit}"
    for part in card.weights:
        yield f"weights for {part.engine}", f"{part.file.name}, SHA-256 {part.file.sha256}"
    for name in ("license", "source", "trained_on", "companion", "notes"):
        if value := getattr(card, name):
            yield name.replace("_", " "), value
    yield "lies in", str(card.folder)
    yield "fingerprint", card.fingerprint


def _line(card: Card) -> tuple[str, ...]:
    engines = ", ".join(part.engine for part in card.weights)
    return card.name, card.task, _output(card), _size(card), engines, card.license


def _input(card: Card) -> str:
    given = card.input
    if isinstance(given, PixelInput):
        how = f"shorter side to {given.shorter_px:g} px, center cropped" if given.fit == "crop" else given.fit
        return f"images, {given.width} x {given.height} px ({how}, {given.filter}), {given.order} {given.dtype}"
    return given.kind


def _output(card: Card) -> str:
    return ", ".join(f"{output.meaning} {'x'.join(map(str, output.shape))}" for output in card.outputs)


def _size(card: Card) -> str:
    size = sum((card.folder / file.name).stat().st_size for file in files(card) if (card.folder / file.name).exists())
    return f"{size / 1e6:,.1f} MB"
