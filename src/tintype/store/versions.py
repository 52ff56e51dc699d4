"""Which versions of a table are open somewhere, so that clean-up leaves them alone.

A reader holds the operating system's shared lock on a small file that is named for the version; whoever cleans up
tries for the exclusive one. A lock goes with its process, however that ends.
"""

from __future__ import annotations

import contextlib
import os
import sys
import weakref
from pathlib import Path

from tintype.core.platform import open_own

if sys.platform != "win32":
    import fcntl


def hold(reader: object, folder: Path, version: int) -> None:
    """Note that `reader` has a version open for as long as it lives; where the place is read-only, nothing is noted."""
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        handle = open_own(folder / f"{version}")
        weakref.finalize(reader, os.close, handle)
        if sys.platform != "win32":
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)


def held(folder: Path) -> set[int]:
    """The versions that somebody holds; the marks of others are removed."""
    versions = set()
    with contextlib.suppress(FileNotFoundError):
        for mark in folder.iterdir():
            if mark.name.isdecimal() and _is_held(mark):
                versions.add(int(mark.name))
    return versions


def _is_held(mark: Path) -> bool:
    if sys.platform == "win32":
        try:
            mark.unlink()  # refused while it is open
        except OSError:
            return True
        return False
    with mark.open("r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        mark.unlink(missing_ok=True)
        return False
