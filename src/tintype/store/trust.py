"""Which collections this user made or trusts; others are only read.

A collection that came with a downloaded folder could carry a configuration, a ledger or models that somebody
else wrote. So each collection has an id, and the ids of those that were made here lie in the user's state folder.
"""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

from tintype.core.errors import CollectionNotTrusted
from tintype.core.platform import write_atomically
from tintype.store.layout import Layout, Record


def trusted_folder() -> Path:
    """The folder with one small file for each trusted collection."""
    return Path(platformdirs.user_state_dir("tintype", appauthor=False)) / "collections"


def trust(layout: Layout, record: Record) -> None:
    """Remember that this user answers for the collection at its present place."""
    folder = trusted_folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_atomically(folder / _mark(record), f"{layout.place}\n".encode(errors="surrogateescape"), mode=0o600)


def is_trusted(layout: Layout, record: Record) -> bool:
    """Whether the user's state folder knows the id, and the collection belongs to the user."""
    return (trusted_folder() / _mark(record)).is_file() and _is_own(layout.record)


def require_trust(layout: Layout, record: Record, wanted: str) -> None:
    """Raises CollectionNotTrusted; `wanted` says what cannot be done, as in "be scanned again"."""
    if not is_trusted(layout, record):
        raise CollectionNotTrusted(str(layout.place), wanted)


def _mark(record: Record) -> str:
    # The id may be anything in a collection that somebody else wrote: only hex digits become a file's name.
    return record.id if len(record.id) == 32 and set(record.id) <= set("0123456789abcdef") else "nobody"


def _is_own(path: Path) -> bool:
    return os.name != "posix" or path.stat().st_uid == os.getuid()
