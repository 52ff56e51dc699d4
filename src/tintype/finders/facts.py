"""Facts that a finder tells beside its findings, such as how many images it saw: in the metadata of its batches."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa

FACTS = b"facts"
"""Under which key of the metadata they stand, as a JSON object."""


def telling(batches: Iterable[pa.RecordBatch], schema: pa.Schema, facts: Mapping[str, Any]) -> Iterator[pa.RecordBatch]:
    """The batches with these facts; one empty batch where there are none."""
    metadata = {FACTS: json.dumps(facts)}
    empty = True
    for batch in batches:
        empty = False
        yield batch.replace_schema_metadata(metadata)
    if empty:
        yield pa.RecordBatch.from_pylist([], schema).replace_schema_metadata(metadata)


def told(table: pa.Table) -> dict[str, Any]:
    """The facts that came with a table of findings; none where its metadata has none."""
    facts: dict[str, Any] = json.loads((table.schema.metadata or {}).get(FACTS, b"{}"))
    return facts
