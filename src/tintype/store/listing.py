"""The small file beside the table: what the last listing passed over, and which versions hold the same data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tintype.core.platform import write_atomically
from tintype.store.layout import Layout

_SAME_DATA = "same_data"  # [version of the table, version of the data]


def read_listing(layout: Layout) -> dict[str, Any]:
    """What is noted; empty where nothing is, or nothing that can be read."""
    try:
        listing = json.loads(layout.listing.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(listing, dict):
        return {}
    skipped, problems = listing.get("skipped"), listing.get("problems")
    counts = skipped.items() if isinstance(skipped, dict) else ()
    pairs = problems if isinstance(problems, list) else ()
    return {
        **listing,
        "skipped": {kind: count for kind, count in counts if isinstance(count, int)},
        "problems": [pair for pair in pairs if isinstance(pair, list) and len(pair) == 2],
    }


def write_listing(layout: Layout, skipped: Mapping[str, int], problems: Sequence[tuple[str, str]]) -> None:
    """Note what a listing passed over, by kind, and (uri, reason) of what it could not look into."""
    kept = {name: value for name, value in read_listing(layout).items() if name == _SAME_DATA}
    _write(layout, {"skipped": dict(skipped), "problems": list(problems), **kept})


def data_version(layout: Layout, version: int) -> int:
    """The first version of the table that held the data of this one."""
    note = read_listing(layout).get(_SAME_DATA)
    is_note = isinstance(note, list) and len(note) == 2 and all(isinstance(number, int) for number in note)
    return int(note[1]) if note and is_note and note[0] == version else version


def note_same_data(layout: Layout, version: int, data: int) -> None:
    """Note that a version of the table holds the data of an earlier one: only columns made of findings came."""
    _write(layout, {**read_listing(layout), _SAME_DATA: [version, data]})


def _write(layout: Layout, listing: Mapping[str, Any]) -> None:
    write_atomically(layout.listing, json.dumps(listing).encode())
