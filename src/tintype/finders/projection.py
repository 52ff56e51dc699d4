"""A map of the collection: a place on a plane for each image, like ones close together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tintype.core.errors import ConfigError
from tintype.finders.base import Finder, Inputs, findings, require_numbers
from tintype.finders.embedding import embedded
from tintype.finders.exact_cosine import to_grid
from tintype.finders.subjects import read_subjects

PLACE = "place"

_BATCH_ROWS = 65_536
_REASON = "its place among the images like it"
_ROUNDS = 500
_FAR = 0.001  # share of the images on each side of the map that are moved to its edge
_FEW = 3  # images that need no graph
MAP_COLUMNS = ("map_x", "map_y")
_COLUMNS = (
    pa.field("map_x", pa.float32()),  # 0 to 1, to the right
    pa.field("map_y", pa.float32()),  # 0 to 1, downwards, of the same unit
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the map is made of (decisions/0022-outliers-clusters-map.md)."""

    vectors: str = "descriptor"  # column of vectors; likeness is their cosine
    neighbors: int = 10  # of each image, which are to lie close to it
    seed: int = 0  # another one gives another map

    def __post_init__(self) -> None:
        require_numbers("map", self)
        if not 1 <= self.neighbors <= 100:
            raise ConfigError(f"map.neighbors must be 1 to 100, not {self.neighbors}")
        if self.seed < 0:
            raise ConfigError(f"map.seed must be 0 or more, not {self.seed}")


@dataclass(frozen=True)
class Map:
    """Places as a table of FINDINGS with `map_x` and `map_y`, sorted by uri."""

    table: pa.Table

    def to_json(self) -> dict[str, Any]:
        """`schema` 1 and `points`: uri, x and y, 0 to 1."""
        columns = (self.table[name].to_pylist() for name in ("a_uri", "map_x", "map_y"))
        points = [{"uri": uri, "x": round(x, 4), "y": round(y, 4)} for uri, x, y in zip(*columns, strict=True)]
        return {"schema": 1, "points": points}


def needs(settings: Settings) -> tuple[str, ...]:
    """Columns that are read."""
    return ("digest", "uri", settings.vectors)


def find(inputs: Inputs, settings: Settings) -> Iterator[pa.RecordBatch]:
    """One row for each file whose image has a vector, sorted by uri; all files of one digest are at one place.

    See `embedding.embedded` for the method. The map fills the longer side of the unit square, with the other side in
    the middle; the one image in a thousand that is farthest out on each side stands at the edge.
    """
    subjects = read_subjects(inputs.columns, settings.vectors)
    if not len(subjects):
        return
    if len(subjects) < _FEW:
        places = np.zeros((2, len(subjects)))
        places[0] = np.arange(len(subjects))
    else:
        neighbors = inputs.neighbors(subjects.digest, subjects.vectors, settings.neighbors)
        tell = partial(inputs.tell, "laying out images, in rounds", total=_ROUNDS)
        places = embedded(to_grid(subjects.vectors), neighbors, _ROUNDS, settings.seed, tell).astype(np.float64)
    x, y = _fitted(places)
    place = pa.table({"digest": subjects.digest, "map_x": x, "map_y": y})
    yield from _batches(inputs, place)


def project(inputs: Inputs, settings: Settings | None = None) -> Map:
    """The map."""
    return Map(pa.Table.from_batches(find(inputs, settings or Settings()), FINDER.schema))


def _fitted(places: NDArray[np.float64]) -> NDArray[np.float32]:
    """Places (2, n) in the unit square, not stretched, rounded to 1 in 65,536."""
    low, high = np.quantile(places, [_FAR, 1 - _FAR], axis=1, method="nearest")
    side = max(float((high - low).max()), 1e-9)
    inside = np.clip((places - ((low + high) / 2)[:, None]) / side + 0.5, 0, 1)
    return np.asarray((np.rint(inside * 65_536) / 65_536).astype(np.float32))


def _batches(inputs: Inputs, place: pa.Table) -> Iterator[pa.RecordBatch]:
    files = pa.Table.from_batches(list(inputs.columns.batches(["digest", "uri"])), pa.schema(_FILES))
    placed = files.join(place, "digest", join_type="inner").sort_by([("uri", "ascending"), ("digest", "ascending")])
    for batch in placed.combine_chunks().to_batches(max_chunksize=_BATCH_ROWS):
        yield findings(
            a=batch["digest"],
            a_uri=batch["uri"],
            kind=PLACE,
            score=1.0,
            reason=_REASON,
            map_x=batch["map_x"],
            map_y=batch["map_y"],
        )


_FILES = [("digest", pa.binary(16)), ("uri", pa.string())]

FINDER = Finder("map", needs=needs, settings=Settings, find=find, columns=_COLUMNS)
