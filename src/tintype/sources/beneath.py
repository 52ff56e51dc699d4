"""Files below a root: opened by folder handle, so that no link and no `..` leads out of it."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Self

from tintype.core.errors import ImageError
from tintype.sources.base import Entry, Item, modified_ns

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
OPEN_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""Flags to open a file: no link is followed, and a FIFO does not wait for its writer."""

_MAC_DATALESS = 0x40000000  # SF_DATALESS of sys/stat.h
_WINDOWS_RECALL = (
    0x00001000 | 0x00040000 | 0x00400000
)  # FILE_ATTRIBUTE_OFFLINE, _RECALL_ON_OPEN, _RECALL_ON_DATA_ACCESS

_REASONS = {
    errno.ENOENT: "no such file",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.ELOOP: "a symbolic link; links are not followed",
    errno.ENOTDIR: "its folder is gone or a link; links are not followed",
    errno.EIO: "the disk reports a read error",
    errno.ESTALE: "the network file system lost it",
}


def reason_of(error: OSError) -> str:
    """Why a file could not be read, in one line without its path."""
    return _REASONS.get(error.errno or 0) or os.strerror(error.errno or errno.EIO).lower()


def is_only_in_cloud(facts: os.stat_result) -> bool:
    """Whether reading the file would download it, as macOS (iCloud) and Windows (OneDrive) tell.

    Linux has no such flag. Zero blocks for a size are no sign of it: small files lie in their inode, and
    files may have holes.
    """
    mac, windows = getattr(facts, "st_flags", 0), getattr(facts, "st_file_attributes", 0)
    return bool(mac & _MAC_DATALESS or windows & _WINDOWS_RECALL)


class Beneath:
    """Opens what lies below a root; below it no link is followed. Keeps the handle of the folder used last.

    Paths are bytes, relative to the root, with `/` between names. Raises OSError as the system does, and
    ImageError for a path that is no plain path downwards or leads to something other than a regular file.
    """

    def __init__(self, root: Path) -> None:
        self._root = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._path, self._handle = b"", self._root

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()
        os.close(self._root)

    def folder(self, path: bytes) -> int:
        """Handle of a folder, valid until the next call with another one. The root is b""."""
        if path == self._path:
            return self._handle
        handle, names = self._root, path.split(b"/") if path else []
        if self._path and path.startswith(self._path + b"/"):
            handle, names = os.dup(self._handle), path[len(self._path) + 1 :].split(b"/")
        try:
            for name in names:
                _check(name)
                inner = os.open(name, _FOLDER, dir_fd=handle)
                if handle != self._root:
                    os.close(handle)
                handle = inner
        except BaseException:
            if handle != self._root:
                os.close(handle)
            raise
        self._leave()
        self._path, self._handle = path, handle
        return handle

    def open(self, path: bytes) -> int:
        """Handle of a regular file; the caller closes it."""
        folder, _, name = path.rpartition(b"/")
        _check(name)
        handle = os.open(name, OPEN_FILE, dir_fd=self.folder(folder))
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise ImageError("unreadable", "not a regular file")
        return handle

    def facts(self, path: bytes) -> os.stat_result:
        """What the system says of a regular file."""
        folder, _, name = path.rpartition(b"/")
        _check(name)
        facts = os.stat(name, dir_fd=self.folder(folder), follow_symlinks=False)
        if stat.S_ISLNK(facts.st_mode):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        if not stat.S_ISREG(facts.st_mode):
            raise ImageError("unreadable", "not a regular file")
        return facts

    def _leave(self) -> None:
        if self._handle != self._root:
            os.close(self._handle)
        self._path, self._handle = b"", self._root


def open_file(files: Beneath, path: bytes) -> int:
    """Handle of a regular file whose bytes are on this disk. Raises ImageError for whatever is wrong."""
    try:
        handle = files.open(path)
    except OSError as error:
        raise ImageError("unreadable", reason_of(error)) from error
    if is_only_in_cloud(os.fstat(handle)):
        os.close(handle)
        raise ImageError("unreadable", "not on this disk")
    return handle


def read_file(files: Beneath, path: bytes, listed: Entry, max_bytes: int) -> Item:
    """The bytes of a file with the stamp that the open file had before it was read."""
    try:
        handle = open_file(files, path)
    except ImageError as error:
        return unread(listed, error)
    try:
        facts = os.fstat(handle)
        stamp = (facts.st_size, modified_ns(facts), facts.st_ino, facts.st_dev)
        if facts.st_size > max_bytes:
            return Item(listed.uri, None, *stamp, status="rejected", reason=too_large(facts.st_size, max_bytes))
        return Item(listed.uri, _read(handle, facts.st_size), *stamp)
    except OSError as error:
        return unread(listed, ImageError("unreadable", reason_of(error)))
    finally:
        os.close(handle)


def unread(listed: Entry, error: ImageError) -> Item:
    """An image that was listed and could not be read; its stamp is that of the listing."""
    return Item(*_without_data(listed), status=error.status, reason=error.reason)


def too_large(size_bytes: int, max_bytes: int) -> str:
    return f"{size_bytes:,} bytes; at most {max_bytes:,} are read"


def _without_data(listed: Entry) -> tuple[str, None, int, int, int, int, int | None]:
    return (listed.uri, None, *listed[1:])


def _read(handle: int, size_bytes: int) -> bytes:
    data = os.read(handle, size_bytes)
    if len(data) == size_bytes:  # nearly always
        return data
    parts = [data]
    while parts[-1] and (missing := size_bytes - sum(map(len, parts))):
        parts.append(os.read(handle, missing))
    return b"".join(parts)


def _check(name: bytes) -> None:
    if name in (b"", b".", b".."):
        raise ImageError("rejected", "the path is not a plain path downwards")
    if b"\0" in name:
        raise ImageError("rejected", "the path holds a NUL")
