"""The bytes of a tar archive at any place, plain or gzipped, in bounded memory."""

from __future__ import annotations

import os
import stat
import weakref
import zlib
from contextlib import suppress
from pathlib import Path

from tintype.core.errors import SourceError
from tintype.core.names import shown
from tintype.sources.beneath import is_only_in_cloud, reason_of

CHUNK = 1 << 18
WINDOW = 8 << 20
"""Unpacked bytes that are kept of a gzipped archive, so that going back a little costs nothing."""
MAX_RATIO = 200
"""Unpacked by packed bytes past RATIO_FROM; photos have about 1, text 3 to 10, bombs about 1,000."""
RATIO_FROM = 64 << 20
MAX_UNPACKED = 16 << 30

_UNREADABLE = {
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"PK\x03\x04": "zip",
}


def open_archive(path: Path) -> PlainBytes | GzipBytes:
    """The archive's bytes. Raises SourceError where it cannot be opened or is compressed in another way than gzip."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise SourceError(f"{shown(str(path))}: cannot be read: {reason_of(error)}") from error
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            raise SourceError(f"{shown(str(path))}: not a regular file")
        if is_only_in_cloud(facts):
            raise SourceError(f"{shown(str(path))}: not on this disk")
        head = os.pread(handle, 6, 0)
        for magic, what in _UNREADABLE.items():
            if head.startswith(magic):
                raise SourceError(
                    f"{shown(str(path))}: packed with {what}, which gives no single image back. Unpack it first"
                )
        return GzipBytes(path, handle) if head.startswith(b"\x1f\x8b") else PlainBytes(path, handle)
    except BaseException:
        os.close(handle)
        raise


class PlainBytes:
    """An archive that is not packed. Its handle goes with this object."""

    is_packed = False

    def __init__(self, path: Path, handle: int) -> None:
        self.path, self._handle = path, handle
        self.facts = os.fstat(handle)
        weakref.finalize(self, os.close, handle)

    def facts_now(self) -> os.stat_result:
        return os.fstat(self._handle)

    @property
    def size(self) -> int:
        return self.facts.st_size

    def read(self, offset: int, count: int) -> bytes:
        count = min(count, self.size - offset)
        if count <= 0:
            return b""
        data = os.pread(self._handle, count, offset)
        while len(data) < count and (more := os.pread(self._handle, count - len(data), offset + len(data))):
            data += more
        return data

    def left_after(self, offset: int) -> int:
        """Bytes of the file that lie behind a place."""
        return max(0, self.size - offset)


class GzipBytes:
    """A gzipped archive, unpacked as one goes; going back further than WINDOW begins anew.

    Raises SourceError where it unpacks to far more than it is: such a file is made to fill memory or time.
    Where the packed data is cut off or damaged, the bytes end there and `damage` says why.
    """

    is_packed = True

    def __init__(self, path: Path, handle: int) -> None:
        self.path, self._handle = path, handle
        self.facts = os.fstat(handle)
        self.damage: str | None = None
        weakref.finalize(self, os.close, handle)
        self._rewind()

    def facts_now(self) -> os.stat_result:
        return os.fstat(self._handle)

    @property
    def size(self) -> int | None:
        return self._start + len(self._kept) if self._over else None

    def read(self, offset: int, count: int) -> bytes:
        if offset < self._start:
            self._rewind()
        while not self._over and self._start + len(self._kept) < offset + count:
            self._unpack_more()
            useless = min(offset - self._start, len(self._kept) - WINDOW)
            if useless > 0:
                del self._kept[:useless]
                self._start += useless
        begin = offset - self._start
        return bytes(memoryview(self._kept)[begin : begin + count]) if begin >= 0 else b""

    def left_after(self, offset: int) -> int:
        """Bytes of the packed file that were not needed to come to a place."""
        return max(0, self.facts.st_size - self._packed)

    def _rewind(self) -> None:
        self._kept, self._start, self._packed = bytearray(), 0, 0
        self._input, self._over = b"", False
        self._unpacker = zlib.decompressobj(wbits=31)

    def _unpack_more(self) -> None:
        if self._unpacker.eof:
            self._input = self._unpacker.unused_data.lstrip(b"\0")
            self._unpacker = zlib.decompressobj(wbits=31)
            if not self._input and not self._fill():
                self._over = True
                return
        if not self._input and not self._fill():
            self._end("the gzip data is cut off")
            return
        before = self._unpacker.copy()
        try:
            self._kept += self._unpacker.decompress(self._input, CHUNK)
            self._input = self._unpacker.unconsumed_tail
        except zlib.error:
            self._save_rest(before)
        self._check_size()

    def _save_rest(self, unpacker: zlib._Decompress) -> None:
        """Take what can be unpacked before the damage, in small steps: what a failing step gave is lost."""
        self._end("the gzip data is damaged")
        with suppress(zlib.error):
            while part := unpacker.decompress(self._input, 512):
                self._kept += part
                self._input = unpacker.unconsumed_tail

    def _fill(self) -> bool:
        self._input = os.pread(self._handle, CHUNK, self._packed)
        self._packed += len(self._input)
        return bool(self._input)

    def _end(self, damage: str) -> None:
        self._over, self.damage = True, damage

    def _check_size(self) -> None:
        unpacked = self._start + len(self._kept)
        if unpacked > RATIO_FROM and unpacked > MAX_RATIO * self._packed:
            raise SourceError(
                f"{shown(str(self.path))}: unpacks to more than {MAX_RATIO} times its size, as a bomb does; not read"
            )
        if unpacked > MAX_UNPACKED:
            raise SourceError(
                f"{shown(str(self.path))}: unpacks to more than {MAX_UNPACKED:,} bytes. Unpack it first: gunzip -k"
            )
