"""Collections of made vectors, for tests of heads: a table without any image, and vectors with known answers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from blake3 import blake3

import tintype
from tintype.core.columns import ROW_COLUMNS, schema_of
from tintype.stages import registry
from tintype.stages.descriptor import STAGE
from tintype.store import trust
from tintype.store.lance import LanceStore
from tintype.store.layout import Layout, new_record, write_record

WIDTH = 256
STATE = registry.fingerprint(STAGE, STAGE.settings())


def collection_of(
    place: Path, vectors: np.ndarray, states: Sequence[int | None] | None = None, **columns: Any
) -> tintype.Collection:
    """Row i has the descriptor `vectors[i]` (null where it is NaN), digest and uri of its own, and these columns.

    Its owner is whoever `XDG_STATE_HOME` says.
    """
    schema = schema_of([*ROW_COLUMNS, *STAGE.columns[:1]]).append(pa.field("_stage_descriptor", pa.int32()))
    made = {name: pa.array(values) for name, values in columns.items()}
    for name, values in made.items():
        schema = schema.append(pa.field(name, values.type))
    layout = Layout(place)
    place.mkdir(parents=True)
    store = LanceStore.create(layout.images, schema)
    record = new_record(layout, [str(place.with_suffix(".source"))])
    trust.trust(layout, record)
    write_record(layout, record)
    append(store, vectors, states, **made)
    return tintype.Collection.open(place)


def append(
    store: LanceStore,
    vectors: np.ndarray,
    states: Sequence[int | None] | None = None,
    shard: str = "s",
    start: int = 0,
    **columns: Any,
) -> None:
    """Rows from the number `start` on, as one fragment."""
    count = len(vectors)
    halves = np.asarray(vectors, np.float16)
    rows = {
        "uri": pa.array([f"{start + row:07d}.jpg" for row in range(count)]),
        "digest": pa.array([digest(start + row) for row in range(count)], pa.binary(16)),
        "status": pa.array(["ok"] * count),
        "descriptor": pa.FixedSizeListArray.from_arrays(
            pa.array(halves.ravel()), WIDTH, mask=pa.array(np.isnan(halves[:, 0]))
        ),
        "_stage_descriptor": pa.array([STATE] * count if states is None else states, pa.int32()),
        "_shard": pa.array([shard] * count),
    }
    store.commit([store.writer().write(shard, pa.table(rows | columns))])


def digest(row: int) -> bytes:
    return blake3(row.to_bytes(8, "big")).digest(16)


def around(centers: np.ndarray, classes: np.ndarray, spread: float, seed: int = 0) -> np.ndarray:
    """(n, WIDTH) unit vectors around the center of each one's class."""
    noise = np.random.default_rng(seed).standard_normal((len(classes), WIDTH)) / np.sqrt(WIDTH)
    return unit(centers[classes] + spread * noise)


def directions(count: int, seed: int = 0) -> np.ndarray:
    return unit(np.random.default_rng(seed).standard_normal((count, WIDTH)))


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
