"""What an output holds of each image, and what a format is."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import pyarrow as pa

from tintype.core.columns import DIGEST, STATUSES
from tintype.core.errors import UsageError
from tintype.core.names import shown
from tintype.store.places.base import Place

NO_VECTOR = "no_vector"
"""Status of an image that the model was given and made no vector of: one with NaN, or without a length."""

OUTPUT_STATUSES = (*STATUSES, NO_VECTOR)

FORMATS = {
    "parquet": "tintype.store.outputs.parquet:Parquet",
    "npz": "tintype.store.outputs.npz:Npz",
    "clip-retrieval": "tintype.store.outputs.clip_retrieval:ClipRetrieval",
    "lance": "tintype.store.outputs.lance:Lance",
}
"""Each imported on first use: of all of them, only "lance" needs Lance."""


def rows_schema(dimension: int, labels: Sequence[pa.Field] = ()) -> pa.Schema:
    """Columns of an output's rows, a row an image, in the order in which the sources list them.

    `id` is the image's uri. `embedding` is of unit length, and null where `status` is not "ok"; `reason` says why, in
    one line. `digest` is BLAKE3-128 of the bytes that were read. Labels follow as the sources have them.
    """
    return pa.schema(
        [
            pa.field("id", pa.string(), nullable=False),
            pa.field("embedding", pa.list_(pa.float16(), dimension)),
            pa.field("status", pa.string(), nullable=False),
            pa.field("reason", pa.string()),
            pa.field("digest", DIGEST),
            *labels,
        ]
    )


@dataclass(frozen=True)
class Part:
    """Where a shard stands among all of them."""

    number: int  # from 0
    count: int  # of all shards
    rows: int

    def padded(self, least: int) -> str:
        """The number with as many digits as the count has, so that names sort as numbers do."""
        return str(self.number).zfill(max(least, len(str(self.count))))


class Format(Protocol):
    """How a shard's rows become files. Equal rows give equal bytes."""

    def names(self, part: Part) -> tuple[str, ...]:
        """The files of a shard."""
        ...

    def encode(self, rows: pa.Table, part: Part) -> tuple[bytes, ...]:
        """Their contents, in that order; `rows` has the columns of `rows_schema`."""
        ...

    def decode(self, contents: Sequence[bytes]) -> pa.Table:
        """The columns `id`, `embedding`, `status` and `reason` of all rows, those with a vector in their order.

        Raises ValueError for contents that are not what `encode` makes. Nothing is unpickled.
        """
        ...


@runtime_checkable
class Gathers(Format, Protocol):
    """A format whose files become one whole at the end."""

    def gather(self, place: Place, parts: Sequence[tuple[Part, int]], schema: pa.Schema) -> None:
        """All files are there, of so many bytes each, with the columns of `schema`. Doing it again changes nothing."""
        ...

    @property
    def gathered(self) -> str:
        """What the names of files that `gather` makes begin with."""
        ...


def format_of(name: str) -> Format:
    """The format of that name. Raises UsageError where there is none, or what it needs is not installed."""
    if name not in FORMATS:
        raise UsageError(f"no format {shown(name)!r}; there are {', '.join(FORMATS)}")
    module, _, attribute = FORMATS[name].partition(":")
    try:
        made: Format = getattr(importlib.import_module(module), attribute)()
    except ImportError as error:  # vectors are also made where only the other formats' libraries are
        raise UsageError(f"the format {name} needs {attribute}: pip install pylance") from error
    return made
