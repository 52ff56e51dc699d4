"""Annotations that are a small file for each image, below one folder."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from tintype.core.errors import ImageError, SourceError
from tintype.core.names import shown, uri_from_path
from tintype.sources.base import Notes
from tintype.sources.beneath import Beneath, open_file, reason_of

MAX_BYTES = 16_000_000
"""Of one file."""


def label_files(root: Path, extension: str, notes: Notes) -> list[str]:
    """Paths below the root, in the order of their bytes; links to folders and hidden names are left alone."""
    paths = []
    for folder, folders, files in os.walk(root, onerror=lambda error: _unseen(error, notes)):
        folders[:] = [name for name in folders if not name.startswith(".") and not name.endswith(".tintype")]
        inside = os.path.relpath(folder, root)
        paths += [
            os.path.normpath(os.path.join(inside, name))
            for name in files
            if name.lower().endswith(extension) and not name.startswith(".")
        ]
    return sorted(paths, key=os.fsencode)


def contents(root: Path, paths: Iterable[str], notes: Notes) -> Iterator[tuple[str, bytes]]:
    """Uri and bytes of each file; no link is followed, and what cannot be read is refused. Raises SourceError where
    the root is no folder."""
    try:
        with Beneath(root) as beneath:
            for path in paths:
                raw = os.fsencode(path)
                try:
                    yield uri_from_path(raw), _bytes_of(beneath, raw)
                except ImageError as error:
                    notes.refuse(uri_from_path(raw), error.reason)
    except OSError as error:
        raise SourceError(f"{shown(str(root))}: cannot be read as a folder: {reason_of(error)}") from error


def _unseen(error: OSError, notes: Notes) -> None:
    notes.refuse(uri_from_path(os.fsencode(str(error.filename))), f"the folder cannot be listed: {reason_of(error)}")


def _bytes_of(beneath: Beneath, path: bytes) -> bytes:
    handle = open_file(beneath, path)
    with os.fdopen(handle, "rb") as file:
        if os.fstat(handle).st_size > MAX_BYTES:
            raise ImageError("rejected", f"larger than {MAX_BYTES:,} bytes")
        return file.read(MAX_BYTES)
