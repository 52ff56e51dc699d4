"""Builds an index in small parts and kills itself after so many steps."""

import os
import signal
import sys
from pathlib import Path

from tintype.index import building
from tintype.store.vectors import open_vectors

steps = 0


def count(words: str, done: int, total: int) -> None:
    global steps
    steps += 1
    if steps > int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    building.part_rows = lambda *_: 4_096
    record = building.build(open_vectors(Path(sys.argv[1])), Path(sys.argv[2]), 1 << 30, 0.95, count)
    print("built", record.rows)
