"""Pieces of Markdown that the pages share."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence

MADE = "<!-- Made by `python -m tintype.cli.reference`; do not edit. -->"


def page(parts: Iterable[str]) -> str:
    """The parts as a page, a blank line between them."""
    return "\n\n".join((MADE, *parts)) + "\n"


def table(names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table with these names above its columns."""
    return "\n".join([_row(names), _row(["---"] * len(names)), *map(_row, rows)])


def first_line(kind: type) -> str:
    """The first line of a class's own words; a dataclass without any has its signature there, which says nothing."""
    words = inspect.cleandoc(kind.__doc__ or "").split("\n", 1)[0]
    return "" if words.startswith(f"{kind.__name__}(") else words


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
