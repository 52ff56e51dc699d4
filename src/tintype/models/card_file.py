"""Cards as JSON files, with their weights beside them; whatever is not so is refused in one line."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tintype.core.errors import ModelError
from tintype.core.names import shown
from tintype.core.platform import write_atomically
from tintype.models.card import Card, Detection, File, PixelInput, TextInput

MAX_CARD_BYTES = 1_000_000
MAX_SIDE_PX = 4_096
MAX_TOKENS = 8_192
NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_CHUNK_BYTES = 1 << 20


def read_card(path: Path) -> Card:
    """The card in a JSON file, whose other files lie beside it. Raises ModelError where it is not a valid one."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_CARD_BYTES + 1)
        if len(data) > MAX_CARD_BYTES:
            raise ValueError(f"longer than {MAX_CARD_BYTES:,} bytes")
        card = parsed(json.loads(data), path.parent)
    except OSError as error:
        raise ModelError(f"{shown(str(path))}: the card cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{shown(str(path))}: not a valid card: {_in_one_line(error)}") from error
    return card


def parsed(facts: Any, folder: Path) -> Card:
    """A card from JSON values. Raises ValueError where they do not make one."""
    from pydantic import TypeAdapter, ValidationError

    if isinstance(facts, dict) and "folder" in facts:
        raise ValueError("a card does not say where it lies (folder)")
    try:
        card = TypeAdapter(Card).validate_json(json.dumps(facts), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ValueError(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from error
    _check(card)
    return dataclasses.replace(card, folder=folder)


def card_json(card: Card) -> str:
    """The card as its file has it."""
    facts = {name: value for name, value in dataclasses.asdict(card).items() if name != "folder"}
    return json.dumps(facts, indent=2, ensure_ascii=False) + "\n"


def write_card(card: Card, path: Path) -> None:
    """Put the card's file in place. Raises OSError."""
    write_atomically(path, card_json(card).encode())


def read_file(card: Card, file: File) -> bytes:
    """A file of the card's, if it is the one that it names. Raises ModelError."""
    path = card.folder / file.name
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{shown(str(path))}: the weights cannot be read ({error.strerror})") from error
    if hashlib.sha256(data).hexdigest() != file.sha256:
        raise ModelError(
            f"{shown(str(path))}: not the file that card {card.name} names (another SHA-256). Nothing was run. "
            "Add the model again, or mend the card"
        )
    return data


def read_labels(card: Card, name: str) -> tuple[str, ...]:
    """The names of an output's classes. Raises ModelError where their number is not the output's."""
    output = card.output(name)
    if output.labels is None:
        return tuple(str(number) for number in range(output.shape[-1]))
    lines = read_lines(card, output.labels)
    if len(lines) != output.shape[-1]:
        raise ModelError(
            f"card {card.name}: {output.labels.name} has {len(lines)} lines for {output.shape[-1]} classes of {name}"
        )
    return lines


def read_lines(card: Card, file: File) -> tuple[str, ...]:
    """The lines of a text file of the card's. Raises ModelError."""
    try:
        return tuple(read_file(card, file).decode("utf-8").splitlines())
    except UnicodeDecodeError as error:
        raise ModelError(f"card {card.name}: {file.name} is not UTF-8") from error


def hashed(path: Path) -> File:
    """A file and its hash, read in pieces. Raises OSError."""
    known = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(_CHUNK_BYTES):
            known.update(part)
    return File(path.name, known.hexdigest())


def files(card: Card) -> Iterator[File]:
    """All files that the card names."""
    for weights in card.weights:
        yield weights.file
        yield from weights.beside
    for output in card.outputs:
        if output.labels is not None:
            yield output.labels
        if output.tokenizer is not None:
            yield output.tokenizer
    if card.detection is not None and card.detection.labels is not None:
        yield card.detection.labels
    for given in (card.input, *card.beside):
        if isinstance(given, TextInput):
            yield given.tokenizer


@functools.cache
def built_in(name: str) -> Card:
    """A card that comes with Tintype. Raises ModelError."""
    return read_card(Path(__file__).parent / "cards" / f"{name}.json")


def _check(card: Card) -> None:
    if not NAME.fullmatch(card.name):
        raise ValueError(f"name {card.name!r} must match {NAME.pattern}")
    for file in files(card):
        if not _SHA256.fullmatch(file.sha256):
            raise ValueError(f"{file.name}: sha256 must be 64 hexadecimal digits")
        if Path(file.name).name != file.name or file.name in ("", ".", "..") or "\\" in file.name:
            raise ValueError(f"file {file.name!r} must lie beside the card")
    if not card.outputs or any(size <= 0 for output in card.outputs for size in output.shape):
        raise ValueError("outputs must have shapes of whole numbers above 0, without the batch")
    if (card.detection is not None) != (card.task in ("detect", "find")):
        raise ValueError("detection is for cards whose task is detect or find, which need it")
    if any((output.meaning == "text") != (output.tokenizer is not None) for output in card.outputs):
        raise ValueError("an output of text, and no other, needs a tokenizer")
    if card.detection is not None:
        _check_detection(card, card.detection)
    if isinstance(card.input, PixelInput):
        _check_pixels(card.input)
    for given in (card.input, *card.beside):
        if isinstance(given, TextInput) and not (1 <= given.length <= MAX_TOKENS and given.pad_id >= 0):
            raise ValueError(f"input.length must be 1 to {MAX_TOKENS:,} tokens, and input.pad_id at least 0")


def _check_detection(card: Card, given: Detection) -> None:
    there = {output.name: output.shape for output in card.outputs}
    missing = [name for name in (given.boxes, given.scores, given.classes) if name is not None and name not in there]
    if missing:
        raise ValueError(f"detection names the output {missing[0]!r}; there are {', '.join(there)}")
    if len(there[given.boxes]) != 2:
        raise ValueError("the output of detection.boxes must be rows of numbers")
    columns = there[given.boxes][-1 if given.rows == "first" else 0]
    if given.boxes == given.scores:
        is_right = columns == 6 if given.classes == given.boxes else columns > 4 and given.classes is None
    else:
        is_right = columns == 4 and len(there[given.scores]) == (2 if given.classes is None else 1)
    if not is_right:
        raise ValueError("the outputs of detection do not have the shapes of boxes, scores and classes")
    if (given.most is not None and given.most < 1) or not 0 <= (given.overlap or 0) <= 1:
        raise ValueError("detection.most must be at least 1, and detection.overlap 0 to 1")


def _check_pixels(given: PixelInput) -> None:
    if not (1 <= given.width <= MAX_SIDE_PX and 1 <= given.height <= MAX_SIDE_PX):
        raise ValueError(f"input.width and input.height must be 1 to {MAX_SIDE_PX:,} px")
    if given.fit == "crop" and not (given.shorter_px and min(given.width, given.height) <= given.shorter_px <= 1e5):
        raise ValueError("input.shorter_px must be at least the sides of what is cropped")
    if given.fit == "whole":
        limits = [limit for limit in (given.shorter_px, given.longer_px) if limit is not None]
        if not limits or min(limits) < 1 or max(limits) > MAX_SIDE_PX or not 1 <= given.multiple_of <= min(limits):
            raise ValueError(f"how large images are says input.shorter_px or input.longer_px, up to {MAX_SIDE_PX:,}")
    if given.fit == "shared square" and (given.width != given.height or given.dtype != "uint8"):
        raise ValueError("a shared square has equal sides and is uint8")
    if not all(step > 0 for step in given.std):
        raise ValueError("input.std must be above 0")
    if not all(0 <= level <= 255 for level in given.pad):
        raise ValueError("input.pad must be levels of 0 to 255")


def _in_one_line(error: BaseException) -> str:
    return shown(" ".join(str(error).split()))[:200]
