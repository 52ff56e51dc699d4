"""Where a collection lies: for sources that are scanned, and for a place that a user names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tintype.core.errors import CollectionNotFound, SourceError, UsageError
from tintype.core.object_facts import is_url
from tintype.sources.patterns import files_of
from tintype.store.layout import RECORD, default_place

Place = str | os.PathLike[str]


def absolute(place: Place) -> str:
    """The path from the root of the file system, `~` resolved, links left as they are; an address as it is."""
    text = os.fspath(place)
    if not text:
        raise UsageError("an empty path names nothing")
    if is_url(text):
        return text
    return os.path.abspath(os.path.expanduser(text))


def collection_place(places: Sequence[str], collection: Place | None) -> Path:
    """Where the collection of these sources lies or will lie. Raises UsageError where that must be said."""
    if collection is not None:
        return Path(absolute(collection))
    if len(places) > 1:
        raise UsageError("several sources need a place for their collection: --collection DIR")
    if is_url(places[0]):
        raise UsageError(f"{places[0]} needs a place on this machine for its collection: --collection DIR")
    first = Path(places[0])
    return default_place(first if first.exists() else files_of(places[0])[0])


def existing(place: Place, collection: Place | None = None) -> Path:
    """The folder of the collection that `place` is, or is the source of. Raises CollectionNotFound."""
    if collection is not None:
        return Path(absolute(collection))
    if is_url(os.fspath(place)):
        raise UsageError(f"the collection of {os.fspath(place)} lies on this machine: --collection DIR")
    path = Path(absolute(place))
    try:
        first = files_of(str(path))[0]
    except SourceError:  # a collection may outlive what it is of, or be where that is not mounted
        first = path
    for candidate in (path, default_place(first)):
        if (candidate / RECORD).is_file():
            return candidate
    raise CollectionNotFound(str(path))
