"""Names of classes and tags, which come from files of other people's."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tintype.core.errors import ModelError
from tintype.core.names import shown

MOST_NAMES = 100_000
LONGEST_NAME = 200  # characters
_MAX_BYTES = 20_000_000


def checked_names(names: Iterable[str], place: str) -> tuple[str, ...]:
    """The names with each run of white space made one blank, none of them empty.

    Raises ModelError, which names `place`, for a name that is empty, too long or has characters that are not to be
    printed (a terminal would obey them), and for too many names.
    """
    made = []
    for number, name in enumerate(names, 1):
        plain = " ".join(name.split())
        if not plain or len(plain) > LONGEST_NAME or not plain.isprintable():
            words = f"{shown(plain[:60])!r} cannot be a name" if plain else "it is empty"
            raise ModelError(f"{place}: name {number:,}: {words} (1 to {LONGEST_NAME} printable characters)")
        if number > MOST_NAMES:
            raise ModelError(f"{place}: more than {MOST_NAMES:,} names")
        made.append(plain)
    return tuple(made)


def read_names(path: Path) -> tuple[str, ...]:
    """The names in a text file, a line each; blank lines at its end are passed over. Raises ModelError."""
    place = shown(str(path))
    lines = read_text(path, place).split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        raise ModelError(f"{place}: it has no names")
    return checked_names(lines, place)


def read_text(path: Path, place: str) -> str:
    """A file of UTF-8. Raises ModelError, which names `place`, for one that cannot be read, is none, or is too long."""
    try:
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
        if len(data) > _MAX_BYTES:
            raise ModelError(f"{place}: longer than {_MAX_BYTES:,} bytes")
        return data.decode("utf-8-sig")
    except OSError as error:
        raise ModelError(f"{place}: it cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise ModelError(f"{place}: it is not UTF-8") from error
