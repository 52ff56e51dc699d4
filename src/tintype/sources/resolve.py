"""From what a user names to sources: a folder, a tar, a table, a glob or a range of them."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator
from pathlib import Path

from tintype.codec.sniff import IMAGE_EXTENSIONS
from tintype.core.errors import SourceError
from tintype.core.names import shown
from tintype.sources.base import Source
from tintype.sources.folder import FolderSource
from tintype.sources.table import TABLE_EXTENSIONS, TableSource
from tintype.sources.tar import TarSource

MAX_FILES = 1_000_000

_BRACES = re.compile(r"\{([^{}]*)\}")
_RANGE = re.compile(r"([0-9]{1,12})\.\.([0-9]{1,12})")
_TAR = re.compile(r"\.(tar|tgz|tar\.[a-z0-9]+)$", re.IGNORECASE)

_HINTS = {
    ".zip": "unpack it, or make it a tar",
    ".json": "a table has one JSON object a line and is named .jsonl",
    ".xlsx": "save it as CSV",
    ".xls": "save it as CSV",
    ".feather": "save it as Parquet",
    ".arrow": "save it as Parquet",
}


def resolve(place: str, *, ignore: tuple[str, ...] = (), hidden: bool = False) -> list[Source]:
    """The sources that a place names, in the order of their names; `ignore` and `hidden` are for folders.

    A place is a folder, a tar (also gzipped), a table (Parquet, CSV, TSV, JSONL), or several of these as a glob
    (`shards/*.tar`) or a range (`shards/{00000..00099}.tar`, `{train,val}.csv`). Raises SourceError with what to
    try where it names none of these.
    """
    return [_source(path, tuple(ignore), hidden) for path in files_of(place)]


def files_of(place: str) -> list[Path]:
    """The files and folders that a place names. Raises SourceError where one is missing."""
    place = os.path.expanduser(place)
    if os.path.lexists(place):
        return [Path(place)]
    paths: list[Path] = []
    for pattern in _expanded(place):
        found = [pattern] if os.path.lexists(pattern) else sorted(glob.glob(pattern, recursive=True))
        if not found:
            raise _missing(pattern)
        paths += map(Path, found)
        if len(paths) > MAX_FILES:
            raise SourceError(f"{shown(place)}: names more than {MAX_FILES:,} files")
    return list(dict.fromkeys(paths))


def _source(path: Path, ignore: tuple[str, ...], hidden: bool) -> Source:
    if path.is_dir():
        return FolderSource(path, ignore, hidden)
    if not path.exists():
        raise SourceError(f"{shown(str(path))}: a link that leads nowhere")
    if _TAR.search(path.name):
        return TarSource(path)
    suffix = path.suffix.lower()
    if suffix in TABLE_EXTENSIONS:
        return TableSource(path)
    hint = _HINTS.get(suffix, f"it has to be a folder, a .tar, or a table ({', '.join(TABLE_EXTENSIONS)})")
    if suffix in IMAGE_EXTENSIONS:
        hint = f"an image itself; name its folder: {shown(str(path.parent))}"
    raise SourceError(f"{shown(str(path))}: nothing that images can be read from: {hint}")


def _expanded(place: str) -> Iterator[str]:
    """The names that braces stand for: `{a,b}`, or `{08..11}` with as many digits as its ends have."""
    found = _BRACES.search(place)
    if not found:
        yield place
        return
    for choice in _choices(place, found[1]):
        yield from _expanded(place[: found.start()] + choice + place[found.end() :])


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
