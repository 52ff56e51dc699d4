"""A worker: takes one shard after another from its standard input, and says what came of each.

Started as `python -m tintype.engine.worker`: never forked, and the caller's main module is never imported.
"""

from __future__ import annotations

import json
import os
import pickle
import sys
import time
import traceback
import warnings
from typing import Any, BinaryIO

import pyarrow as pa

from tintype.codec.threads import use_one_thread
from tintype.core.errors import DeviceMemoryFull, MissingExtra, ModelError, StorageFull
from tintype.core.parents import end_with_parent
from tintype.core.platform import full_disk_is_said
from tintype.engine.messages import LENGTH, Handler, Setup, Slot, Task
from tintype.engine.work import Clock
from tintype.models.devices.client import reach_devices


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
        self.job = setup.job
        self.slot = Slot(setup.slot)
        reach_devices(setup.reach, self.slot.away)
        self.handle: Handler | None = None

    def work(self, task: Task) -> dict[str, Any]:
        """What came of a task, as JSON values. Only a fault that is nobody's image's ends up as "failed"."""
        clock = Clock()
        cpu_begin = time.process_time()
        try:
            with full_disk_is_said(self.job.place):
                if self.handle is None:
                    try:
                        self.handle = self.job.begin()
                    except DeviceMemoryFull:
                        raise
                    except (ModelError, MissingExtra) as error:  # no shard's fault: all would fail of it
                        return {"event": "refused", "reason": str(error)}
                result = self.handle(task, self.slot, clock)
        except StorageFull:
            return {"event": "full"}
        except DeviceMemoryFull as error:  # neither an image's fault nor a shard's
            return {"event": "refused", "reason": str(error), "is_of_memory": True}
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


if __name__ == "__main__":
    end_with_parent(int(sys.argv[1]))
    main()
