"""Bytes that the collection knew when a run was planned, so that no worker analyzes them again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tintype.store.base import Store, Writer


def write_known(
    store: Store, place: Path, fresh: Callable[[pa.RecordBatch], NDArray[np.bool_]], needs: Sequence[str]
) -> bool:
    """Write the digests of the store's fresh rows, sorted, with their positions; False where there are none.

    `fresh` tells from the columns `needs` which rows may be copied. The file takes 24 bytes a row.
    """
    parts = []
    position = 0
    for batch in store.batches(["digest", *needs]):
        use = np.asarray(batch["digest"].is_valid()) & fresh(batch)
        digests = np.frombuffer(b"".join(batch["digest"].filter(pa.array(use)).to_pylist()), ">u8").reshape(-1, 2)
        positions = (position + np.flatnonzero(use)).astype(np.uint64)
        parts.append(np.vstack([digests.T.astype(np.uint64), positions]))  # (3, rows)
        position += batch.num_rows
    entries = np.hstack(parts) if parts else np.empty((3, 0), np.uint64)
    if not entries.shape[1]:
        return False
    order = np.lexsort((entries[1], entries[0]))
    place.parent.mkdir(parents=True, exist_ok=True)
    np.save(place, entries[:, order], allow_pickle=False)
    return True


class KnownBytes:
    """Looks digests up in the file that `write_known` made; memory-mapped, shared by all workers."""

    def __init__(self, place: Path, writer: Writer, columns: Sequence[str]) -> None:
        # Each is contiguous, so that a search reads some pages of it and copies nothing.
        self._high, self._low, self._position = np.load(place, mmap_mode="r", allow_pickle=False)
        self._writer, self._columns = writer, columns

    def __call__(self, digests: Sequence[bytes]) -> tuple[list[int], pa.Table]:
        """Indices of the digests that are known, and their rows in that order."""
        found, positions = [], []
        for index, digest in enumerate(digests):
            high, low = np.frombuffer(digest, ">u8").astype(np.uint64)
            place = int(np.searchsorted(self._high, high))
            while place < len(self._high) and self._high[place] == high:
                if self._low[place] == low:
                    found.append(index)
                    positions.append(int(self._position[place]))
                    break
                place += 1
        return found, self._writer.take(pa.array(positions, pa.uint64()), self._columns) if found else pa.table({})
