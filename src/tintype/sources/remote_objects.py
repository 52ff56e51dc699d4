"""Single objects of a store as images: read several at a time, and judged one by one."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import BinaryIO, Self

from tintype.codec.limits import Limits
from tintype.core.errors import ImageError
from tintype.core.object_facts import Facts, Listed, StoreError, TooLarge
from tintype.core.object_store import ObjectStore
from tintype.sources.base import Entry, Item
from tintype.sources.beneath import too_large, unread
from tintype.sources.beside import Beside, Stamp
from tintype.sources.remote_stamp import stamp_of

_AT_ONCE = 8  # requests in flight; one alone waits for the network most of its time
_ASKED_AT_ONCE = 32
_BYTES_AT_ONCE = 64_000_000


class ObjectsBelow:
    """The objects whose keys begin with a prefix, by the rest of the key.

    An object that the store does not give is `unreadable`. Where the store gives nothing at all, StoreError is raised:
    that is no image's fault.
    """

    def __init__(self, store: ObjectStore, prefix: str) -> None:
        self._store, self._prefix = store, prefix

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return

    def stamps(self, paths: Sequence[bytes]) -> list[Stamp | None]:
        with ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:
            return list(pool.map(self._stamp, paths))

    def read(self, path: bytes, entry: Entry, max_bytes: int) -> Item:
        try:
            listed = Listed(entry.size_bytes, partial(_is_of, entry))
            data, facts = self._store.read(self._key(path), listed, max_bytes)
            return Item(entry.uri, data, facts.size_bytes, *stamp_of(facts))
        except TooLarge as error:
            stamp = (error.facts.size_bytes, *stamp_of(error.facts))
            reason = too_large(error.facts.size_bytes, max_bytes)
            return Item(entry.uri, None, *stamp, status="rejected", reason=reason)
        except ImageError as error:
            return unread(entry, error)
        except FileNotFoundError:
            return unread(entry, ImageError("unreadable", "no such object"))
        except StoreError as error:
            if not self._store.answers():
                raise
            return unread(entry, ImageError("unreadable", str(error)))

    def open(self, path: bytes) -> BinaryIO:
        try:
            return io.BytesIO(self._store.read(self._key(path), most_bytes=Limits().bytes)[0])
        except TooLarge as error:
            raise ImageError("rejected", too_large(error.facts.size_bytes, Limits().bytes)) from None
        except FileNotFoundError:
            raise ImageError("unreadable", "no such object") from None
        except StoreError as error:
            raise ImageError("unreadable", str(error)) from error

    def in_order(self, calls: Iterable[tuple[int, Callable[[], Item]]]) -> Iterator[Item]:
        """Several calls at once, so long as what they take together is not much."""
        ahead: deque[tuple[int, Future[Item]]] = deque()
        pool = ThreadPoolExecutor(_AT_ONCE)
        try:
            for size_bytes, call in calls:
                while ahead and (
                    len(ahead) == _AT_ONCE or sum(size for size, _ in ahead) + size_bytes > _BYTES_AT_ONCE
                ):
                    yield ahead.popleft()[1].result()
                ahead.append((size_bytes, pool.submit(call)))
            while ahead:
                yield ahead.popleft()[1].result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def _stamp(self, path: bytes) -> Stamp | None:
        try:
            facts = self._store.facts(self._key(path))
        except (FileNotFoundError, ImageError):
            return None
        except StoreError:
            if not self._store.answers():
                raise
            return None
        return Stamp(facts.size_bytes, *stamp_of(facts))

    def _key(self, path: bytes) -> str:
        """Raises ImageError for a path that no key can be."""
        try:
            text = path.decode()
        except UnicodeDecodeError:
            raise ImageError("unreadable", "no key of a store: it is not UTF-8") from None
        if not text or any(part in ("", ".", "..") for part in text.split("/")):
            raise ImageError("rejected", "the path is not a plain path downwards")
        return self._prefix + text


def _is_of(entry: Entry, facts: Facts) -> bool:
    """Whether a store speaks of the very bytes that were listed: by the ETag; by the time where it has none."""
    mtime_ns, *tag = stamp_of(facts)
    return tag == [entry.inode, entry.device] and (bool(facts.e_tag) or mtime_ns == entry.mtime_ns)


_: type[Beside] = ObjectsBelow
