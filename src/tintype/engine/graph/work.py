"""A question about neighbors as files that several processes can work on, and its parts as shards of a ledger."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from tintype.core.platform import sync_file, write_atomically
from tintype.engine.ledger.base import Lease
from tintype.engine.ledger.sqlite import SqliteLedger
from tintype.index.graph import Question
from tintype.index.parts import Parts, compare

LEASE_S = 300.0  # a part takes seconds; whoever starts anew takes back what the dead held
ATTEMPTS = 3
_KIND = "part"
_LEDGER = "ledger.sqlite"
_FACTS = "question.json"
_ARRAYS = ("vectors", "order", "starts", "centers", "is_query", "key", "at_least")
_FORMAT = 1


def name_of(question: Question) -> str:
    """A name for the work that a question makes: the same for the same vectors, whatever became of earlier tries."""
    parts = question.parts
    digest = blake3(f"{_FORMAT} {question.width} {parts.probes}".encode())
    for name in _ARRAYS:
        digest.update(np.ascontiguousarray(getattr(parts, name)).view(np.uint8).data)
    return digest.hexdigest(length=16)


def prepare(folder: Path, question: Question) -> Question:
    """Write what workers need; returns the question with its vectors mapped from the file.

    Parts that an earlier try in this folder finished stay finished, unless that try gave some up. The caller lets
    no other process in, so what was leased when that try died is given back. Raises OSError or StorageFull; and
    CollectionDamaged, ValueError or KeyError where what that try left is damaged.
    """
    facts = folder / _FACTS
    begun = facts.is_file()
    if not begun:
        for name in _ARRAYS:
            np.save(folder / f"{name}.npy", getattr(question.parts, name))
            sync_file(folder / f"{name}.npy")
        known = {"width": question.width, "probes": question.parts.probes, "recall": question.parts.recall}
        write_atomically(facts, json.dumps(known).encode())
    ranges = list(question.parts.ranges())
    with opened(folder) as ledger:
        counts = ledger.counts()
        if counts.get("abandoned") or sum(counts.values()) != len(ranges):
            ledger.begin()
            ledger.add(_KIND, (json.dumps(part).encode() for part in ranges))
    reclaim(folder)
    question = replace(question, parts=_loaded(folder)[0])
    if begun and name_of(question) != folder.name:
        raise ValueError("these are other vectors than those that the work was begun with")
    return question


def reclaim(folder: Path) -> None:
    """Give back every part that is not done: those who held them are gone."""
    # By a clock that is ahead, all leases have run out.
    with opened(folder, ahead_s=2 * LEASE_S) as ledger:
        leases: list[Lease] = []
        while (lease := ledger.lease("reclaim", LEASE_S)) is not None:
            leases.append(lease)
        for lease in leases:
            ledger.give_back(lease)


def work(folder: Path, owner: str) -> None:
    """Take one part after another until none is left."""
    parts, width = _loaded(folder)
    with opened(folder) as ledger:
        while (lease := ledger.lease(owner, LEASE_S)) is not None:
            start, stop = json.loads(lease.payload)
            try:
                result = _packed(*compare(parts, start, stop, width))
            except (OSError, MemoryError, ValueError) as error:
                ledger.fail(lease, f"{type(error).__name__}: {error}"[:500], ATTEMPTS)
            else:
                ledger.finish(lease, result)


def results(folder: Path, width: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]]:
    """Positions, keys and similarities of each finished part."""
    with opened(folder) as ledger:
        for done in ledger.done(_KIND, sum(ledger.counts().values())):
            yield _unpacked(done.result, width)


@contextlib.contextmanager
def opened(folder: Path, ahead_s: float = 0.0) -> Iterator[SqliteLedger]:
    """The ledger of the work, with a clock that is so many seconds ahead."""
    with contextlib.closing(SqliteLedger(folder / _LEDGER, lambda: time.time() + ahead_s)) as ledger:
        yield ledger


def _loaded(folder: Path) -> tuple[Parts, int]:
    facts = json.loads((folder / _FACTS).read_bytes())
    arrays = {name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in _ARRAYS[1:]}
    vectors = np.load(folder / f"{_ARRAYS[0]}.npy", mmap_mode="r", allow_pickle=False)
    return Parts(vectors, **arrays, probes=facts["probes"], recall=facts["recall"]), facts["width"]


def _packed(positions: NDArray[np.int64], keys: NDArray[np.int64], similarity: NDArray[np.float32]) -> bytes:
    return positions.astype("<i8").tobytes() + keys.astype("<i4").tobytes() + similarity.astype("<f4").tobytes()


def _unpacked(packed: bytes, width: int) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]]:
    count = len(packed) // (8 + 8 * width)
    cells = count * width
    positions = np.frombuffer(packed, "<i8", count)
    keys = np.frombuffer(packed, "<i4", cells, 8 * count).reshape(count, width)
    similarity = np.frombuffer(packed, "<f4", cells, 8 * count + 4 * cells).reshape(count, width)
    return positions, keys, similarity
