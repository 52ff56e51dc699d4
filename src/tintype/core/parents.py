"""Processes that end with the one that started them, however that ended."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time

_PR_SET_PDEATHSIG = 1
_LOOK_EVERY_S = 0.5


def end_with_parent(parent: int) -> None:
    """End this process when its parent, of that process id, is gone, whatever it is at: nobody wants the result."""
    if sys.platform == "linux":
        import ctypes

        # The system's own signal comes even while a decoder holds the interpreter's lock.
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_EVERY_S)
    os._exit(1)
