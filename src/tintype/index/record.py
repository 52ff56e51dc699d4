"""What an index says of itself, and how it is known that its files are those that were written."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from blake3 import blake3

from tintype.core.errors import CollectionDamaged, CollectionError, CollectionTooNew
from tintype.core.names import shown
from tintype.core.platform import FileLock, write_atomically
from tintype.core.version import VERSION
from tintype.index.choice import Design, Kind

FORMAT = 1
RECORD = "index.json"
LOCK = "lock"
MEND = "Build it again: tintype index build VECTORS"
_CHECKED = "checked.json"
_NAME = re.compile(r"[a-z][a-z0-9-]*(\.[a-z]+)*")
_HASH_BYTES = 16
_READ_BYTES = 1 << 22


@dataclass(frozen=True)
class FileFacts:
    """Size and BLAKE3-128 of a file of the index."""

    bytes: int
    blake3: str


@dataclass(frozen=True)
class Block:
    """Rows whose ids and vectors lie in files of one name."""

    name: str
    rows: int


@dataclass(frozen=True)
class Segment:
    """Rows that are looked through together: those of its blocks, in their order."""

    name: str
    kind: Kind
    blocks: tuple[Block, ...]

    @property
    def rows(self) -> int:
        return sum(block.rows for block in self.blocks)


@dataclass(frozen=True)
class Effort:
    """How hard a search tries: lists or nodes that are looked into, and candidates that are compared again for each
    neighbor that is asked for."""

    probes: int = 1
    candidates: int = 1


@dataclass(frozen=True)
class Measured:
    """What a search finds of the true `k` nearest others of sampled vectors, and how long one takes in one thread."""

    recall: float
    k: int
    sample: int
    median_ms: float
    slowest_ms: float  # of 95 in 100


@dataclass(frozen=True)
class Skipped:
    """Rows that are not in the index, and why not."""

    missing: int = 0
    not_finite: int = 0
    zero: int = 0
    without_id: int = 0
    duplicate: int = 0  # of an id that stands before

    def __add__(self, other: Skipped) -> Skipped:
        pairs = zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)
        return Skipped(*(mine + theirs for mine, theirs in pairs))

    @property
    def total(self) -> int:
        return sum(dataclasses.astuple(self))


@dataclass(frozen=True)
class Origin:
    """The vectors that an index was built from."""

    place: str
    column: str | None
    model: str | None  # the card that made them, where that is known
    stamp: str
    rows: int


@dataclass(frozen=True)
class Record:
    """The content of `index.json`."""

    dimensions: int
    design: Design
    memory_bytes: int
    recall: float  # that was asked for
    origin: Origin
    segments: tuple[Segment, ...]
    trained: str  # names of files; empty where there is none
    truth: str
    removed: str
    removed_rows: int
    skipped: Skipped
    effort: Effort
    measured: Measured
    build_seconds: float
    serial: int  # grows with every change, and names new files
    files: Mapping[str, FileFacts] = field(default_factory=dict)
    format: int = FORMAT
    version: str = VERSION

    @property
    def rows(self) -> int:
        """All rows, the removed ones included."""
        return sum(segment.rows for segment in self.segments)

    @property
    def is_reached(self) -> bool:
        """Whether what is found is as much as was asked for."""
        return self.measured.recall >= self.recall


def is_index(place: Path) -> bool:
    return (place / RECORD).is_file()


def write_record(place: Path, record: Record) -> None:
    """Put the record in place: from then on the index is what it says. Raises StorageFull or OSError."""
    content = dataclasses.asdict(record)
    hashed = {"index": content, "blake3": _hash_of(content)}
    write_atomically(place / RECORD, (json.dumps(hashed, indent=1) + "\n").encode())


def read_record(place: Path) -> Record:
    """Raises CollectionError where there is no index, CollectionTooNew and CollectionDamaged."""
    from pydantic import TypeAdapter  # slow to load

    try:
        told = json.loads((place / RECORD).read_bytes())
        content = told["index"]
        if int(content["format"]) > FORMAT:
            raise CollectionTooNew(str(place), int(content["format"]), FORMAT)
        if told["blake3"] != _hash_of(content):
            raise ValueError("it was changed by hand or damaged")
        record: Record = TypeAdapter(Record).validate_python(content)
    except (FileNotFoundError, NotADirectoryError):
        raise CollectionError(f"{shown(str(place))}: no index here. Make one: tintype index build VECTORS") from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CollectionDamaged(shown(str(place)), f"{RECORD} is not what a build writes", MEND) from error
    blocks = [block for segment in record.segments for block in segment.blocks]
    names = [*record.files, *(segment.name for segment in record.segments), *(block.name for block in blocks)]
    if not all(_NAME.fullmatch(name) for name in names) or any(block.rows < 0 for block in blocks):
        raise CollectionDamaged(shown(str(place)), f"{RECORD} names files that are none of an index", MEND)
    return record


def facts_of(path: Path) -> FileFacts:
    """Read a file for its size and hash. Raises OSError."""
    known, size = blake3(), 0
    with path.open("rb") as file:
        while part := file.read(_READ_BYTES):
            known.update(part)
            size += len(part)
    return FileFacts(size, known.hexdigest(_HASH_BYTES))


def check_files(place: Path, record: Record, *, all_anew: bool = False) -> None:
    """Raises CollectionDamaged where a file is another than was written.

    A file is read when it is first seen, and again when its size, time or inode is another than then, or with
    `all_anew`: what was seen is noted beside the index, where that can be written.
    """
    seen = {} if all_anew else _seen(place)
    found: dict[str, list[Any]] = {}
    for name, facts in record.files.items():
        path = place / name
        try:
            status = path.lstat()
            stamp = _stamp(facts, status)
            is_same = status.st_size == facts.bytes and (seen.get(name) == stamp or facts_of(path) == facts)
        except OSError as error:
            raise CollectionDamaged(shown(str(path)), error.strerror or "cannot be read", MEND) from error
        if not is_same:
            raise CollectionDamaged(shown(str(path)), "this part of the index is cut or damaged", MEND)
        found[name] = stamp
    if found != seen and os.access(place, os.W_OK):
        write_atomically(place / _CHECKED, json.dumps(found).encode())


def note_files(place: Path, record: Record) -> None:
    """Note that the files are those that were written: who wrote them has just read them for their hashes."""
    noted = {name: _stamp(facts, (place / name).lstat()) for name, facts in record.files.items()}
    write_atomically(place / _CHECKED, json.dumps(noted).encode())


def remove_others(place: Path, record: Record) -> None:
    """Remove files that the record does not name: what an interrupted change left, or an earlier state."""
    for path in place.iterdir():
        is_ours = _NAME.fullmatch(path.name.lstrip(".")) and path.suffix in (".npy", ".npz", ".arrow")
        if is_ours and path.name not in record.files:
            with contextlib.suppress(PermissionError):  # where a file that somebody has open cannot be removed
                path.unlink()


def changing(place: Path) -> FileLock:
    """The lock of whoever changes an index."""
    return FileLock(place / LOCK)


def _stamp(facts: FileFacts, status: os.stat_result) -> list[Any]:
    return [facts.blake3, status.st_size, status.st_mtime_ns, status.st_ino]


def _seen(place: Path) -> dict[str, Any]:
    try:
        seen = json.loads((place / _CHECKED).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return seen if isinstance(seen, dict) else {}


def _hash_of(content: Any) -> str:
    return blake3(json.dumps(content, sort_keys=True).encode()).hexdigest(_HASH_BYTES)
