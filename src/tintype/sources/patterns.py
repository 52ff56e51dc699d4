"""Globs and ranges in braces, and the names that they stand for."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from pathlib import Path

from tintype.core.errors import SourceError
from tintype.core.names import shown

MAX_FILES = 1_000_000

MAGIC = re.compile(r"[*?\[]")
"""What makes a glob of a name."""

_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"([0-9]{1,12})\.\.([0-9]{1,12})")


def files_of(place: str) -> list[Path]:
    """The files and folders that a place names. Raises SourceError where one is missing."""
    place = os.path.expanduser(place)
    if os.path.lexists(place):
        return [Path(place)]
    paths: list[Path] = []
    for pattern in expanded(place):
        found = [pattern] if os.path.lexists(pattern) else sorted(glob.glob(pattern, recursive=True))
        if not found:
            raise _missing(pattern)
        paths += map(Path, found)
        if len(paths) > MAX_FILES:
            raise SourceError(f"{shown(place)}: names more than {MAX_FILES:,} files")
    return list(dict.fromkeys(paths))


def expanded(place: str) -> Iterator[str]:
    """The names that braces stand for: `{a,b}`, or `{08..11}` with as many digits as its ends have."""
    found = _BRACES.search(place)
    if not found:
        yield place
        return
    for choice in _choices(place, found[1]):
        yield from expanded(place[: found.start()] + choice + place[found.end() :])


def first_magic(pattern: str) -> int:
    """Where a glob begins to be more than a name."""
    found = MAGIC.search(pattern)
    return found.start() if found else len(pattern)


def as_regular_expression(pattern: str) -> str:
    """A glob as it is for files: `*` and `?` stop at a slash, `**/` does not."""
    parts = re.split(r"(\*\*/|\*\*|\*|\?|\[!?\]?[^\]]*\])", pattern)
    words = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    written = []
    for part in parts:
        if part in words:
            written.append(words[part])
        elif part.startswith("[") and part.endswith("]") and len(part) > 2:
            inside = part[1:-1].replace("\\", "\\\\")
            written.append(f"[^{inside[1:]}]" if inside.startswith("!") else f"[{inside}]")
        else:
            written.append(re.escape(part))
    return "".join(written)


def _choices(place: str, inside: str) -> Iterator[str]:
    numbers = _RANGE.fullmatch(inside)
    if not numbers:
        yield from inside.split(",")
        return
    first, last = int(numbers[1]), int(numbers[2])
    if not 0 <= last - first < MAX_FILES:
        raise SourceError(f"{shown(place)}: {{{inside}}} goes down, or names more than {MAX_FILES:,} files")
    for number in range(first, last + 1):
        yield str(number).zfill(len(numbers[1]))


def _missing(place: str) -> SourceError:
    path = Path(os.path.abspath(place))
    parent = next((parent for parent in path.parents if parent.exists()), None)
    return SourceError(f"{shown(place)}: not there" + (f". What is there: {shown(str(parent))}" if parent else ""))
