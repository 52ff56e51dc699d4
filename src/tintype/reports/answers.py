"""The page of a search's answers: what was asked, and the pictures that answer it, the best first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tintype.reports.content import Bounds, Picture, Thumbnails
from tintype.reports.environment import assets, templates
from tintype.reports.page import write_page
from tintype.reports.shots import shot
from tintype.reports.thumbnails import collect


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A picture and how near it is to what was asked, 0 to 1."""

    picture: Picture
    score: float


@dataclass(frozen=True, kw_only=True)
class SearchContent:
    """What a page of answers shows."""

    title: str
    place: str  # name of the collection
    asked: Sequence[str]  # the rest of the question, a sentence each
    answers: Sequence[Answer]
    thumbnails: Thumbnails
    version: str = ""
    data_version: str = ""


def write_answers(destination: Path, content: SearchContent, bounds: Bounds | None = None) -> None:
    """Write the page; as `write_report`, it replaces nothing but pages of ours, and raises what that raises."""
    write_page(destination, render_answers(content, bounds))


def render_answers(content: SearchContent, bounds: Bounds | None = None) -> str:
    """The page. Equal content gives equal text; all names are escaped, and nothing is loaded from outside."""
    bounds = bounds or Bounds()
    shots = [shot(one.picture, score=one.score) for one in content.answers]
    album = collect((one.uri for one in shots), content.thumbnails, int(bounds.max_megabytes * 1_000_000))
    page = templates().get_template("answers.html")
    return page.render(content=content, shots=shots, album=album, bounds=bounds, **assets())
