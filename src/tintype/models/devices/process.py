"""A device process: loads models onto one GPU and runs them for the workers of a run.

Started as `python -m tintype.models.devices.process PARENT`, never forked. Its parent sends what to load, pickled, and
is told how it goes in lines of JSON; workers, which are not trusted, come by the socket alone.
"""

from __future__ import annotations

import json
import os
import pickle
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from tintype.core.errors import DeviceMemoryFull, MissingExtra, ModelError
from tintype.core.parents import end_with_parent
from tintype.models.devices.hosted import Hosted
from tintype.models.devices.pipes import DeviceLost
from tintype.models.devices.server import Served, Server
from tintype.models.devices.trial import most_rows

_BEAT_S = 1.0


@dataclass(frozen=True)
class Setup:
    """What a device process is to load, where its socket is to be, and what its device is called."""

    hosted: tuple[Hosted, ...]
    path: Path
    device: str


def main() -> None:
    """Serve until the parent is gone."""
    upwards = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not end up between our lines
    setup: Setup = pickle.load(sys.stdin.buffer)  # noqa: S301  from our own parent, never from a file
    try:
        served = [_served(hosted, setup.device) for hosted in setup.hosted]
        server = Server(served, setup.path)
        _say(upwards, {"event": "ready", "rows": [one.rows for one in served]})
        server.serve(_Beat(upwards))
    except (ModelError, MissingExtra) as error:
        args = list(error.args) if isinstance(error, MissingExtra) else [str(error)]
        _say(upwards, {"event": "refused", "error": type(error).__name__, "args": args})
    except DeviceLost as error:
        _say(upwards, {"event": "lost", "reason": str(error)})
        sys.exit(1)


def _served(hosted: Hosted, device: str) -> Served:
    """Raises ModelError, MissingExtra, DeviceLost."""
    too_large = (
        f"the memory of {device} is too small for the model {hosted.card.name} on {hosted.engine}, even for one image "
        "at a time. Close other programs that use it, or take another engine or precision (--backend) or a smaller "
        "model (--model)"
    )
    try:
        pipe = hosted.open()
        return Served(hosted.card, pipe, most_rows(pipe, hosted.card, hosted.trial_s), too_large)
    except MemoryError as error:
        raise DeviceMemoryFull(too_large) from error


class _Beat:
    """A sign of life, once a second: one that says nothing for long has lost its device without noticing."""

    def __init__(self, upwards: BinaryIO) -> None:
        self._upwards, self._last = upwards, 0.0

    def __call__(self) -> None:
        now = time.monotonic()
        if now - self._last >= _BEAT_S:
            self._last = now
            _say(self._upwards, {"event": "beat"})


def _say(upwards: BinaryIO, message: dict[str, Any]) -> None:
    upwards.write(json.dumps(message).encode() + b"\n")
    upwards.flush()


if __name__ == "__main__":
    end_with_parent(int(sys.argv[1]))
    main()
