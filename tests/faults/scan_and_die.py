"""Scans a folder and, at a moment that a seed decides, kills itself or one of its workers with SIGKILL.

Arguments: root, collection, stages (with commas), kind, seed. Kinds: "none"; "time" kills the parent after a random
while; "worker" kills a random worker after a random while; any other is a method of the store, and the parent dies
just before it, a random moment into it, or just after it.
"""

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import run_scan, work_with

from tintype.engine import committer
from tintype.engine.executors.worker_process import WorkerProcess
from tintype.sources.folder import FolderSource
from tintype.stages import registry
from tintype.store import lance
from tintype.store.lance import LanceStore

LONGEST_S = 4.0


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_after(seconds: float) -> None:
    threading.Thread(target=lambda: (time.sleep(seconds), die()), daemon=True).start()


def kill_a_worker_after(seconds: float, chance: random.Random) -> None:
    pids: list[int] = []
    start = WorkerProcess.__init__

    def noted(self: Any, *arguments: Any) -> None:
        start(self, *arguments)
        pids.append(self.pid)

    def kill() -> None:
        time.sleep(seconds)
        if pids:
            os.kill(chance.choice(pids), signal.SIGKILL)

    WorkerProcess.__init__ = noted  # type: ignore[method-assign]  # to learn the pids
    threading.Thread(target=kill, daemon=True).start()


def die_in(method: str, chance: random.Random) -> None:
    inner: Callable[..., Any] = getattr(LanceStore, method)
    call = chance.randint(1, 2) if method == "commit" else 1
    moment = chance.choice(["before", "during", "during", "during", "after"])
    delay = chance.uniform(0.0, 0.012)
    calls = 0

    def deadly(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == call and moment == "before":
            die()
        if calls == call and moment == "during":
            die_after(delay)
        result = inner(*arguments, **named)
        if calls == call and moment == "after":
            die()
        return result

    setattr(LanceStore, method, deadly)


def main(root: str, place: str, stages: str, kind: str, seed: str) -> None:
    chance = random.Random(seed)
    committer._FIRST_GROUP_ROWS = 24  # so that there are several commits
    lance._MOST_SMALL_FRAGMENTS = 1  # so that there is something to compact
    if kind == "time":
        die_after(chance.uniform(0.0, LONGEST_S))
    elif kind == "worker":
        kill_a_worker_after(chance.uniform(0.0, LONGEST_S / 2), chance)
    elif kind != "none":
        die_in(kind, chance)
    run_scan(FolderSource(Path(root)), Path(place), work_with(*map(registry.stage, stages.split(","))))


if __name__ == "__main__":
    main(*sys.argv[1:])
