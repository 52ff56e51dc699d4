"""A folder of this machine as a place."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tintype.core.platform import full_disk_is_said, sync_directory, write_atomically
from tintype.store.places.base import Moves, Sweeps, checked_name

_HALF_WRITTEN = re.compile(r"\.(.+)\.[a-z0-9_]{8}")  # as tempfile names them


@dataclass(frozen=True)
class LocalPlace:
    """Files below a folder, which is made with the first of them. Names that begin with a dot are on their way."""

    folder: Path

    @property
    def url(self) -> str:
        return str(self.folder)

    def write(self, name: str, content: bytes) -> None:
        with full_disk_is_said(self.url):
            write_atomically(self._path_for(name), content)

    def create(self, name: str, content: bytes) -> bool:
        path = self._path_for(name)
        if path.exists():
            return False
        with full_disk_is_said(self.url):
            handle, temporary = tempfile.mkstemp(prefix=f".{path.name[:100]}.", dir=path.parent)
            try:
                with open(handle, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                    os.fchmod(file.fileno(), 0o644)
                os.link(temporary, path)  # unlike a rename, it fails where there is a file
            except FileExistsError:
                return False
            finally:
                os.unlink(temporary)
            sync_directory(path.parent)
        return True

    def read(self, name: str) -> bytes:
        try:
            return self._path(name).read_bytes()
        except (IsADirectoryError, NotADirectoryError) as error:
            raise FileNotFoundError(error.errno, error.strerror, name) from error

    def names(self, prefix: str = "") -> Iterator[str]:
        start = prefix.rpartition("/")[0]
        found = (path for path in self._below(self.folder / start) if path.startswith(prefix))
        return iter(sorted(found))

    def delete(self, name: str) -> None:
        self._path(name).unlink(missing_ok=True)

    def move(self, name: str, new_name: str) -> None:
        source, target = self._path(name), self._path_for(new_name)
        os.replace(source, target)
        # A power cut may give the file its old name back, until something is written in the place itself.
        if target.parent != self.folder:
            sync_directory(target.parent)

    def sweep(self, prefix: str) -> None:
        for folder, _, files in os.walk(self.folder / prefix.rpartition("/")[0], topdown=False):
            below = os.path.relpath(folder, self.folder) + "/"
            for name in files:
                half = _HALF_WRITTEN.fullmatch(name)
                if half and (below.removeprefix("./") + half[1]).startswith(prefix):
                    Path(folder, name).unlink(missing_ok=True)
            if prefix.endswith("/"):
                with contextlib.suppress(OSError):  # it holds files
                    os.rmdir(folder)

    def _path(self, name: str) -> Path:
        return self.folder / checked_name(name)

    def _path_for(self, name: str) -> Path:
        path = self._path(name)
        if not path.parent.is_dir():
            with full_disk_is_said(self.url):
                path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _below(self, folder: Path) -> Iterator[str]:
        for inner, _, files in os.walk(folder):
            below = os.path.relpath(inner, self.folder)
            for name in files:
                if not name.startswith("."):
                    yield name if below == "." else f"{below}/{name}"


_moves: type[Moves] = LocalPlace
_sweeps: type[Sweeps] = LocalPlace
