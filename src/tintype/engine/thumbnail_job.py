"""What a worker does with a shard of stored thumbnails: decode them, run a stage on them, write its values aside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from tintype.codec.limits import Limits
from tintype.codec.scale import scaled_size
from tintype.engine.committer import write_update
from tintype.engine.messages import Handler, Task
from tintype.engine.origins import model_of
from tintype.engine.rows import analyze, load_models
from tintype.engine.scan_job import counted, hosted_models
from tintype.engine.work import Clock, StageRun, Verdict, Watch, Work
from tintype.models.devices.hosted import Hosted
from tintype.models.preparing import enlarged
from tintype.sources.base import Item
from tintype.stages.base import SHARED_SIDE_PX, Model
from tintype.store.base import Writer

MOST_ENLARGED = 2.0
"""By how much more a thumbnail may be enlarged for a model than its image would be; then three of four pixels that the
model sees are made up. That leaves out panoramas (decisions/0046 has figures)."""


@dataclass(frozen=True)
class ThumbnailJob:
    """The same for a whole run. A task's payload are rows with `_rowid`, `position` in the version that the writer is
    at, `uri`, `width` and `height`, as an Arrow stream; its metadata names the `thumbnails` by their number."""

    writer: Writer
    runs: Mapping[int, StageRun]  # by the number of the thumbnails that the stage sees
    limits: Limits
    updates: Path

    @property
    def place(self) -> str:
        return str(self.updates.parent.parent)

    @property
    def hosted(self) -> tuple[Hosted, ...]:
        return hosted_models(self.runs.values())

    def begin(self) -> Handler:
        load_models(self.runs.values())
        return self._work

    def _work(self, task: Task, watch: Watch, clock: Clock) -> dict[str, Any]:
        entries = pa.ipc.open_stream(task.payload).read_next_batch()
        run = self.runs[int(entries.schema.metadata[b"thumbnails"])]
        with clock.measure("read"):
            stored = self.writer.take(entries["position"], ["thumbnail"])["thumbnail"]
        rows, failures = analyze(
            _items(entries, stored),
            entries.num_rows,
            work_of_one(run, self.limits),
            verdicts={**_too_small(entries, model_of(run)), **task.verdicts},
            alone=task.alone,
            watch=watch,
            clock=clock,
        )
        is_seen = pc.equal(rows["status"], "ok")
        lost = rows.filter(pc.invert(is_seen)).select(["uri", "reason"]).to_pylist()
        if lost:
            failures.setdefault(run.stage.name, []).extend((row["uri"], row["reason"]) for row in lost)
        # What cannot be seen is tried once, as what a stage fails on.
        states = pc.if_else(is_seen, rows[run.state_column], pa.scalar(-run.state, pa.int32()))
        values = [rows[column.name] for column in run.stage.columns]
        names = [column.name for column in run.stage.columns]
        made = pa.table([entries["_rowid"], *values, states], names=["_rowid", *names, run.state_column])
        with clock.measure("write"):
            write_update(self.updates, task.name, made)
        return {"rows": made.num_rows, "status": {}, "failures": counted(failures), "seconds": dict(clock.seconds)}


def work_of_one(run: StageRun, limits: Limits) -> Work:
    """Work that decides nothing about images: what became of these is known."""
    return Work((run,), limits, decode_state=0)


def _items(entries: pa.RecordBatch, stored: pa.ChunkedArray) -> Iterator[Item]:
    """Thumbnails under the uris of their images."""
    for uri, jpeg in zip(entries["uri"].to_pylist(), stored.to_pylist(), strict=True):
        status, reason = ("ok", None) if jpeg is not None else ("unreadable", "it has no thumbnail")
        yield Item(uri, jpeg, len(jpeg or b""), mtime_ns=0, inode=0, device=0, status=status, reason=reason)


def _too_small(entries: pa.RecordBatch, needs: Model) -> dict[int, Verdict]:
    """Images whose thumbnails have far too few pixels for a model, by their place."""
    found: dict[int, Verdict] = {}
    if needs.is_shared:  # the views that it takes are no larger than thumbnails
        return found
    wanted = needs.card.pixels
    for index, size in enumerate(zip(entries["width"].to_pylist(), entries["height"].to_pylist(), strict=True)):
        if not all(size):
            continue
        small = scaled_size(*size, SHARED_SIDE_PX)
        times = enlarged(small, wanted) / max(1.0, enlarged(size, wanted))
        if times > MOST_ENLARGED:
            reason = f"its thumbnail of {small[0]} × {small[1]} px would be enlarged {times:.1f} times for the model"
            found[index] = Verdict("rejected", reason)
    return found
