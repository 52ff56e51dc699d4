"""Collections of vectors for the tests of finders that go by likeness."""

import numpy as np
import pyarrow as pa
from blake3 import blake3

from tintype.core.columns import DIGEST
from tintype.finders.base import Inputs
from tintype.testing.finders import TableColumns

WIDTH = 32


def digests(count):
    return pa.array([blake3(row.to_bytes(8, "big")).digest(16) for row in range(count)], DIGEST)


def with_vectors(vectors, **columns):
    """A table of images with these vectors, named by their row; other columns replace or join those."""
    vectors = np.asarray(vectors, np.float16)
    names = {
        "uri": [f"{row:05d}.jpg" for row in range(len(vectors))],
        "digest": digests(len(vectors)),
        "descriptor": pa.FixedSizeListArray.from_arrays(vectors.ravel(), vectors.shape[1]),
    }
    return pa.table(names | columns)


def inputs(table, batch_rows=1_000):
    return Inputs(TableColumns(table, batch_rows))


def around(centers, size, spread=0.4, seed=0):
    """(centers * size, d) unit vectors: so many around each center, center by center."""
    random = np.random.default_rng(seed)
    noise = random.standard_normal((len(centers) * size, centers.shape[1])) / np.sqrt(centers.shape[1])
    return unit(np.repeat(unit(centers), size, axis=0) + spread * noise)


def directions(count, seed=0, width=WIDTH):
    return unit(np.random.default_rng(seed).standard_normal((count, width)))


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
