"""Answers a question about neighbors: at once where it is small, else by several processes that share a ledger."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tintype.core.errors import CollectionDamaged, WorkerFailed
from tintype.core.platform import available_cpus, full_disk_is_said
from tintype.engine.graph import work
from tintype.index.base import Neighbors
from tintype.index.graph import Answer, Question
from tintype.index.parts import compare

_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def in_memory(question: Question) -> Neighbors:
    """The answer of this process alone, which writes nothing."""
    answer = Answer(question)
    for start, stop in question.parts.ranges():
        answer.note(*compare(question.parts, start, stop, question.width))
    return answer.neighbors()


def by_processes(question: Question, place: Path) -> Neighbors:
    """The answer, worked out in a folder below `place` by as many processes as there are processors.

    What an earlier try at the same question finished is used; the leavings of other questions are removed. The
    caller holds a lock on `place`. Raises OSError, StorageFull, or WorkerFailed where a part fails again and again.
    """
    folder = place / work.name_of(question)
    for other in place.iterdir() if place.is_dir() else ():
        if other != folder:
            shutil.rmtree(other)
    with full_disk_is_said(str(place)):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            question = work.prepare(folder, question)
        except (CollectionDamaged, ValueError, KeyError):  # what the earlier try left cannot be read
            shutil.rmtree(folder)
            folder.mkdir()
            question = work.prepare(folder, question)
    _run_workers(folder, min(available_cpus(), sum(1 for _ in question.parts.ranges())))
    work.reclaim(folder)
    work.work(folder, "parent")  # what died with a worker
    with work.opened(folder) as ledger:
        for _, _, reason in ledger.abandoned():
            raise WorkerFailed(f"the neighbor graph could not be built ({reason}). Nothing was changed")
    answer = Answer(question)
    for result in work.results(folder, question.width):
        answer.note(*result)
    return answer.neighbors()


def _run_workers(folder: Path, count: int) -> None:
    """One thread each: BLAS threads of one process wait for one another, and burn time while they do."""
    command = [sys.executable, "-m", "tintype.engine.graph.worker", str(folder)]
    workers = [
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=None if os.environ.get("TINTYPE_WORKER_STDERR") else subprocess.DEVNULL,
            env={**os.environ, **_ONE_THREAD},
            start_new_session=True,  # Ctrl-C is the parent's to handle
        )
        for _ in range(count)
    ]
    try:
        for worker in workers:
            worker.wait()
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
            if worker.stdin is not None:
                worker.stdin.close()
