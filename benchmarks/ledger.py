"""The SQLite ledger with 100,000 shards and 16 processes that lease and finish them, then commit them.

All processes wait for a signal, so that starting Python is no part of the figures. A payload is 1,000 bytes of noise, a
result 300; a shard of very many images has a payload that names where they are listed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure
from benchmarks.options import Options, report
from tintype.engine.ledger.sqlite import SqliteLedger

SHARDS, PROCESSES = 100_000, 16
PAYLOAD_BYTES, RESULT_BYTES = 1_000, 300
RATE_BOUND = 5_000.0  # shards leased and finished a second
DISK_BOUND_MB = 200.0
_AT_ONCE = 10_000

DRAIN = """
import sys, time
from pathlib import Path
from tintype.engine.ledger.sqlite import SqliteLedger
ledger = SqliteLedger(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
count, longest, cpu = 0, 0.0, time.process_time()
while True:
    began = time.perf_counter()
    lease = ledger.lease(sys.argv[2], 600)
    if lease is None:
        break
    if not ledger.finish(lease, bytes(int(sys.argv[3]))):
        sys.exit("a lease was lost")
    count, longest = count + 1, max(longest, time.perf_counter() - began)
print(count, longest, time.process_time() - cpu)
"""


def measure(options: Options) -> list[Figure]:
    shards = 10_000 if options.quick else SHARDS
    folder = Path(tempfile.mkdtemp(prefix="tintype-bench-"))
    try:
        place = folder / "ledger.sqlite"
        ledger = SqliteLedger(place)
        ledger.begin()
        began = time.perf_counter()
        ledger.add("rows", (os.urandom(PAYLOAD_BYTES) for _ in range(shards)))
        added_s = time.perf_counter() - began
        drained = _drain(place, shards)
        size_mb = sum(file.stat().st_size for file in folder.iterdir()) / 1e6
        return [
            Figure("add", shards / added_s, "shards/s"),
            *drained,
            Figure("on disk, all done", size_mb, "MB", DISK_BOUND_MB, detail=f"{shards:,} shards, the log included"),
            *_commit(ledger, shards),
        ]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _drain(place: Path, shards: int) -> list[Figure]:
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", DRAIN, place, f"worker {number}", str(RESULT_BYTES)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(PROCESSES)
    ]
    for worker in workers:
        assert worker.stdout is not None
        worker.stdout.readline()
    load, began = os.getloadavg()[0], time.perf_counter()
    printed = [line.split() for line in _released(workers)]
    wall_s = time.perf_counter() - began
    assert sum(int(count) for count, _, _ in printed) == shards, "a shard was lost or taken twice"
    cpu_s = sum(float(cpu) for _, _, cpu in printed)
    longest_s = max(float(longest) for _, longest, _ in printed)
    counts = sorted(int(count) for count, _, _ in printed)
    about = f"{PROCESSES} processes, each {counts[0]:,} to {counts[-1]:,}; load average before {load:.1f}"
    return [
        Figure("lease and finish", shards / wall_s, "shards/s", RATE_BOUND, "at least", about),
        Figure("lease and finish, CPU", cpu_s / shards * 1e6, "µs/shard", detail="of all processes together"),
        Figure("longest wait for one shard", longest_s, "s", detail="lease and finish; SQLite gives up after 60"),
    ]


def _released(workers: list[subprocess.Popen[str]]) -> list[str]:
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    printed = [worker.communicate()[0] for worker in workers]
    assert all(worker.returncode == 0 for worker in workers), "a process failed"
    return printed


def _commit(ledger: SqliteLedger, shards: int) -> list[Figure]:
    began = time.perf_counter()
    counts = ledger.counts()
    counted_s = time.perf_counter() - began
    assert counts == {"done": shards}
    began = time.perf_counter()
    while done := ledger.done("rows", _AT_ONCE):
        ledger.mark_committed(one.shard for one in done)
    return [
        Figure("read and mark committed", shards / (time.perf_counter() - began), "shards/s"),
        Figure("counts", counted_s * 1e3, "ms"),
    ]


if __name__ == "__main__":
    report(measure, __doc__)
