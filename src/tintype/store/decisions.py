"""What a person decided about images: an append-only text file, keyed by what an image is, not by where it lies."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tintype.core.platform import full_disk_is_said, lock_waiting, open_own, sync_directory

NOT_DUPLICATE, UNDECIDED = "not-duplicate", "undecided"
VERDICTS = (NOT_DUPLICATE, UNDECIDED)

_MOST_BYTES = 1_000_000_000


@dataclass(frozen=True)
class Decision:
    """A verdict on a pair of images. `a` and `b` are digests, a < b; the uris say where they lay at that time."""

    verdict: str  # of VERDICTS; a later one on the same pair takes the place of an earlier one
    a: bytes
    b: bytes
    a_uri: str
    b_uri: str
    at: str  # UTC, ISO 8601

    def to_json(self) -> dict[str, str]:
        return {
            "verdict": self.verdict,
            "a": self.a.hex(),
            "b": self.b.hex(),
            "a_uri": self.a_uri,
            "b_uri": self.b_uri,
            "at": self.at,
        }


def decision(verdict: str, one: tuple[bytes, str], other: tuple[bytes, str]) -> Decision:
    """A decision of this moment on two images, each a digest and a uri."""
    (a, a_uri), (b, b_uri) = sorted((one, other))
    return Decision(verdict, a, b, a_uri, b_uri, datetime.now(UTC).isoformat(timespec="seconds"))


def append(file: Path, decisions: Iterable[Decision]) -> None:
    """Add decisions to the file in one write and put them safely on the disk. Raises StorageFull."""
    text = "".join(json.dumps(decision.to_json()) + "\n" for decision in decisions)
    if not text:
        return
    with full_disk_is_said(str(file)):
        is_new = not file.exists()
        handle = open_own(file)  # no link that somebody planted
        try:
            lock_waiting(handle)  # two may decide at the same time
            end = os.lseek(handle, 0, os.SEEK_END)
            if end and os.pread(handle, 1, end - 1) != b"\n":  # a power cut took the end of the last line
                text = "\n" + text
            data = text.encode()
            written = os.write(handle, data)
            if written != len(data):
                os.ftruncate(handle, end)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(handle)
        finally:
            os.close(handle)
        if is_new:
            sync_directory(file.parent)


def read(file: Path) -> tuple[list[Decision], int]:
    """The decisions in the order they were made, and how many lines could not be read."""
    found, lost = [], 0
    for line in _lines(file):
        parsed = _parsed(line)
        if parsed is None:
            lost += 1
        else:
            found.append(parsed)
    return found, lost


def standing(decisions: Iterable[Decision]) -> list[Decision]:
    """The last decision on each pair, without those that were taken back, in the order of their digests."""
    last = {(one.a, one.b): one for one in decisions}
    return [last[pair] for pair in sorted(last) if last[pair].verdict != UNDECIDED]


def _lines(file: Path) -> Iterator[bytes]:
    try:
        if file.stat().st_size > _MOST_BYTES:
            return
        data = file.read_bytes()
    except OSError:
        return
    yield from (line for line in data.split(b"\n") if line.strip())


def _parsed(line: bytes) -> Decision | None:
    try:
        facts: Any = json.loads(line)
        a, b = bytes.fromhex(facts["a"]), bytes.fromhex(facts["b"])
        texts = [str(facts[name]) for name in ("verdict", "a_uri", "b_uri", "at")]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if len(a) != 16 or len(b) != 16 or a >= b or texts[0] not in VERDICTS:
        return None
    return Decision(texts[0], a, b, *texts[1:])
