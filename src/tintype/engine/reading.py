"""The images of a shard as its source reads them, but for those that cannot even be read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyarrow as pa

from tintype.engine.work import Verdict
from tintype.sources.base import ENTRIES, Item, Shard, Source


def items(source: Source, rows: pa.RecordBatch, verdicts: Mapping[int, Verdict], max_bytes: int) -> Iterator[Item]:
    """The items of the rows (columns of ENTRIES, others may stand among them), in order; reading one of those that a
    verdict says it of is not tried again."""
    entries = pa.RecordBatch.from_arrays([rows[name] for name in ENTRIES.names], schema=ENTRIES)
    lost = {index for index, verdict in verdicts.items() if verdict.while_reading}
    kept = entries.filter(pa.array([index not in lost for index in range(len(entries))], pa.bool_()))
    readable = iter(source.read(Shard(kept), max_bytes)) if len(kept) else iter(())
    for index, entry in enumerate(Shard(entries)):
        if index in lost:
            verdict = verdicts[index]
            yield Item(entry.uri, None, *entry[1:], status=verdict.status, reason=verdict.reason)
        else:
            yield next(readable)
