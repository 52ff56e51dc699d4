"""From what a user names to a place."""

from __future__ import annotations

import os
from pathlib import Path

from tintype.core.errors import UsageError
from tintype.core.names import shown
from tintype.core.object_facts import PATIENT, Budget, is_url
from tintype.store.places.base import Place
from tintype.store.places.local import LocalPlace


def open_place(name: str, transfer: Budget = PATIENT) -> Place:
    """The folder of a path, or the prefix of an address, whose requests are tried again within `transfer`.

    Raises UsageError for a path that is no folder's.
    """
    if is_url(name):
        from tintype.store.places.objects import ObjectPlace  # its library is slow to load

        return ObjectPlace(name, transfer)
    path = Path(os.path.abspath(os.path.expanduser(name)))
    if path.exists() and not path.is_dir():
        raise UsageError(f"{shown(str(path))} is a file. Name a folder")
    return LocalPlace(path)
