"""What the workers of a scan do with a shard: analyze its images and write their rows, or new values for old rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from tintype.engine.committer import write_update
from tintype.engine.known import KnownBytes
from tintype.engine.messages import Handler, Task
from tintype.engine.reading import items
from tintype.engine.rows import analyze, is_on_chosen_engine, load_models
from tintype.engine.work import DECODE_STATE, FACT_COLUMNS, Clock, StageRun, Watch, Work
from tintype.models.devices.hosted import Hosted, hosted
from tintype.sources.base import Source
from tintype.stages.base import Model
from tintype.store.base import Writer


@dataclass(frozen=True)
class ScanJob:
    """The same for a whole run. A task's payload are rows with the columns of ENTRIES, for updates also `_rowid` and
    `digest`, as an Arrow stream."""

    source: Source
    writer: Writer
    work: Work
    known: Path | None  # of a KnownBytes
    updates: Path  # folder for new values of old rows

    @property
    def place(self) -> str:
        return str(self.updates.parent.parent)

    @property
    def hosted(self) -> tuple[Hosted, ...]:
        return hosted_models(self.work.stages)

    def begin(self) -> Handler:
        # A worker that lacks an engine refuses. The default ones are everywhere, and wait until an image needs them.
        load_models(run for run in self.work.stages if is_on_chosen_engine(run))
        return _Scanner(self).work


def hosted_models(runs: Iterable[StageRun]) -> tuple[Hosted, ...]:
    """Those of the models of some stages that run on a GPU."""
    needed = [run.stage.needs for run in runs]
    return hosted((needs.card, needs.backend) for needs in needed if isinstance(needs, Model))


class _Scanner:
    def __init__(self, job: ScanJob) -> None:
        self.job = job
        self.known = None
        if job.known is not None:
            self.known = KnownBytes(job.known, job.writer, [*FACT_COLUMNS, *job.work.stage_schema.names])

    def work(self, task: Task, watch: Watch, clock: Clock) -> dict[str, Any]:
        entries = pa.ipc.open_stream(task.payload).read_next_batch()
        make = self._rows if task.kind == "rows" else self._update
        return {**make(task, entries, watch, clock), "seconds": dict(clock.seconds)}

    def _rows(self, task: Task, entries: pa.RecordBatch, watch: Watch, clock: Clock) -> dict[str, Any]:
        rows, failures = self._analyzed(task, entries, watch, clock, self.known)
        with clock.measure("write"):
            rows = rows.append_column("_shard", pa.array([task.name] * rows.num_rows, pa.string()))
            written = self.job.writer.write(task.name, rows)
        status = rows["status"].value_counts().to_pylist()
        return {
            "rows": written.rows,
            "payload": written.payload,
            "failures": counted(failures),
            "status": {entry["values"]: entry["counts"] for entry in status},
        }

    def _update(self, task: Task, entries: pa.RecordBatch, watch: Watch, clock: Clock) -> dict[str, Any]:
        """New values for rows that are there. A failure is one too; only bytes that changed since the listing, or
        that cannot be read just now, are left for the next scan."""
        job = self.job
        rows, failures = self._analyzed(task, entries, watch, clock, None)
        rows = rows.append_column("_rowid", entries["_rowid"])
        same = [
            now == before and status != "unreadable"
            for now, before, status in zip(
                rows["digest"].to_pylist(), entries["digest"].to_pylist(), rows["status"].to_pylist(), strict=True
            )
        ]
        rows = rows.filter(pa.array(same, pa.bool_()))
        rows = rows.select(["_rowid", *FACT_COLUMNS, DECODE_STATE, *job.work.stage_schema.names])
        with clock.measure("write"):
            write_update(job.updates, task.name, rows)
        return {"rows": rows.num_rows, "status": {}, "failures": counted(failures)}

    def _analyzed(
        self, task: Task, entries: pa.RecordBatch, watch: Watch, clock: Clock, known: KnownBytes | None
    ) -> tuple[pa.Table, dict[str, list[tuple[str, str]]]]:
        return analyze(
            items(self.job.source, entries, task.verdicts, self.job.work.limits.bytes),
            entries.num_rows,
            self.job.work,
            known=known,
            verdicts=task.verdicts,
            alone=task.alone,
            watch=watch,
            clock=clock,
        )


def counted(failures: Mapping[str, Sequence[tuple[str, str]]]) -> dict[str, list[Any]]:
    """By stage, how many images it failed on, and the first of them with its reason."""
    return {name: [len(found), *found[0]] for name, found in failures.items()}
