"""From pictures to what the page shows of them: name, facts, and what is drawn over them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from tintype.core.names import shown
from tintype.reports import words
from tintype.reports.content import Neighbor, Picture

T = TypeVar("T")


@dataclass(frozen=True)
class Fact:
    """One line beside a picture; `differs` where a copy's is not the one of the kept picture."""

    name: str
    words: str
    differs: bool = False


@dataclass(frozen=True)
class Badge:
    """A word beside a picture; `tone` is a class of the style sheet."""

    words: str
    tone: str = ""


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One picture as the page shows it."""

    uri: str
    folder: str  # with its last slash; empty at the root
    name: str
    facts: tuple[Fact, ...] = ()
    tint: str | None = None  # rrggbb
    kept: bool = False
    badges: tuple[Badge, ...] = ()
    score: float | None = None
    reason: str | None = None
    marks: str = ""  # markup that is drawn over it
    lies: str = ""  # how it is laid over the picture that it is compared with


@dataclass
class Listed(Generic[T]):
    """The items of a list that are shown, and how many there are in all."""

    shown: list[T] = field(default_factory=list)
    total: int = 0

    @property
    def left_out(self) -> int:
        return self.total - len(self.shown)

    @classmethod
    def of(cls, items: Iterable[T], most: int) -> Listed[T]:
        """Read all items and keep the first."""
        listed = cls()
        for item in items:
            listed.total += 1
            if len(listed.shown) < most:
                listed.shown.append(item)
        return listed


def shot(
    picture: Picture,
    *,
    kept: bool = False,
    beside: Picture | None = None,
    badges: Sequence[Badge] = (),
    score: float | None = None,
    reason: str | None = None,
    more: Sequence[Fact] = (),
    marks: str = "",
    lies: str = "",
) -> Shot:
    """What is shown of a picture; facts that differ from those of `beside` are marked, and `more` facts follow."""
    theirs = {} if beside is None else dict(_facts(beside))
    facts = [Fact(what, text, what in theirs and theirs[what] != text) for what, text in _facts(picture)]
    folder, name = parted(picture.uri)
    return Shot(
        uri=picture.uri,
        folder=folder,
        name=name,
        facts=(*facts, *more),
        tint=_tint(picture),
        kept=kept,
        badges=tuple(badges),
        score=score,
        reason=reason,
        marks=marks,
        lies=lies,
    )


def small(picture: Picture, badges: Sequence[Badge] = (), score: float | None = None) -> Shot:
    """A picture beside others, without its facts."""
    folder, name = parted(picture.uri)
    return Shot(uri=picture.uri, folder=folder, name=name, tint=_tint(picture), badges=tuple(badges), score=score)


def near(neighbors: Sequence[Neighbor], most: int, expected: str | None = None) -> tuple[Shot, ...]:
    """The nearest neighbors with their labels; those with the `expected` one are marked."""
    return tuple(
        small(
            one.picture,
            () if one.label is None else (Badge(one.label, "good" if one.label == expected else ""),),
            one.likeness,
        )
        for one in neighbors[:most]
    )


def parted(uri: str) -> tuple[str, str]:
    """Folder with its last slash, and name, both safe to show."""
    folder, slash, name = shown(uri).rpartition("/")
    return folder + slash, name


def _tint(picture: Picture) -> str | None:
    return None if picture.mean_rgb is None else "".join(f"{channel & 255:02x}" for channel in picture.mean_rgb)


def _facts(picture: Picture) -> Iterator[tuple[str, str]]:
    if picture.width is not None and picture.height is not None:
        yield "Pixels", f"{picture.width} × {picture.height}"
    if picture.size_bytes is not None:
        yield "Size", words.size(picture.size_bytes)
    if picture.format:
        yield "Format", picture.format.upper()
    if picture.taken_at is not None:
        yield "Taken", words.moment(picture.taken_at)
    if picture.camera:
        yield "Camera", picture.camera
