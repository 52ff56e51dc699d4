"""Where the parts of a collection lie, and the file that says what it is."""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tintype.core.errors import CollectionDamaged, CollectionNotFound, CollectionTooNew
from tintype.core.object_facts import is_url
from tintype.core.platform import write_atomically

FORMAT = 1
FOLDER_NAME = ".tintype"
SUFFIX = ".tintype"
RECORD = "collection.json"


@dataclass(frozen=True)
class Layout:
    """The paths of a collection's parts; `place` is its folder."""

    place: Path

    @property
    def record(self) -> Path:
        return self.place / RECORD

    @property
    def images(self) -> Path:
        return self.place / "images.lance"

    @property
    def ledger(self) -> Path:
        return self.place / "ledger.sqlite"

    @property
    def lock(self) -> Path:
        return self.place / "lock"

    @property
    def cache(self) -> Path:
        return self.place / "cache"

    @property
    def updates(self) -> Path:
        """New values of old rows, on their way into the table."""
        return self.cache / "updates"

    @property
    def known(self) -> Path:
        """Digests that the scan at hand knew when it was planned."""
        return self.cache / "known.npy"

    @property
    def run(self) -> Path:
        """What the scan at hand is, for those that help it."""
        return self.cache / "run.json"

    @property
    def readers(self) -> Path:
        """Marks of the versions that are open somewhere."""
        return self.cache / "readers"

    @property
    def listing(self) -> Path:
        """What the last listing of the sources passed over, and why."""
        return self.place / "listing.json"

    @property
    def decisions(self) -> Path:
        """What a person decided: the one part that no scan can make again."""
        return self.place / "decisions.jsonl"

    @property
    def objects(self) -> Path:
        """The collection of the boxes in these images."""
        return self.place / "objects"

    @property
    def parts(self) -> tuple[Path, ...]:
        """Everything that a scan may make in the place."""
        ledger = [self.place / f"{self.ledger.name}{end}" for end in ("", "-wal", "-shm")]
        folders = (self.images, self.cache, self.objects, self.place / "findings", self.place / "index")
        return (self.record, *ledger, self.lock, self.listing, *folders)

    def is_part(self, path: Path) -> bool:
        """Whether something in the place is a part, or a file that was being written when its writer died."""
        return path in self.parts or path.name.startswith((f".{RECORD}.", f".{self.listing.name}."))

    def empty(self) -> None:
        """Remove what a first scan that was interrupted left; the lock stays, and so do objects and their decisions."""
        for path in self.place.iterdir():
            if path in (self.lock, self.objects) or not self.is_part(path):
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()

    def findings(self, name: str) -> Path:
        return self.place / "findings" / f"{name}.lance"

    def index(self, vectors: str) -> Path:
        """The folder of what makes a column of vectors quick to search."""
        return self.place / "index" / vectors


@dataclass(frozen=True)
class Record:
    """What `collection.json` says: the format, who this collection is, and what it was made of.

    `sources` are absolute paths, or relative to the collection's folder where they lie beside or above it,
    so that a collection that moves together with its folder still finds it.
    """

    id: str
    sources: tuple[str, ...]
    format: int = FORMAT

    def to_bytes(self) -> bytes:
        facts = {"format": self.format, "id": self.id, "sources": list(self.sources)}
        return (json.dumps(facts, indent=1) + "\n").encode()


def new_record(layout: Layout, sources: Sequence[str]) -> Record:
    """A record with a new id."""
    return Record(uuid.uuid4().hex, tuple(_as_stored(layout.place, source) for source in sources))


def write_record(layout: Layout, record: Record) -> None:
    write_atomically(layout.record, record.to_bytes())


def read_record(layout: Layout) -> Record:
    """Raises CollectionNotFound, CollectionTooNew or CollectionDamaged."""
    try:
        raw = layout.record.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise CollectionNotFound(str(layout.place)) from None
    except OSError as error:
        raise _damaged(layout, error.strerror or "cannot be read") from error
    try:
        facts = json.loads(raw)
        record = Record(str(facts["id"]), tuple(str(source) for source in facts["sources"]), int(facts["format"]))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _damaged(layout, "is not what a scan writes") from error
    if record.format > FORMAT:
        raise CollectionTooNew(str(layout.place), record.format, FORMAT)
    return record


def sources_of(layout: Layout, record: Record) -> tuple[str, ...]:
    """The sources as absolute paths."""
    return tuple(
        normal_place(source if is_url(source) else os.path.join(layout.place, source)) for source in record.sources
    )


def normal_place(place: str) -> str:
    """A source's place in the one form that it is compared in."""
    return place.rstrip("/") if is_url(place) else os.path.normpath(place)


def default_place(source: Path) -> Path:
    """Where the collection of one source lies if nobody says otherwise."""
    return source / FOLDER_NAME if source.is_dir() else source.with_name(source.name + SUFFIX)


def _as_stored(place: Path, source: str) -> str:
    beside = place.parent
    if Path(source) == beside or beside in Path(source).parents:
        return os.path.relpath(source, place)
    return source


def _damaged(layout: Layout, what: str) -> CollectionDamaged:
    return CollectionDamaged(
        str(layout.place),
        f"{RECORD} {what}",
        "Delete the collection and scan again; the images are not touched",
    )
