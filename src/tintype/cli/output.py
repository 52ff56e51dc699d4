"""What a command prints: one JSON document, or text in tables; data on stdout, words on stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import Any, TextIO

from tintype.core.errors import TintypeError
from tintype.core.names import shown

SCHEMA = 1
"""Version of the JSON documents; it grows when a key changes its meaning or goes."""


@dataclass(frozen=True)
class Table:
    """Rows of text beneath a title. A column whose name begins with `>` is aligned to the right."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Line:
    """One line of text."""

    text: str


@dataclass(frozen=True)
class Script:
    """Text for another program, printed as it is: never of names or other words from outside."""

    text: str


Block = Table | Line | Script


def show(document: Mapping[str, Any], blocks: Iterable[Block], *, as_json: bool) -> None:
    """Print the document, or else the same in words."""
    if as_json:
        write(json_text(document))
    elif is_terminal(sys.stdout):
        write(_drawn(blocks))
    else:
        write(_aligned(blocks))


def json_text(document: Mapping[str, Any]) -> str:
    """The document as ASCII, so that it survives any terminal, pipe and locale unchanged."""
    return json.dumps({"schema": SCHEMA, **document}, ensure_ascii=True, indent=2, allow_nan=False) + "\n"


def write(text: str) -> None:
    """Print to stdout as a whole. Raises BrokenPipeError where nobody reads it any more."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        put_aside()
        raise TintypeError(f"the output cannot be written: {error.strerror}") from error


def put_aside() -> None:
    """Let what is still buffered for stdout go nowhere: Python flushes it once more at its end, and complains."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(words: str) -> None:
    """Print a line to stderr. Words that nobody can read are no reason to stop."""
    try:
        if sys.stderr is not None:
            sys.stderr.write(words + "\n")
            sys.stderr.flush()
    except OSError:
        return


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person reads the stream, and may be drawn for."""
    try:
        return stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"
    except ValueError:  # closed
        return False


def has_color() -> bool:
    """Whether colors are wanted; see no-color.org."""
    return not os.environ.get("NO_COLOR")


def _aligned(blocks: Iterable[Block]) -> str:
    """Plain text: columns aligned by spaces, nothing cut."""
    parts = []
    for block in blocks:
        if isinstance(block, Line | Script):
            parts.append(shown(block.text) if isinstance(block, Line) else block.text.rstrip("\n"))
            continue
        cells = [[shown(cell) for cell in row] for row in block.rows]
        names = [name.removeprefix(">") for name in block.columns]
        widths = [max(len(row[i]) for row in [names, *cells]) for i in range(len(names))]
        is_right = [name.startswith(">") for name in block.columns]
        if parts:
            parts.append("")
        parts.append(shown(block.title))
        parts += [_row(row, widths, is_right) for row in ([names, *cells] if any(names) else cells)]
    return "\n".join(parts) + "\n"


def _row(cells: Sequence[str], widths: Sequence[int], is_right: Sequence[bool]) -> str:
    padded = (
        cell.rjust(width) if right else cell.ljust(width)
        for cell, width, right in zip(cells, widths, is_right, strict=True)
    )
    return "  " + "  ".join(padded).rstrip()


def _drawn(blocks: Iterable[Block]) -> str:
    """Text for a terminal of its width."""
    from rich.console import Console
    from rich.table import Table as Drawn
    from rich.text import Text

    target = StringIO()
    console = Console(file=target, force_terminal=True, no_color=not has_color(), highlight=False, emoji=False)
    for block in blocks:
        if isinstance(block, Script):
            target.write(block.text)
            continue
        if isinstance(block, Line):
            console.print(Text(shown(block.text)))
            continue
        has_names = any(name.removeprefix(">") for name in block.columns)
        drawn = Drawn(box=None, pad_edge=False, show_header=has_names, padding=(0, 3, 0, 0))
        for name in block.columns:
            justify = "right" if name.startswith(">") else "left"
            drawn.add_column(name.removeprefix(">"), justify=justify, overflow="fold", header_style="dim")  # type: ignore[arg-type]  # rich names its words
        for row in block.rows:
            drawn.add_row(*(Text(shown(cell)) for cell in row))
        console.print()
        console.print(Text(shown(block.title), style="bold"))
        console.print(drawn)
    return target.getvalue()
