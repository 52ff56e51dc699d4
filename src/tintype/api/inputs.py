"""What finders are handed: columns, neighbors, decisions, and a place to remember."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
from blake3 import blake3
from numpy.typing import NDArray

from tintype.api.deciding import apart
from tintype.core.errors import TintypeError, UsageError
from tintype.core.names import shown
from tintype.core.progress import Progress
from tintype.core.settings import Config
from tintype.core.version import VERSION
from tintype.engine.neighbors import neighbors_of
from tintype.finders.base import Finder, Inputs, StoreColumns
from tintype.index.base import Neighbors
from tintype.stages import registry as stages
from tintype.store.collection import Collection

DEFAULT_VECTORS = "descriptor"

Listener = Callable[[Progress], None]


class Telling:
    """Makes moments of what a finder tells."""

    def __init__(self, listener: Listener | None) -> None:
        self._listener = listener
        self._started = time.monotonic()

    def __call__(self, phase: str, done: int = 0, total: int = 0) -> None:
        if self._listener is not None:
            seconds = time.monotonic() - self._started
            self._listener(Progress(phase, done, total, {}, seconds, 0.0, None, {}, None))


@dataclass(frozen=True)
class CollectionMemory:
    """Tables beside the findings of a collection; one of somebody else's is neither read nor written."""

    collection: Collection

    def load(self, name: str) -> pa.Table | None:
        if not self.collection.is_trusted:
            return None
        try:
            rows, facts = self.collection.findings(name)
        except TintypeError:
            return None
        return rows.replace_schema_metadata(None) if facts.get("tintype") == VERSION else None

    def save(self, name: str, rows: pa.Table) -> None:
        if self.collection.is_trusted:
            with contextlib.suppress(OSError, TintypeError):
                self.collection.save_findings(name, rows, {"tintype": VERSION})


def require_vectors(collection: Collection, name: str) -> int:
    """The length of the vectors in a column. Raises UsageError where there are none."""
    if name not in collection.schema.names:
        raise UsageError(f"no column {shown(name)!r} in {collection.place}: it was never computed")
    kind = collection.schema.field(name).type
    if not pa.types.is_fixed_size_list(kind) or not pa.types.is_floating(kind.value_type):
        raise UsageError(f"column {shown(name)!r} holds no vectors but {kind}")
    return int(kind.list_size)


def inputs_of(
    collection: Collection,
    vectors: str,
    against: Collection | None = None,
    settings: Mapping[str, Any] = MappingProxyType({}),
    progress: Listener | None = None,
) -> Inputs:
    """What a finder may look at in a collection, and in a second one that it is compared with.

    `vectors` is the column by which images are neighbors, `settings` those of finders that this one builds on.
    """
    tell = Telling(progress)
    own = partial(neighbors_of, collection.layout, vectors, _state(vectors), version=collection.data_version)

    def neighbors(digest: pa.Array, vectors: NDArray[np.float16], k: int) -> Neighbors:
        tell("looking for the nearest of each image", total=len(digest))
        return own(digest, vectors, k)

    return Inputs(
        columns=StoreColumns(collection.store),
        against=None if against is None else StoreColumns(against.store),
        neighbors=neighbors,
        apart=apart(collection) | (frozenset() if against is None else apart(against)),
        memory=CollectionMemory(collection),
        settings=settings,
        tell=tell,
    )


def found(
    collection: Collection,
    finder: Finder,
    config: Config,
    against: Collection | None = None,
    progress: Listener | None = None,
) -> pa.Table:
    """The findings of the present data, from the collection where they are kept and still hold."""
    settings = config[finder.name]
    others = {name: config[name] for name in finder.builds_on}
    vectors = getattr(settings, "vectors", DEFAULT_VECTORS)
    for one in (collection, *([against] if against is not None else [])):
        if vectors != DEFAULT_VECTORS:  # that one may be missing: its stage may have been left out
            require_vectors(one, vectors)
    inputs = inputs_of(collection, vectors, against, others, progress)
    count = dataclasses.asdict(settings) | {name: dataclasses.asdict(one) for name, one in others.items()}
    facts = {
        "settings": json.dumps(count, sort_keys=True),
        "tintype": VERSION,
        "apart": _mark(inputs.apart),
    }
    kept = _kept(collection, finder, facts) if collection.is_trusted and against is None else None
    if kept is not None:
        return kept
    rows = _table(finder, list(finder.find(inputs, settings)))
    if collection.is_trusted and against is None:
        with contextlib.suppress(OSError, TintypeError):  # a full or read-only disk keeps nobody from looking
            collection.save_findings(finder.name, rows, {**_told(rows), **facts})
    return rows


def _table(finder: Finder, batches: Sequence[pa.RecordBatch]) -> pa.Table:
    """The batches as one table, with what the finder tells in the metadata of the first."""
    told = batches[0].schema.metadata if batches else None
    plain = (batch.replace_schema_metadata(None) for batch in batches)
    return pa.Table.from_batches(plain, finder.schema).replace_schema_metadata(told)


def _told(rows: pa.Table) -> dict[str, str]:
    return {key.decode(): value.decode() for key, value in (rows.schema.metadata or {}).items()}


def _state(column: str) -> str:
    """The model and settings that a column of vectors comes from, as far as they are known here."""
    for name in stages.names():
        stage = stages.stage(name)
        if any(one.name == column for one in stage.columns):
            return str(stages.fingerprint(stage, stage.settings()))
    return ""


def _mark(pairs: frozenset[tuple[bytes, bytes]]) -> str:
    return blake3(b"".join(a + b for a, b in sorted(pairs))).hexdigest(8)


def _kept(collection: Collection, finder: Finder, facts: Mapping[str, str]) -> pa.Table | None:
    try:
        rows, kept_facts = collection.findings(finder.name)
    except TintypeError:
        return None
    expected = {**facts, "made_from": str(collection.data_version)}
    if rows.schema.names != finder.schema.names or any(kept_facts.get(key) != expected[key] for key in expected):
        return None
    told = {key: value for key, value in kept_facts.items() if key not in expected}
    return rows.replace_schema_metadata(told or None)
