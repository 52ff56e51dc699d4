"""Runs a command and says what its whole process tree cost: CPU-seconds, seconds, and peak memory."""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
WORK = ROOT / ".work"  # inputs; ignored by git
MEMORY_SAMPLE_S = 0.05
MEMORY_SHARE = 0.05  # of the time, that sampling may take
PR_SET_CHILD_SUBREAPER = 36  # of prctl(2): orphans of the tree become our children, so that their CPU is counted
SHOWN_VERSIONS = ("tintype", "numpy", "pyarrow", "pylance", "opencv-python-headless", "simplejpeg", "pillow")


@dataclass(frozen=True)
class Cost:
    """What one run of a command cost, all its processes together.

    `cpu_s` is user and system time. `peak_bytes` is the largest sum of proportional set sizes (shared pages divided
    among those that share them) that was seen in samples 50 ms apart, or further apart where each takes long; None
    where it was not watched.
    """

    cpu_s: float
    wall_s: float
    peak_bytes: int | None
    stdout: str


def run(command: Sequence[str], *, env: Mapping[str, str] | None = None, watch_memory: bool = False) -> Cost:
    """Run a command to its end and every process that it left behind with it.

    Memory is watched only where asked for, because watching costs some CPU. Raises RuntimeError with the end
    of what the command said where it fails.
    """
    _adopt_orphans()
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        before = _children_cpu_s()
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdout=out,
            stderr=err,
            stdin=subprocess.DEVNULL,
            cwd=ROOT,
            env={**os.environ, **(env or {})},
        )
        watch = _MemoryWatch() if watch_memory else None
        code = process.wait()
        wall_s = time.perf_counter() - began
        peak_bytes = watch.stop() if watch else None
        _reap_orphans()
        cpu_s = _children_cpu_s() - before
        if code != 0:
            raise RuntimeError(f"{' '.join(command)[:300]} ended with {code}: {_text(err)[-2000:]}")
        return Cost(cpu_s, wall_s, peak_bytes, _text(out))


def median(costs: Sequence[Cost]) -> Cost:
    """The medians of CPU, of wall time and of peak memory, each by itself; stdout of the last run."""
    peaks = [cost.peak_bytes for cost in costs if cost.peak_bytes is not None]
    return Cost(
        cpu_s=statistics.median(cost.cpu_s for cost in costs),
        wall_s=statistics.median(cost.wall_s for cost in costs),
        peak_bytes=int(statistics.median(peaks)) if peaks else None,
        stdout=costs[-1].stdout,
    )


def machine() -> str:
    """One line: processor, cores used, memory, system, Python, versions of what the figures depend on."""
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    there = {dist.name.lower(): dist.version for dist in metadata.distributions()}
    versions = ", ".join(f"{name} {there[name]}" for name in SHOWN_VERSIONS if name in there)
    cores = f"{len(os.sched_getaffinity(0))} of {os.cpu_count()} cores"
    system = f"{platform.system()} {platform.release().split('-')[0]}"
    python = f"Python {platform.python_version()}"
    return f"{_processor()}, {cores}, {memory_gb:.0f} GB, {system}, {python}; {versions}"


def load_average() -> float:
    """Of the last minute: about 0 on an idle machine."""
    return os.getloadavg()[0]


def use_two_cores() -> None:
    """Keep this process and all that it starts on two cores, so that figures of larger machines compare."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _text(handle: IO[bytes]) -> str:
    handle.seek(0)
    return handle.read().decode(errors="replace")


def _children_cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _adopt_orphans() -> None:
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _reap_orphans() -> None:
    while True:
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


class _MemoryWatch:
    """Samples the memory of all our descendants in a thread until stopped."""

    def __init__(self) -> None:
        self._peak_bytes = 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> int:
        self._stopped.set()
        self._thread.join()
        return self._peak_bytes

    def _watch(self) -> None:
        pause_s = MEMORY_SAMPLE_S
        while not self._stopped.wait(pause_s):
            began = time.perf_counter()
            descendants = _tree(os.getpid())[1:]
            self._peak_bytes = max(self._peak_bytes, sum(map(_proportional_bytes, descendants)))
            # Looking at gigabytes that are mapped takes a while, during which their owner waits.
            pause_s = max(MEMORY_SAMPLE_S, (time.perf_counter() - began) / MEMORY_SHARE)


def _tree(pid: int) -> list[int]:
    """A process and its descendants, as far as they still run."""
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for thread in threads for child in (thread / "children").read_text().split()]
    except OSError:  # it ended meanwhile
        return []
    return [pid, *(found for child in children for found in _tree(child))]


def _proportional_bytes(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
