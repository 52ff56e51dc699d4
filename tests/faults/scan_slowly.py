"""Scans into a collection, or helps with that, in shards of five images that wait for a gate.

Arguments: collection, number of workers, and what to scan; without any it helps. The file that TINTYPE_TEST_GATE names
has to be there before a shard is worked on, one of that name and the shard's says that it was given out, and
TINTYPE_TEST_EACH_S are the seconds that it takes. What came of it is printed as JSON.
"""

import json
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tintype import api
from tintype.engine import committer, helping, planner, scan
from tintype.engine.messages import Handler, Task
from tintype.engine.scan_job import ScanJob
from tintype.engine.work import Clock, Watch

LEASE_S = 1.0
SHARD_IMAGES = 5


@dataclass(frozen=True)
class GatedJob(ScanJob):
    def begin(self) -> Handler:
        gate, each_s = Path(os.environ["TINTYPE_TEST_GATE"]), float(os.environ.get("TINTYPE_TEST_EACH_S", "0"))
        plain = super().begin()

        def work(task: Task, watch: Watch, clock: Clock) -> dict[str, object]:
            gate.with_name(f"{gate.name} {task.name}").touch()
            while not gate.exists():
                time.sleep(0.01)
            time.sleep(each_s)
            return plain(task, watch, clock)

        return work


if __name__ == "__main__":
    import scan_slowly  # workers find the job under its own name

    scan.ScanJob = helping.ScanJob = scan_slowly.GatedJob  # type: ignore[misc]  # in the place of the plain one
    scan.LEASE_S = LEASE_S
    planner.ROWS_PER_SHARD = planner._SMALLEST_SHARD = SHARD_IMAGES
    committer._FIRST_GROUP_ROWS, committer._GROUP_SHARE, committer._LOOK_EVERY_S = SHARD_IMAGES - 1, 0.0, 0.1
    collection, workers, *places = sys.argv[1:]
    if places:
        stages = os.environ["TINTYPE_TEST_STAGES"].split(",")
        scanned = api.scan(*places, collection=collection, stages=stages, workers=int(workers))
        assert scanned.last_scan is not None
        print(json.dumps(scanned.last_scan.to_json()))
    else:
        print(json.dumps(api.work(collection, workers=int(workers)).to_json()))
