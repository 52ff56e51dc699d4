"""Pairs compared one after the other in this process, or where there are many by processes, one a core.

Threads would take turns at the interpreter: two of them were a fifth faster than one, for a third more CPU.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import IO

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tintype.finders.verify.compare import VERDICT, compare
from tintype.finders.verify.maps import Map
from tintype.finders.verify.pictures import Picture, decoded

Verdicts = NDArray[np.void]
"""(n,) VERDICT, from the first picture of each pair to the second."""

Pair = tuple[bytes | None, bytes | None, Map | None]
"""Two thumbnails, and how one lies on the other where that is known."""

_HELD = 224  # pictures, of a megabyte each
_ALONE = 600  # pairs after which it is worth it to start processes
_PAIRS = pa.schema([("first", pa.binary()), ("second", pa.binary()), ("guess", pa.binary(6 * 8))])
_LENGTH_BYTES = 8


class Comparer:
    """Compares pairs in this process; pictures of the last few hundred thumbnails are kept."""

    def __init__(self) -> None:
        self._pictures: OrderedDict[bytes, Picture | None] = OrderedDict()

    def __call__(self, pairs: Iterable[Pair]) -> Verdicts:
        with _one_thread():
            found = [compare(self._picture(a), self._picture(b), guess) for a, b, guess in pairs]
        return np.stack(found) if found else np.empty(0, VERDICT)

    def _picture(self, thumbnail: bytes | None) -> Picture | None:
        if not thumbnail:
            return None
        if thumbnail not in self._pictures:
            self._pictures[thumbnail] = decoded(thumbnail)
            if len(self._pictures) > _HELD:
                self._pictures.popitem(last=False)
        self._pictures.move_to_end(thumbnail)
        return self._pictures[thumbnail]


class Comparers:
    """Compares chunks of pairs, after the first few hundred pairs with a process for each core. A context."""

    def __init__(self, processes: int | None = None) -> None:
        """`processes` is how many there are in the end, by default one a core; with one none are started."""
        self._here = Comparer()
        self._wanted = len(os.sched_getaffinity(0)) if processes is None else processes
        self._processes: list[subprocess.Popen[bytes]] = []
        self._free: deque[subprocess.Popen[bytes]] = deque()
        self._pool: ThreadPoolExecutor | None = None
        self._compared = 0

    def __enter__(self) -> Comparers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        for process in self._processes:
            _end(process)

    def __call__(self, chunks: Iterable[Sequence[Pair]]) -> Iterator[Verdicts]:
        """The verdicts of each chunk, in their order. Few chunks are asked for ahead."""
        coming: deque[Future[Verdicts]] = deque()
        for chunk in chunks:
            if self._wanted < 2 or self._compared < _ALONE:
                self._compared += len(chunk)
                yield self._here(chunk)
                continue
            if self._pool is None:
                self._pool = ThreadPoolExecutor(self._wanted)
                with contextlib.suppress(OSError):  # fewer, or none, do as well
                    for _ in range(self._wanted):
                        self._processes.append(_started())
                self._free.extend(self._processes)
            coming.append(self._pool.submit(self._elsewhere, chunk))
            if len(coming) > 2 * self._wanted:
                yield coming.popleft().result()
        while coming:
            yield coming.popleft().result()

    def _elsewhere(self, chunk: Sequence[Pair]) -> Verdicts:
        """By a process that is free; here, where it died or none was started. No more processes than threads are."""
        try:
            process = self._free.popleft()
        except IndexError:
            return Comparer()(chunk)
        try:
            found = _asked(process, chunk)
        except (OSError, EOFError):
            _end(process)
            return Comparer()(chunk)
        self._free.append(process)
        return found


def serve(requests: IO[bytes], answers: IO[bytes]) -> None:
    """What a process does: chunks in, verdicts out, until there are no more."""
    comparer = Comparer()
    while header := requests.read(_LENGTH_BYTES):
        data = requests.read(int.from_bytes(header, "little"))
        table = pa.ipc.open_stream(data).read_all()
        guesses = [None if way is None else np.frombuffer(way).reshape(2, 3) for way in table["guess"].to_pylist()]
        pairs = zip(table["first"].to_pylist(), table["second"].to_pylist(), guesses, strict=True)
        answers.write(comparer(pairs).tobytes())
        answers.flush()


def _asked(process: subprocess.Popen[bytes], chunk: Sequence[Pair]) -> Verdicts:
    """Raises OSError or EOFError where the process is gone."""
    ways = [None if way is None else np.ascontiguousarray(way, np.float64).tobytes() for _, _, way in chunk]
    table = pa.table([[a for a, _, _ in chunk], [b for _, b, _ in chunk], ways], schema=_PAIRS)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, _PAIRS) as writer:
        writer.write_table(table)
    data = sink.getvalue()
    if process.stdin is None or process.stdout is None:
        raise EOFError
    process.stdin.write(data.size.to_bytes(_LENGTH_BYTES, "little"))
    process.stdin.write(memoryview(data))
    process.stdin.flush()
    length = len(chunk) * VERDICT.itemsize
    answer = process.stdout.read(length)
    if len(answer) < length:
        raise EOFError
    return np.frombuffer(answer, VERDICT)


def _started() -> subprocess.Popen[bytes]:
    env = os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONSAFEPATH": "1"}
    command = [sys.executable, "-m", "tintype.finders.verify.worker"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env)


def _end(process: subprocess.Popen[bytes]) -> None:
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(OSError):  # it died with something unread
                pipe.close()
    process.kill()
    process.wait()


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """OpenCV's own threads only take turns with one another on small pictures."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
