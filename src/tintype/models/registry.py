"""The cards at hand: those that come with Tintype, and those that the user added, each in a folder of its own."""

from __future__ import annotations

import difflib
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import platformdirs

from tintype.core.errors import ModelError, UsageError
from tintype.core.names import shown
from tintype.core.platform import full_disk_is_said, sync_directory, sync_file
from tintype.models.card import Card
from tintype.models.card_file import NAME, built_in, files, hashed, read_card, write_card

CARD_FILE = "card.json"
FOLDER_VARIABLE = "TINTYPE_MODELS"
BUILT_IN = ("descriptor",)


def folder() -> Path:
    """Where the user's cards lie: `TINTYPE_MODELS`, or `tintype/models` in the user's data folder."""
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named) if named else Path(platformdirs.user_data_dir("tintype", appauthor=False)) / "models"


def cards() -> Iterator[Card]:
    """All cards, the built-in ones first, then the user's by name. Raises ModelError for one that is not valid."""
    for name in BUILT_IN:
        yield built_in(name)
    for name in _own_names():
        yield read_card(folder() / name / CARD_FILE)


def card(name: str) -> Card:
    """The card of that name, or the one in a card's file or folder. Raises ModelError."""
    path = Path(name)
    if path.name != name or name.endswith(".json"):
        return read_card(path / CARD_FILE if path.is_dir() else path)
    if name in BUILT_IN:
        return built_in(name)
    own = _own_names()
    if name in own:
        return read_card(folder() / name / CARD_FILE)
    near = difflib.get_close_matches(name, [*BUILT_IN, *own], n=2)
    hint = f"Did you mean {' or '.join(near)}?" if near else "See: tintype models"
    raise ModelError(f"no card is named {shown(name)!r}. {hint}")


def add(made: Card, sources: Sequence[Path]) -> Card:
    """Take a card over into the user's folder, with copies of its files; returns it as it lies there.

    Raises ModelError where the name is taken or a file is not what the card says.
    """
    return add_all([(made, sources)])[0]


def add_all(made: Sequence[tuple[Card, Sequence[Path]]]) -> tuple[Card, ...]:
    """Take several cards over, each with its files: all or none. Files that are the same in several are kept once.

    Raises ModelError as `add` does.
    """
    for card, _ in made:
        if not NAME.fullmatch(card.name):
            raise ModelError(f"{shown(card.name)!r} cannot be a name ({NAME.pattern}). Give another --name")
        if card.name in BUILT_IN or (folder() / card.name).exists():
            raise ModelError(
                f"a card is already named {card.name}. Give another --name, or: tintype models remove {card.name}"
            )
    with full_disk_is_said(str(folder())):
        halves: list[tuple[Path, Card]] = []
        try:
            for card, sources in made:
                half = folder() / f".{card.name}.{os.getpid()}"
                halves.append((half, card))
                half.mkdir(parents=True, mode=0o700)
                _fill(half, card, sources, [earlier for earlier, _ in halves[:-1]])
            for half, card in halves:
                half.rename(folder() / card.name)
            sync_directory(folder())
        finally:
            for half, _ in halves:
                shutil.rmtree(half, ignore_errors=True)
    return tuple(replace(card, folder=folder() / card.name) for card, _ in made)


def remove(name: str) -> Path:
    """Remove one of the user's cards and its files; returns where they lay. Raises ModelError."""
    if name in BUILT_IN:
        raise UsageError(f"{name} comes with Tintype and cannot be removed")
    if name not in _own_names():
        raise ModelError(f"no card of yours is named {shown(name)!r}. See: tintype models")
    place = folder() / name
    gone = place.with_name(f".{name}.{os.getpid()}.gone")
    place.rename(gone)
    shutil.rmtree(gone)
    return place


def _own_names() -> list[str]:
    try:
        return sorted(
            entry.name for entry in folder().iterdir() if (entry / CARD_FILE).is_file() and entry.name[0] != "."
        )
    except (FileNotFoundError, NotADirectoryError):
        return []


def _fill(place: Path, card: Card, sources: Sequence[Path], earlier: Sequence[Path]) -> None:
    known = {file.name: file.sha256 for file in files(card)}
    for source in sources:
        twin = next((half / source.name for half in earlier if _is(half / source.name, known.get(source.name))), None)
        if twin is None or not _linked(twin, place / source.name):
            _copied(source, place / source.name)
    wrong = [file.name for file in files(card) if not _is(place / file.name, file.sha256)]
    if wrong:
        raise ModelError(f"card {card.name}: {shown(wrong[0])} is missing or has another SHA-256. Nothing was added")
    write_card(card, place / CARD_FILE)
    sync_directory(place)


def _linked(twin: Path, place: Path) -> bool:
    """Whether the file now has a second name; some file systems cannot do that."""
    try:
        os.link(twin, place)
    except OSError:
        return False
    return True


def _copied(source: Path, place: Path) -> None:
    try:
        shutil.copyfile(source, place)
    except FileNotFoundError as error:
        raise ModelError(f"{shown(str(source))}: no such file. Nothing was added") from error
    sync_file(place)


def _is(path: Path, sha256: str | None) -> bool:
    return path.is_file() and hashed(path).sha256 == sha256
