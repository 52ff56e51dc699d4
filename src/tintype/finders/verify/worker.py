"""A process that compares pairs for another one: `python -m tintype.finders.verify.worker`."""

from __future__ import annotations

import signal
import sys

from tintype.finders.verify.comparing import serve


def main() -> None:
    """Answer until the other process closes its end or dies; an interrupt is its business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve(sys.stdin.buffer, sys.stdout.buffer)


if __name__ == "__main__":
    main()
