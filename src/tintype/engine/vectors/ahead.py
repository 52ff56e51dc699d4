"""Reads items in a thread of their own, so that disks and networks work while the processor does."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator

from tintype.engine.work import Watch
from tintype.sources.base import Item

Read = tuple[Item, bytes | None]

MOST_ITEMS = 32
MOST_BYTES = 64_000_000


class _End:
    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def read_ahead(found: Iterator[Read], watch: Watch) -> Iterator[Read]:
    """The same items in the same order; an error comes where it belongs. At most MOST_ITEMS wait, or MOST_BYTES and
    one item more."""
    reader = _Reader(found, watch)
    try:
        while not isinstance(pair := reader.take(), _End):
            yield pair
        if pair.error is not None:
            raise pair.error
    finally:
        reader.stop()


class _Reader:
    def __init__(self, found: Iterator[Read], watch: Watch) -> None:
        self._found, self._watch = found, watch
        self._ready: queue.SimpleQueue[Read | _End] = queue.SimpleQueue()
        self._room = threading.Condition()
        self._items = self._bytes = 0
        self._is_stopped = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def take(self) -> Read | _End:
        pair = self._ready.get()
        if not isinstance(pair, _End):
            with self._room:
                self._items -= 1
                self._bytes -= len(pair[0].data or b"")
                self._room.notify()
        return pair

    def stop(self) -> None:
        """Ends with the item that is being read."""
        with self._room:
            self._is_stopped = True
            self._room.notify()
        self._thread.join()
        self._watch.ahead(-1)

    def _run(self) -> None:
        error: BaseException | None = None
        index = 0
        try:
            while self._wait_for_room():
                self._watch.ahead(index)
                pair = next(self._found, None)
                if pair is None:
                    break
                with self._room:
                    self._items += 1
                    self._bytes += len(pair[0].data or b"")
                self._ready.put(pair)
                index += 1
        except Exception as failure:  # noqa: BLE001  raised again where the items are taken
            error = failure
        self._watch.ahead(-1)
        self._ready.put(_End(error))

    def _wait_for_room(self) -> bool:
        with self._room:
            while not self._is_stopped and (self._items >= MOST_ITEMS or self._bytes >= MOST_BYTES):
                self._watch.ahead(-1)  # a reader that waits for the others is not at an image
                self._room.wait()
            return not self._is_stopped
