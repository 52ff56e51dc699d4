"""Collections that there are: opened, looked over, trusted. Nothing that scans is loaded for it."""

from __future__ import annotations

from pathlib import Path

from tintype.api.places import Place, existing
from tintype.core.checks import Check
from tintype.engine.checks import check_collection
from tintype.store import trust as trusted
from tintype.store.collection import Collection
from tintype.store.layout import Layout, read_record


def open(place: Place, collection: Place | None = None) -> Collection:
    """The collection of a scanned folder or file, or one named by its own place. Raises CollectionNotFound."""
    return Collection.open(existing(place, collection))


def check(place: Place, collection: Place | None = None) -> list[Check]:
    """What is right and wrong with a collection, part by part; nothing is changed. Raises CollectionNotFound."""
    return check_collection(Layout(existing(place, collection)))


def trust(place: Place) -> Path:
    """Say that a collection which came from elsewhere may be used like one's own; returns its folder."""
    layout = Layout(existing(place))
    trusted.trust(layout, read_record(layout))
    return layout.place
