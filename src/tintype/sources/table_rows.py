"""What every kind of table is read as: rows with a number, an image and labels; and which column the images are in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from tintype.core.columns import Column
from tintype.core.errors import SourceError
from tintype.core.names import shown
from tintype.sources.base import Notes

IMAGE_NAMES = (
    *("image", "img", "picture", "photo", "jpg", "jpeg", "png", "webp", "image_bytes", "bytes"),
    *("image_path", "img_path", "filepath", "file_path", "path"),
    *("image_file", "file", "file_name", "filename", "image_name", "uri"),
)
"""Names of the column that holds the images, in the order they are looked for; case does not matter."""


class Row(NamedTuple):
    """A row of a table. `image` is the bytes, or the path as it is written, or None where there is neither."""

    number: int  # from 0
    offset: int | None  # where the row begins in a text file, in bytes
    image: bytes | str | None
    values: Mapping[str, Any]  # labels by the columns' own names


class Wanted(NamedTuple):
    """A row that is asked for."""

    number: int
    offset: int | None


@dataclass(frozen=True)
class Layout:
    """What was found out about a table before its rows are read."""

    image: str  # name of the column with the images
    labels: tuple[Column, ...]
    left_out: tuple[str, ...] = ()  # columns that are not kept as labels


class Table(Protocol):
    """A file with rows. All methods raise SourceError where it cannot be read as what its name says."""

    def layout(self) -> Layout: ...

    def listed(self, layout: Layout, notes: Notes) -> Iterator[Row]:
        """All rows that can be read, without labels; the others are noted."""
        ...

    def wanted(self, layout: Layout, rows: Sequence[Wanted]) -> Iterator[Row]:
        """These rows in ascending order, with labels typed as in the layout; rows that cannot be read are left out."""
        ...


def image_column(names: Iterable[str], place: str) -> str:
    """The first of IMAGE_NAMES that is there. Raises SourceError where none is."""
    by_name = {name.lower(): name for name in reversed(list(names))}
    for candidate in IMAGE_NAMES:
        if candidate in by_name:
            return by_name[candidate]
    raise no_images(place)


def no_images(place: str, why: str = "") -> SourceError:
    return SourceError(
        f"{shown(place)}: no column with images or their paths{why}. Its name has to be one of: "
        + ", ".join(IMAGE_NAMES)
    )
