"""Builds the neighbor graph of a collection and, at a moment that is named, kills itself with SIGKILL."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from tintype.engine import neighbors
from tintype.engine.graph import answer, stored, work
from tintype.store.layout import Layout
from tintype.testing.index import made_vectors

COUNT = 21_000  # more than are compared one and all
MOMENTS = ("writing", "prepared", "working", "worked", "saving", "saved")


def images(count=COUNT, seed=0):
    """Digests, sorted, and vectors of so many made images."""
    random = np.random.default_rng(seed)
    numbers = np.sort(random.choice(2**40, count, replace=False))
    return pa.array([int(number).to_bytes(16, "big") for number in numbers], pa.binary(16)), made_vectors(count, 16)


def die(*_, **__):
    os.kill(os.getpid(), signal.SIGKILL)


def die_before(module, name):
    setattr(module, name, die)


def die_after(module, name):
    function = getattr(module, name)

    def both(*arguments, **options):
        function(*arguments, **options)
        die()

    setattr(module, name, both)


def die_when_a_part_is_done(place):
    while True:
        for ledger in place.glob("work/*/ledger.sqlite"):
            with work.opened(ledger.parent) as opened:
                if opened.counts().get("done"):
                    die()
        time.sleep(0.005)


def main(collection, moment):
    layout = Layout(Path(collection))
    if moment == "writing":
        die_after(work.np, "save")
    elif moment == "prepared":
        die_after(work, "prepare")
    elif moment == "working":
        threading.Thread(target=die_when_a_part_is_done, args=(layout.index("descriptor"),), daemon=True).start()
    elif moment == "worked":
        die_after(answer, "_run_workers")
    elif moment == "saving":
        die_before(stored.LanceStore, "clean_up")
    elif moment == "saved":
        remove = neighbors.shutil.rmtree
        neighbors.shutil.rmtree = lambda path, **how: die() if path.name == "work" else remove(path, **how)
    neighbors.neighbors_of(layout, "descriptor", "one", *images(), 10)


if __name__ == "__main__":
    main(*sys.argv[1:])
