"""What a place is: whole files under names, in a folder or an object store, that several machines write to at once."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from tintype.core.names import shown

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")


class Place(Protocol):
    """Files by name. A name is a path such as `plan/00012.arrow`: parts of ASCII letters, digits, `.`, `_` and `-`.

    A file is there as a whole or not at all, at any moment and after any fault. Places are picklable: workers get a
    copy. All methods raise StorageFull where there is no space left, and OSError for what is wrong with the place
    itself; ValueError for a name of another form.
    """

    @property
    def url(self) -> str:
        """What a user would write: an absolute path, or an address."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Put a file, in the place of the one that may be there."""
        ...

    def create(self, name: str, content: bytes) -> bool:
        """Put a file only where there is none; False, and nothing is changed, where there is. Of several who try at
        once, one gets True."""
        ...

    def read(self, name: str) -> bytes:
        """A file's bytes. Raises FileNotFoundError."""
        ...

    def names(self, prefix: str = "") -> Iterator[str]:
        """Names of all files that begin so, in ascending order. Half-written files are not among them."""
        ...

    def delete(self, name: str) -> None:
        """Remove a file; nothing happens where there is none."""
        ...


@runtime_checkable
class Moves(Place, Protocol):
    """A place where a file can be given another name without its bytes being read."""

    def move(self, name: str, new_name: str) -> None:
        """In the place of the file that may be there. Raises FileNotFoundError.

        Where that is not one step, a fault in between leaves both, and doing it again is harmless.
        """
        ...


@runtime_checkable
class Sweeps(Place, Protocol):
    """A place where writers that died leave something."""

    def sweep(self, prefix: str) -> None:
        """Remove what was to become a file whose name begins so. A writer that is at it just now gets an OSError."""
        ...


def move(place: Place, name: str, new_name: str) -> None:
    """Give a file another name, by the cheapest means that the place has. Raises FileNotFoundError.

    Where that is not one step, a copy is made first: a fault in between leaves both, and doing it again is harmless.
    """
    if isinstance(place, Moves):
        place.move(name, new_name)
        return
    place.write(new_name, place.read(name))
    place.delete(name)


def checked_name(name: str) -> str:
    """The name itself. Raises ValueError for one that could lead out of its place or that not all places have."""
    if not all(_PART.fullmatch(part) for part in name.split("/")):
        raise ValueError(f"{shown(name)!r} is no name for a file of an output")
    return name
