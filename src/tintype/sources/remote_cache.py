"""Tars and tables of object stores on this disk, while they are read: a folder that never holds more than it may."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from blake3 import blake3

from tintype.core.errors import SourceError, StorageFull
from tintype.core.names import shown
from tintype.core.object_facts import Facts
from tintype.core.object_store import ObjectStore
from tintype.core.platform import full_disk_is_said, lock_shared, lock_waiting, try_lock

_LOCKS = "locks"


@dataclass(frozen=True, kw_only=True)
class CacheSettings:
    """Tars and tables of object stores, which are fetched whole before they are read."""

    bytes: int = 20_000_000_000  # of the disk, together; those used longest ago go first
    folder: str = ""  # where they lie; empty is the user's cache folder

    def __post_init__(self) -> None:
        if self.bytes < 1:
            raise ValueError(f"cache.bytes must be at least 1, not {self.bytes}")


DEFAULT_CACHE = CacheSettings()


class FileCache:
    """Files by their address and state; any number of processes share it.

    A file's folder is named for its state and its size, and lies there before the file does: so what is on its way
    counts too. Whoever uses a file holds a shared lock on it, and only what nobody holds is removed.
    """

    def __init__(self, settings: CacheSettings) -> None:
        self._limit = settings.bytes
        self._folder = Path(os.path.expanduser(settings.folder)) if settings.folder else _default_folder()

    @contextlib.contextmanager
    def held(self, store: ObjectStore, facts: Facts) -> Iterator[Path]:
        """The object as a file of its own name and time, which stays until the end of the block.

        Raises SourceError where it does not fit, Changed where it is another object now, and what the store raises.
        """
        name = f"{_state_of(store, facts)}-{facts.size_bytes}"
        path = self._folder / name / facts.key.rpartition("/")[2]
        with self._lock(name) as lock:
            while True:
                lock_shared(lock)
                if path.is_file():
                    break
                lock_waiting(lock)
                if not path.is_file():
                    self._fetch(store, facts, path)
            os.utime(path.parent)  # used just now
            yield path

    def _fetch(self, store: ObjectStore, facts: Facts, path: Path) -> None:
        self._make_room(facts, path.parent, f"{store.root}/{facts.key}")
        half = path.parent / "half"
        try:
            with full_disk_is_said(str(self._folder)), half.open("wb") as file:
                for part in store.parts(facts):
                    file.write(part)
            os.utime(half, ns=(facts.mtime_ns, facts.mtime_ns))
            half.rename(path)
        except BaseException:
            shutil.rmtree(path.parent, ignore_errors=True)
            raise

    def _make_room(self, facts: Facts, folder: Path, address: str) -> None:
        """Take the file's place, with others removed for it, those used longest ago first."""
        with self._lock("all") as lock:
            lock_waiting(lock)
            there = sorted(self._entries(), key=lambda entry: entry.stat().st_mtime_ns)
            taken = sum(map(_size_of, there)) - (_size_of(folder) if folder in there else 0)
            for entry in there:
                if taken + facts.size_bytes <= self._limit:
                    break
                if entry != folder and self._remove(entry):
                    taken -= _size_of(entry)
            if taken + facts.size_bytes > self._limit:
                in_use = f", {taken:,} of which are in use" if taken else ""
                raise SourceError(
                    f"{shown(address)}: {facts.size_bytes:,} bytes, and the cache holds {self._limit:,}{in_use}. "
                    "Let it be larger: --set cache.bytes=N"
                )
            folder.mkdir(exist_ok=True)

    def _entries(self) -> list[Path]:
        return [entry for entry in self._folder.iterdir() if entry.name != _LOCKS and _size_of(entry) >= 0]

    def _remove(self, entry: Path) -> bool:
        """Remove what nobody uses; False for the rest."""
        with self._lock(entry.name) as lock:
            if not try_lock(lock):
                return False
            shutil.rmtree(entry, ignore_errors=True)
            return True

    @contextlib.contextmanager
    def _lock(self, name: str) -> Iterator[int]:
        """The open file of a lock, which goes at the end of the block. Lock files stay: they are empty."""
        try:
            with full_disk_is_said(str(self._folder)):
                for folder in (self._folder, self._folder / _LOCKS):  # what a bucket holds is not everybody's
                    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
                handle = os.open(self._folder / _LOCKS / name, flags, 0o600)
        except StorageFull:
            raise
        except OSError as error:
            raise SourceError(
                f"the cache {self._folder} cannot be used ({error.strerror}). Name another: --set cache.folder=DIR"
            ) from error
        try:
            yield handle
        finally:
            os.close(handle)


def _state_of(store: ObjectStore, facts: Facts) -> str:
    return blake3(f"{store.root}/{facts.key}\n{facts.e_tag}\n{facts.mtime_ns}".encode()).hexdigest(16)


def _size_of(entry: Path) -> int:
    """What an entry's name says of its size; -1 for what is none."""
    size = entry.name.rpartition("-")[2]
    return int(size) if size.isascii() and size.isdigit() else -1


def _default_folder() -> Path:
    import platformdirs

    return Path(platformdirs.user_cache_dir("tintype", appauthor=False)) / "objects"
