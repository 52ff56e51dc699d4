"""Thumbnails in the page: which are embedded, under what number, and how many had to stay out."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from tintype.reports.content import Thumbnails

T = TypeVar("T")

_ASKED_AT_ONCE = 256
_JPEG = b"\xff\xd8\xff"


@dataclass
class Album:
    """Embedded thumbnails: `encoded[numbers[uri]]` is the base64 text of a JPEG. Equal ones are embedded once."""

    numbers: dict[str, int] = field(default_factory=dict)
    encoded: list[str] = field(default_factory=list)
    uris: list[str] = field(default_factory=list)  # the first picture that each of them is of
    characters: int = 0
    missing: int = 0  # pictures that have no thumbnail
    left_out: int = 0  # pictures whose thumbnail did not fit, or was not asked for as nothing fits anymore


def collect(uris: Iterable[str], thumbnails: Thumbnails, max_characters: int) -> Album:
    """Embed thumbnails in the order of `uris`, each once, until the next would go over `max_characters`."""
    album = Album()
    distinct = iter(dict.fromkeys(uris))
    places: dict[bytes, int] = {}
    full = False
    while asked := list(islice(distinct, _ASKED_AT_ONCE)):
        if full:
            album.left_out += len(asked)
            continue
        found = thumbnails(asked)
        for uri in asked:
            data = found.get(uri, b"")
            if not data.startswith(_JPEG):
                album.missing += 1
                continue
            if data not in places:
                full = full or album.characters + 4 * -(-len(data) // 3) > max_characters
                if full:
                    album.left_out += 1
                    continue
                places[data] = _embed(album, uri, data)
            album.numbers[uri] = places[data]
    return album


def _embed(album: Album, uri: str, data: bytes) -> int:
    text = b64encode(data).decode("ascii")
    album.encoded.append(text)
    album.uris.append(uri)
    album.characters += len(text)
    return len(album.encoded) - 1


def woven(*parts: tuple[Iterable[T], int]) -> Iterator[T]:
    """One item after another of all parts in turn: of each as many at a time as its number says."""
    turns = [(iter(items), at_once) for items, at_once in parts]
    while turns:
        going_on = []
        for items, at_once in turns:
            taken = list(islice(items, at_once))
            yield from taken
            if len(taken) == at_once:
                going_on.append((items, at_once))
        turns = going_on


def spread(items: Sequence[T]) -> Iterator[T]:
    """All items, each once, in an order of which every beginning is spread evenly over the whole."""
    for start in (0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15):
        yield from items[start::16]
