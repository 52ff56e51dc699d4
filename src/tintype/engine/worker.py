"""A worker: takes one shard after another from its standard input, and says what came of each.

Started as `python -m tintype.engine.worker`: never forked, and the caller's main module is never imported.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import pyarrow as pa

from tintype.codec.threads import use_one_thread
from tintype.core.errors import StorageFull
from tintype.core.platform import full_disk_is_said, sync_file
from tintype.engine.committer import update_file
from tintype.engine.known import KnownBytes
from tintype.engine.messages import LENGTH, Setup, Slot, Task
from tintype.engine.rows import analyze
from tintype.engine.work import DECODE_STATE, FACT_COLUMNS, Clock
from tintype.sources.base import ENTRIES, Item, Shard

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Serve until standard input ends, which it does when the parent is gone, however that happened."""
    upwards = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not end up between our frames
    downwards = sys.stdin.buffer
    use_one_thread()
    warnings.simplefilter("ignore")  # what a decoder warns of is no matter of the terminal's
    pa.set_cpu_count(1)
    pa.set_io_thread_count(1)
    setup = _receive(downwards)
    if setup is None:
        return
    worker = _Worker(setup)
    while (task := _receive(downwards)) is not None:
        _send(upwards, worker.work(task))


class _Worker:
    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.slot = Slot(setup.slot)
        self.known = None
        if setup.known is not None:
            columns = [*FACT_COLUMNS, *setup.work.stage_schema.names]
            self.known = KnownBytes(setup.known, setup.writer, columns)

    def work(self, task: Task) -> dict[str, Any]:
        """What came of a task, as JSON values. Only a fault that is nobody's image's ends up as "failed"."""
        clock = Clock()
        cpu_begin = time.process_time()
        try:
            with full_disk_is_said(str(self.setup.updates)):
                result = self._rows(task, clock) if task.kind == "rows" else self._update(task, clock)
        except StorageFull:
            return {"event": "full"}
        except Exception as error:  # noqa: BLE001  reported to the parent, which retries or gives up the shard
            self.slot.nowhere()
            lines = traceback.format_exception(error)
            return {
                "event": "failed",
                "reason": f"{type(error).__name__}: {error}"[:500],
                "trace": "".join(lines)[-4000:],
            }
        return {
            "event": "done",
            "result": result,
            "seconds": dict(clock.seconds),
            "cpu_seconds": time.process_time() - cpu_begin,
        }

    def _analyzed(self, task: Task, clock: Clock, known: KnownBytes | None) -> tuple[pa.Table, Any]:
        return analyze(
            self._items(task),
            task.entries.num_rows,
            self.setup.work,
            known=known,
            verdicts=task.verdicts,
            alone=task.alone,
            watch=self.slot,
            clock=clock,
        )

    def _items(self, task: Task) -> Iterator[Item]:
        """The shard's items in order; those that could not even be read twice are not tried again."""
        entries = pa.RecordBatch.from_arrays([task.entries[name] for name in ENTRIES.names], schema=ENTRIES)
        lost = {index for index, verdict in task.verdicts.items() if verdict.while_reading}
        kept = entries.filter(pa.array([index not in lost for index in range(len(entries))], pa.bool_()))
        readable = iter(self.setup.source.read(Shard(kept), self.setup.work.limits.bytes)) if len(kept) else iter(())
        for index, entry in enumerate(Shard(entries)):
            if index in lost:
                verdict = task.verdicts[index]
                yield Item(entry.uri, None, *entry[1:], status=verdict.status, reason=verdict.reason)
            else:
                yield next(readable)

    def _rows(self, task: Task, clock: Clock) -> dict[str, Any]:
        setup = self.setup
        rows, failures = self._analyzed(task, clock, self.known)
        with clock.measure("write"):
            rows = rows.append_column("_shard", pa.array([task.name] * rows.num_rows, pa.string()))
            written = setup.writer.write(task.name, rows)
        status = rows["status"].value_counts().to_pylist()
        return {
            "rows": written.rows,
            "payload": written.payload,
            "failures": _counted(failures),
            "status": {entry["values"]: entry["counts"] for entry in status},
        }

    def _update(self, task: Task, clock: Clock) -> dict[str, Any]:
        """New values for rows that are there. A failure is one too; only bytes that changed since the listing, or
        that cannot be read just now, are left for the next scan."""
        setup = self.setup
        rows, failures = self._analyzed(task, clock, None)
        rows = rows.append_column("_rowid", task.entries["_rowid"])
        same = [
            now == before and status != "unreadable"
            for now, before, status in zip(
                rows["digest"].to_pylist(), task.entries["digest"].to_pylist(), rows["status"].to_pylist(), strict=True
            )
        ]
        rows = rows.filter(pa.array(same, pa.bool_()))
        rows = rows.select(["_rowid", *FACT_COLUMNS, DECODE_STATE, *setup.work.stage_schema.names])
        place = setup.updates / update_file(task.name)
        with clock.measure("write"):
            with pa.OSFile(str(place), "wb") as sink, pa.ipc.new_file(sink, rows.schema) as file:
                file.write_table(rows)
            sync_file(place)
        return {"rows": rows.num_rows, "status": {}, "failures": _counted(failures)}


def _counted(failures: Mapping[str, Sequence[tuple[str, str]]]) -> dict[str, list[Any]]:
    """By stage, how many images it failed on, and the first of them with its reason."""
    return {name: [len(found), *found[0]] for name, found in failures.items()}


def _receive(stream: BinaryIO) -> Any:
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    body = stream.read(length)
    return pickle.loads(body) if len(body) == length else None  # noqa: S301  from our own parent, never from a file


def _send(stream: BinaryIO, message: dict[str, Any]) -> None:
    body = json.dumps(message).encode()
    stream.write(LENGTH.pack(len(body)) + body)
    stream.flush()


def _end_with_parent(parent: int) -> None:
    """End this process when its parent is gone, also in the middle of a shard: nobody would take the result."""
    if sys.platform == "linux":
        import ctypes

        # The system's own signal comes even while a decoder holds the interpreter's lock.
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_watch_parent, args=(parent,), daemon=True).start()


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


if __name__ == "__main__":
    _end_with_parent(int(sys.argv[1]))
    main()
