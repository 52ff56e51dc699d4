"""Which images are like a given one: a row of the collection, a file, or a vector."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tintype.api.inputs import DEFAULT_VECTORS, require_vectors
from tintype.api.places import absolute
from tintype.codec.limits import Limits
from tintype.core.errors import SourceError, UsageError
from tintype.core.expressions import Compare, Or, Reference
from tintype.core.filters import parse
from tintype.core.names import shown
from tintype.engine.origins import states_of
from tintype.engine.rows import analyze
from tintype.engine.work import StageRun, Work
from tintype.finders.nearest import Nearest, nearest
from tintype.sources.base import Item
from tintype.stages import registry
from tintype.store.collection import Collection

EMBEDDED = "embed_"
"""How the columns of `tintype embed` begin; the name of their card follows."""

_URI = Reference("uri", pa.string())


def neighbors(
    collection: Collection,
    image: str | os.PathLike[str] | NDArray[np.floating[Any]],
    k: int = 10,
    where: str | None = None,
    vectors: str = DEFAULT_VECTORS,
) -> Nearest:
    """The k images that are most like one, nearest first, among those that pass the filter.

    `image` is the uri of a row, a path to a file from anywhere (a `pathlib.Path`, or a text that is no uri of the
    collection), or a vector (d,). `vectors` is the column that is compared; files can be compared by the built-in
    `descriptor` and by columns of `embed`, whose model must be at hand. Every row is compared. Raises UsageError,
    FilterError, ModelError, and SourceError for a file that is no image.
    """
    require_count(k)
    width = require_vectors(collection, vectors)
    expression = parse(where, collection.schema) if where else None
    digest, uri = None, None
    query: NDArray[Any]
    if isinstance(image, np.ndarray):
        if not np.issubdtype(image.dtype, np.floating) and not np.issubdtype(image.dtype, np.integer):
            raise UsageError(f"a vector of numbers is needed, not of {image.dtype}")
        query = image.astype(np.float64)
        if query.shape != (width,):
            raise UsageError(f"a vector of {width} numbers is needed to compare with {vectors}, not {query.shape}")
        if not np.isfinite(query).all() or not query.any():
            raise UsageError("a vector that is zero or not finite is like nothing")
    else:
        query, digest, uri = vector_of(collection, image, vectors)
    batches = collection.store.batches(["uri", "digest", vectors], where=expression)
    return nearest(batches, query, k, digest, uri)


def require_count(k: object) -> None:
    """Raise UsageError where k is no whole number of at least 1."""
    if not isinstance(k, int | np.integer) or isinstance(k, bool) or k < 1:
        raise UsageError(f"k must be a whole number of at least 1, not {k}")


def vector_of(
    collection: Collection, image: str | os.PathLike[str], vectors: str
) -> tuple[NDArray[np.float32], bytes | None, str | None]:
    """The vector of a row or of any file, and the digest and uri of the row. Raises UsageError, SourceError."""
    if isinstance(image, str) and (row := _row(collection, image, vectors)) is not None:
        return *row, image
    return _described(collection, Path(absolute(image)), vectors), None, None


def _row(collection: Collection, uri: str, vectors: str) -> tuple[NDArray[np.float32], bytes] | None:
    """Vector and digest of a row; None where the collection has no such uri."""
    where = Compare(_URI, "=", uri)
    for batch in collection.store.batches(["digest", "status", vectors], where=where):
        vector = batch[vectors][0]
        if not vector.is_valid:
            raise UsageError(f"{shown(uri)} has no {vectors}: its status is {batch['status'][0]}")
        return np.array(vector.as_py(), np.float32), batch["digest"][0].as_py()
    return None


def _described(collection: Collection, path: Path, vectors: str) -> NDArray[np.float32]:
    """The vector of a file, as a scan would compute it."""
    if vectors != DEFAULT_VECTORS and not vectors.startswith(EMBEDDED):
        raise UsageError(f"a file cannot be compared by {shown(vectors)!r}; name an image of the collection")
    item = _item(path, Limits())
    stage = registry.stage(vectors if vectors == DEFAULT_VECTORS else f"embed:{vectors.removeprefix(EMBEDDED)}")
    settings = stage.settings()
    run = StageRun(stage, settings, registry.fingerprint(stage, settings))
    state = Reference(run.state_column, pa.int32())
    are_these = Or(tuple(Compare(state, "=", number) for number in states_of(collection.schema, run)))
    if vectors != DEFAULT_VECTORS and not collection.store.count(are_these):
        raise UsageError(f"{vectors} was computed by another version of that model. Compute it again: tintype embed")
    rows, failures = analyze([item], 1, Work((run,), Limits(), decode_state=1))
    if rows["status"][0].as_py() != "ok":
        raise SourceError(f"{shown(str(path))}: {rows['status'][0]}: {rows['reason'][0]}")
    vector = rows[vectors][0].as_py()
    if vector is None:
        why = next((reason for found in failures.values() for _, reason in found), "the model gives no vector for it")
        raise SourceError(f"{shown(str(path))}: {why}")
    return np.array(vector, np.float32)


def _item(path: Path, limits: Limits) -> Item:
    try:
        if not path.is_file():
            raise SourceError(f"{shown(str(path))}: neither an image of the collection nor a file")
        with path.open("rb") as file:
            data = file.read(limits.bytes + 1)
    except OSError as error:
        raise SourceError(f"{shown(str(path))}: cannot be read ({error.strerror})") from error
    if len(data) > limits.bytes:
        raise SourceError(f"{shown(str(path))}: larger than {limits.bytes:,} bytes")
    return Item(path.name, data, len(data), mtime_ns=0, inode=0, device=0)
