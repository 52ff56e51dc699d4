"""Cards in words and as JSON."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tintype.cli.output import Block, Line, Table
from tintype.core.errors import UsageError
from tintype.core.names import shown
from tintype.models.adding.wishes import Wishes
from tintype.models.card import Card, Detection, Input, PixelInput, PlaceInput, TextInput
from tintype.models.card_file import files


def card_json(card: Card) -> dict[str, Any]:
    """The card as its file has it, with its folder and fingerprint."""
    facts = {name: value for name, value in dataclasses.asdict(card).items() if name != "folder"}
    return facts | {"folder": str(card.folder), "fingerprint": card.fingerprint}


def models_blocks(cards: Sequence[Card], speeds: Mapping[str, Mapping[str, float]]) -> list[Block]:
    """A line for each card; `speeds` of its engines by its name, images or texts a second."""
    rows = [tuple(map(shown, (*_line(card), _speed(speeds[card.name]), card.license))) for card in cards]
    return [Table("Models", ("name", "task", "output", ">size", "engines", ">a second", "license"), rows)]


def card_blocks(card: Card) -> list[Block]:
    """All that a card says, a line each."""
    rows = [(name, shown(value)) for name, value in _facts(card)]
    return [Table(shown(card.name), ("", ""), rows)]


def added_lines(cards: Sequence[Card]) -> list[Block]:
    """A line for each card that was added, with what is to be known of it."""
    lines: list[Block] = []
    for card in cards:
        engines = " and ".join(part.engine for part in card.weights)
        lines.append(Line(f"{card.name} was added ({card.task}; runs on {engines}): {shown(str(card.folder))}"))
        if card.notes:
            lines.append(Line(f"  {shown(card.notes)}"))
        if card.license == "unknown":
            lines.append(Line("  Its license is not known; see where it comes from before you use it."))
    return lines


def wishes(told: Mapping[str, Any]) -> Wishes:
    """What the options of `models add` say."""
    labels, size = told["labels"], told["size"]
    return Wishes(
        name=told["name"],
        license=told["license_"],
        trained_on=told["trained_on"],
        accept_license=told["accept_license"],
        revision=told["revision"],
        with_onnx=not told["no_onnx"],
        task=told["task"],
        size_px=_sides(size) if size else None,
        fit=told["fit"],
        shorter_px=told["shorter"],
        filter=told["sampling"],
        mean=_levels("--mean", told["mean"]) if told["mean"] else None,
        std=_levels("--std", told["std"]) if told["std"] else None,
        order=told["order"],
        labels=Path(labels) if labels else None,
        boxes=told["boxes"],
        unit=told["unit"],
        scores=told["scores"],
        overlap=told["overlap"],
    )


def _sides(text: str) -> tuple[int, int]:
    width, sign, height = text.lower().partition("x")
    if not width.isascii() or not width.isdigit() or (sign and not (height.isascii() and height.isdigit())):
        raise UsageError(f"--size {shown(text)}: not WIDTHxHEIGHT in pixels, as in 224x224")
    return int(width), int(height or width)


def _levels(option: str, text: str) -> tuple[float, float, float]:
    try:
        red, green, blue = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"{option} {shown(text)}: not three numbers, as in 123.7,116.3,103.5") from None
    if not all(map(math.isfinite, (red, green, blue))):
        raise UsageError(f"{option} {shown(text)}: not three finite numbers")
    return red, green, blue


def _facts(card: Card) -> Iterator[tuple[str, str]]:
    yield "task", card.task
    yield "input", _input(card)
    for output in card.outputs:
        unit = ", of unit length" if output.normalized else ""
        yield f"output {output.name}", f"{' x '.join(map(str, output.shape))} {output.meaning}{unit}"
    if card.detection is not None:
        yield "detection", _detection(card.detection)
    for part in card.weights:
        of = f", commit {part.revision}" if part.revision else ""
        yield f"weights for {part.engine}", f"{part.file.name}, SHA-256 {part.file.sha256}{of}"
    for name in ("license", "source", "trained_on", "companion", "notes"):
        if value := getattr(card, name):
            yield name.replace("_", " "), value
    yield "lies in", str(card.folder)
    yield "fingerprint", card.fingerprint


def _line(card: Card) -> tuple[str, ...]:
    engines = ", ".join(part.engine for part in card.weights)
    return card.name, card.task, _output(card), _size(card), engines


def _speed(engines: Mapping[str, float]) -> str:
    """Of the fastest engine, if any was measured."""
    if not engines:
        return "–"
    fastest = max(engines, key=lambda word: engines[word])
    others = f" ({fastest})" if len(engines) > 1 else ""
    return f"{engines[fastest]:,.0f}{others}"


def _input(card: Card) -> str:
    return ", and ".join(_one_input(given) for given in (card.input, *card.beside))


def _one_input(given: Input) -> str:
    if isinstance(given, PixelInput):
        how: str = given.fit
        if given.fit == "crop":
            how = f"shorter side to {given.shorter_px:g} px, center cropped"
        elif given.fit == "whole":
            sides = (("shorter", given.shorter_px), ("longer", given.longer_px))
            how = "whole, " + ", ".join(f"{name} side up to {side:g} px" for name, side in sides if side)
            return f"images ({how}, {given.filter}), {given.order} {given.dtype}"
        return f"images, {given.width} x {given.height} px ({how}, {given.filter}), {given.order} {given.dtype}"
    if isinstance(given, TextInput):
        return f"words, up to {given.length} tokens"
    if isinstance(given, PlaceInput):
        return "boxes or points in them"
    return f"vectors of {given.card}, of {given.dimension} dimensions"


def _detection(given: Detection) -> str:
    names = f"{given.labels.name}, " if given.labels else ""
    overlap = f", overlapping by up to {given.overlap:g}" if given.overlap is not None else ""
    return f"{names}{given.scoring} of {given.scores}, boxes by {given.form} in {given.unit}{overlap}"


def _output(card: Card) -> str:
    return ", ".join(f"{output.meaning} {'x'.join(map(str, output.shape))}" for output in card.outputs)


def _size(card: Card) -> str:
    size = sum((card.folder / file.name).stat().st_size for file in files(card) if (card.folder / file.name).exists())
    return f"{size / 1e6:,.1f} MB"
