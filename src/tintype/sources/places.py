"""Where sources lie, as paths of this machine or as addresses in an object store."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterable

from tintype.core.errors import SourceError
from tintype.core.names import shown
from tintype.core.object_facts import is_url


def folder_of(place: str) -> str:
    """What a file lies in."""
    return place.rpartition("/")[0] if is_url(place) else os.path.dirname(place)


def name_of(place: str) -> str:
    """The last part of a file's place."""
    return place.rpartition("/")[2] if is_url(place) else os.path.basename(place)


def shared_by(folders: Iterable[str]) -> str:
    """The innermost folder that holds all of these. Raises SourceError where they have no root in common."""
    places = list(folders)
    schemes = {place.partition("://")[0] if is_url(place) else "" for place in places}
    if len(schemes) > 1:
        there = " and ".join(
            shown(place) for place in (places[0], next(p for p in places if not _are_alike(p, places[0])))
        )
        raise SourceError(f"{there} have no folder in common: give each a collection of its own")
    (scheme,) = schemes
    if not scheme:
        return os.path.commonpath(places)
    return f"{scheme}://{posixpath.commonpath([_inside(place) for place in places])}"


def below(folder: str, shared: str) -> str:
    """A folder's path below one that holds it: empty, or with a slash at its end."""
    relative = (
        posixpath.relpath(_inside(folder), _inside(shared) or ".")
        if is_url(folder)
        else os.path.relpath(folder, shared)
    )
    return "" if relative == "." else f"{relative}/"


def _are_alike(one: str, other: str) -> bool:
    return one.partition("://")[0] == other.partition("://")[0] if is_url(one) else not is_url(other)


def _inside(url: str) -> str:
    """Bucket and key."""
    return url.partition("://")[2].rstrip("/")
