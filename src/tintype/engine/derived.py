"""Columns that are made of findings, such as an image's place on the map, written into the table."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from tintype.core.expressions import IsNull, Not, Reference
from tintype.engine.scan import locked
from tintype.store.lance import LanceStore
from tintype.store.layout import Layout
from tintype.store.listing import data_version, note_same_data

_ALL_ROWS = Not(IsNull(Reference("uri", pa.string())))


def write_derived(layout: Layout, values: pa.Table) -> None:
    """Set columns of all rows by digest: `values` has a column `digest`, each once, and the columns to set.

    Rows of other digests get nulls. What findings were made of does not change by this, so they still hold.
    Raises CollectionLocked and StorageFull.
    """
    columns = pa.schema([field for field in values.schema if field.name != "digest"])
    schema = pa.schema([pa.field("_rowid", pa.uint64()), *columns])
    with locked(layout):
        store = LanceStore.open(layout.images)
        data = data_version(layout, store.version)
        store.add_columns(columns)
        for part in store.stale(_ALL_ROWS, ["digest"]):
            at = pc.index_in(part.rows["digest"], value_set=values["digest"].combine_chunks())
            rows = pa.table(
                [part.rows["_rowid"], *(values[name].take(at.combine_chunks()) for name in columns.names)],
                schema=schema,
            )
            store.update(part.fragment, rows.to_batches(), schema)
        note_same_data(layout, store.version, data)
