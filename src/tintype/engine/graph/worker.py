"""A process that takes parts of a question about neighbors: `python -m tintype.engine.graph.worker FOLDER`.

It ends when there is nothing left to take, or when its standard input ends: its parent is gone then.
"""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

from tintype.engine.graph.work import work


def main() -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    work(Path(sys.argv[1]), f"process {os.getpid()}")


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    main()
