"""Images below a prefix of an object store."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import PurePosixPath
from typing import BinaryIO

from tintype.codec.sniff import HEAD_BYTES, IMAGE_EXTENSIONS, sniff
from tintype.core.columns import Column
from tintype.core.errors import SourceError
from tintype.core.names import path_from_uri, shown, uri_from_path
from tintype.core.object_facts import PATIENT, Budget, Facts, StoreError, split_url
from tintype.core.object_store import ObjectStore
from tintype.sources.base import Entry, Item, Notes, Shard
from tintype.sources.folder import ignores
from tintype.sources.remote_objects import ObjectsBelow
from tintype.sources.remote_stamp import stamp_of

ENTRIES_PER_SHARD = 8_192
_SNIFFED_AT_ONCE = 32


class RemoteFolderSource:
    """All images whose keys begin with a prefix, as a folder would hold them; a uri is the rest of the key.

    Keys whose last part has an image's extension count, and those without any extension whose first bytes say image:
    of other names nothing is asked, which would cost a request each. What is passed over is counted as in a folder,
    but object by object.
    """

    def __init__(self, url: str, ignore: tuple[str, ...] = (), hidden: bool = False, budget: Budget = PATIENT) -> None:
        self.url = url.rstrip("/") + "/"
        self.ignore, self.hidden, self.budget = tuple(ignore), hidden, budget
        root, inside = split_url(self.url)
        self._prefix = inside if inside.strip("/") else ""
        self._store = ObjectStore(root, budget)
        self._objects = ObjectsBelow(self._store, self._prefix)
        self._notes = Notes()

    @property
    def place(self) -> str:
        return self.url

    @property
    def labels(self) -> tuple[Column, ...]:
        return ()

    @property
    def notes(self) -> Notes:
        return self._notes

    @property
    def is_ordered(self) -> bool:
        return not self._store.root.endswith("--x-s3")  # S3's directory buckets list in no order

    def shards(self) -> Iterator[Shard]:
        self._notes = Notes()
        ignored = ignores(self.ignore)
        waiting: list[Entry] = []
        for entry in _in_order(self._entries(ignored)) if self.is_ordered else self._entries(ignored):
            waiting.append(entry)
            if len(waiting) == ENTRIES_PER_SHARD:
                yield Shard.of(waiting)
                waiting = []
        if waiting:
            yield Shard.of(waiting)

    def read(self, shard: Shard, max_bytes: int) -> Iterator[Item]:
        def call(entry: Entry) -> Callable[[], Item]:
            return lambda: self._objects.read(path_from_uri(entry.uri), entry, max_bytes)

        yield from self._objects.in_order((min(entry.size_bytes, max_bytes), call(entry)) for entry in shard)

    def open(self, uri: str) -> BinaryIO:
        return self._objects.open(path_from_uri(uri))

    def _entries(self, ignored: Callable[[str], bool] | None) -> Iterator[Entry]:
        """What counts as an image, in the order of the keys."""
        is_empty = True
        chosen: deque[tuple[Facts, Future[bool] | None]] = deque()
        with ThreadPoolExecutor(_SNIFFED_AT_ONCE) as pool:
            for facts in self._store.listed(self._prefix):
                is_empty = False
                is_image = self._is_image(facts, ignored)
                if is_image is not False:
                    chosen.append((facts, None if is_image else pool.submit(self._has_image, facts)))
                while chosen and (chosen[0][1] is None or len(chosen) > 4 * _SNIFFED_AT_ONCE):
                    yield from self._settled(*chosen.popleft())
            while chosen:
                yield from self._settled(*chosen.popleft())
        if is_empty:
            raise SourceError(f"{shown(self.url)}: nothing there: no key begins so")

    def _settled(self, facts: Facts, found: Future[bool] | None) -> Iterator[Entry]:
        if found is None or found.result():
            uri = uri_from_path(facts.key.removeprefix(self._prefix))
            yield Entry(uri, facts.size_bytes, *stamp_of(facts), None)
        else:
            self._notes.skipped["other"] += 1

    def _is_image(self, facts: Facts, ignored: Callable[[str], bool] | None) -> bool | None:
        """Whether the name says image, by the rules for files; None where only the first bytes can tell."""
        path = facts.key.removeprefix(self._prefix)
        parts = path.split("/")
        if any(part.endswith(".tintype") or part == ".tintype-trash" for part in parts[:-1]):
            return False
        if not self.hidden and any(part.startswith(".") for part in parts):
            self._notes.skipped["hidden"] += 1
        elif ignored and ignored(path):
            self._notes.skipped["ignored"] += 1
        elif PurePosixPath(path).suffix.lower() in IMAGE_EXTENSIONS:
            return True
        elif not PurePosixPath(path).suffix and facts.size_bytes:
            return None
        else:
            self._notes.skipped["other"] += 1
        return False

    def _has_image(self, facts: Facts) -> bool:
        try:
            return sniff(self._store.read_range(facts, 0, min(HEAD_BYTES, facts.size_bytes))) is not None
        except FileNotFoundError:  # gone by now, or what some programs put in a folder's place
            return False
        except StoreError as error:
            self._notes.unseen(uri_from_path(facts.key.removeprefix(self._prefix)), str(error))
            return False


def _in_order(entries: Iterator[Entry]) -> Iterator[Entry]:
    """Entries in the order of their uris, from those in the order of their keys.

    Both are the same but for `#`, which comes before `$` in a key and as `%23` behind it in a uri; a uri with it is
    held until a greater one comes. Raises SourceError where the store lists in no order: a rescan would go wrong.
    """
    held: list[tuple[bytes, Entry]] = []
    last = b""
    for entry in entries:
        uri = entry.uri.encode()
        if b"%23" in uri:
            heapq.heappush(held, (uri, entry))
            continue
        if uri <= last:
            raise SourceError(f"the store lists its keys in no order ({shown(entry.uri)}); it cannot be scanned")
        last = uri
        while held and held[0][0] < uri:
            yield heapq.heappop(held)[1]
        yield entry
    while held:
        yield heapq.heappop(held)[1]
