"""Images in a folder and its subfolders."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from tintype.codec.sniff import HEAD_BYTES, IMAGE_EXTENSIONS, sniff
from tintype.core.columns import Column
from tintype.core.errors import SourceError
from tintype.core.names import path_from_uri, shown, uri_from_path
from tintype.sources.base import ENTRIES, Item, Notes, Shard, modified_ns
from tintype.sources.beneath import OPEN_FILE, Beneath, is_only_in_cloud, open_file, read_file, reason_of

ENTRIES_PER_SHARD = 8_192

_CLOUDS = sys.platform in ("darwin", "win32")  # where asking is worth a system call


class FolderSource:
    """All images below a folder, wherever they lie, in the order of their uris.

    What is passed over is counted in `notes.skipped`: "hidden" (names with a leading dot), "ignored" (by a
    pattern as .gitignore has them), "link" (symbolic links are never followed: what they lead to has its own
    name inside the root, or lies outside), "special" (FIFOs, sockets, devices), "other" (neither name nor
    first bytes say image). A folder that is passed over counts once. Tintype's own folders are left out.
    """

    is_ordered = True

    def __init__(self, root: Path, ignore: tuple[str, ...] = (), hidden: bool = False) -> None:
        self.root = Path(os.path.abspath(root))
        self.ignore, self.hidden = tuple(ignore), hidden
        self._notes = Notes()

    @property
    def place(self) -> str:
        return str(self.root)

    @property
    def labels(self) -> tuple[Column, ...]:
        return ()

    @property
    def notes(self) -> Notes:
        return self._notes

    def shards(self) -> Iterator[Shard]:
        self._notes = Notes()
        rows = _Rows()
        try:
            with Beneath(self.root) as files:
                for folder, names in _Walk(files, self._notes, self.hidden, ignores(self.ignore)):
                    try:
                        rows.add(files.folder(folder.path), folder.prefix, names)
                    except OSError as error:
                        _unseen(self._notes, folder.prefix, error)
                    while len(rows) >= ENTRIES_PER_SHARD:
                        yield Shard(rows.take(ENTRIES_PER_SHARD))
        except OSError as error:
            raise self._unreadable(error) from error
        if len(rows):
            yield Shard(rows.take(len(rows)))

    def read(self, shard: Shard, max_bytes: int) -> Iterator[Item]:
        with self._opened() as files:
            for entry in shard:
                yield read_file(files, path_from_uri(entry.uri), entry, max_bytes)

    def open(self, uri: str) -> BinaryIO:
        with self._opened() as files:
            return os.fdopen(open_file(files, path_from_uri(uri)), "rb")

    def _opened(self) -> Beneath:
        try:
            return Beneath(self.root)
        except OSError as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: OSError) -> SourceError:
        return SourceError(f"{shown(self.place)}: cannot be read as a folder: {reason_of(error)}")


@dataclass(frozen=True)
class _Folder:
    path: bytes
    prefix: str  # the path as the beginning of a uri: empty, or with a slash at the end
    waiting: list[str]  # last parts of uris, the next one at the end; a subfolder has a slash at its end

    def next_images(self) -> list[str]:
        """What comes before the next subfolder, at most ENTRIES_PER_SHARD, taken from what waits."""
        images: list[str] = []
        while self.waiting and not self.waiting[-1].endswith("/") and len(images) < ENTRIES_PER_SHARD:
            images.append(self.waiting.pop())
        return images


class _Walk:
    """The folders below a root with the names of their images, in the order of the uris' UTF-8 bytes.

    A subfolder sorts as its name with a slash, so the order holds for whole uris and nothing has to be held
    but the names in the folders that one is in.
    """

    def __init__(self, files: Beneath, notes: Notes, hidden: bool, ignored: Callable[[str], bool] | None) -> None:
        self._files, self._notes, self._hidden, self._ignored = files, notes, hidden, ignored

    def __iter__(self) -> Iterator[tuple[_Folder, list[str]]]:
        inside = [self._enter(b"", "")]
        while inside:
            folder = inside[-1]
            if names := folder.next_images():
                yield folder, names
            elif folder.waiting:
                name = folder.waiting.pop()
                inside.append(self._enter(path_from_uri(folder.prefix + name)[:-1], folder.prefix + name))
            else:
                inside.pop()

    def _enter(self, path: bytes, prefix: str) -> _Folder:
        """A folder with the images and subfolders that stand directly in it."""
        names: list[str] = []
        try:
            handle = self._files.folder(path)
            with os.scandir(handle) as entries:
                names.extend(filter(None, (self._choose(handle, entry, path) for entry in entries)))
        except OSError as error:
            if not path:
                raise
            _unseen(self._notes, prefix, error)
        return _Folder(path, prefix, sorted(_as_uris(names), reverse=True))

    def _choose(self, handle: int, entry: os.DirEntry[str], path: bytes) -> str | None:
        """The name if it is an image's, with a slash if it is a subfolder's; all else is counted."""
        name = entry.name
        is_folder = entry.is_dir(follow_symlinks=False)
        if is_folder and (name.endswith(".tintype") or name == ".tintype-trash"):
            return None
        if name[0] == "." and not self._hidden:
            why = "hidden"
        elif self._ignored and self._ignored(_readable(path, name, is_folder)):
            why = "ignored"
        elif is_folder:
            return name + "/"
        elif entry.is_file(follow_symlinks=False):
            if name[name.rfind(".") :].lower() in IMAGE_EXTENSIONS or _has_image(handle, entry):
                return name
            why = "other"
        else:
            why = "link" if entry.is_symlink() else "special"
        self._notes.skipped[why] += 1
        return None


def _has_image(handle: int, entry: os.DirEntry[str]) -> bool:
    """Whether the first bytes say image where the name does not."""
    try:
        if _CLOUDS and is_only_in_cloud(entry.stat(follow_symlinks=False)):
            return False
        file = os.open(entry.name, OPEN_FILE, dir_fd=handle)
    except OSError:
        return False
    try:
        return sniff(os.read(file, HEAD_BYTES)) is not None
    except OSError:
        return False
    finally:
        os.close(file)


class _Rows:
    """Rows of ENTRIES in plain lists: no object of our own is made for a file."""

    def __init__(self) -> None:
        self._uris: list[str] = []
        self._facts: list[os.stat_result] = []

    def __len__(self) -> int:
        return len(self._uris)

    def add(self, handle: int, prefix: str, names: list[str]) -> None:
        """Ask the system about the files of a folder. Files that are gone by now are left out."""
        paths: Sequence[str | bytes] = names
        if "%" in "".join(names):
            paths = [path_from_uri(name) for name in names]
        facts = _facts(handle, paths)
        if None in facts:
            names = [name for name, fact in zip(names, facts, strict=True) if fact]
        self._facts.extend(fact for fact in facts if fact)
        self._uris.extend([prefix + name for name in names] if prefix else names)

    def take(self, count: int) -> pa.RecordBatch:
        """The first rows, which are then no longer here."""
        uris, facts = self._uris[:count], self._facts[:count]
        del self._uris[:count], self._facts[:count]
        columns = [
            pa.array(uris, pa.string()),
            pa.array([fact.st_size for fact in facts], pa.int64()),
            pa.array([modified_ns(fact) for fact in facts], pa.int64()),
            pa.array([fact.st_ino for fact in facts], pa.uint64()),
            pa.array([fact.st_dev for fact in facts], pa.uint64()),
            pa.nulls(count, pa.int64()),
        ]
        return pa.RecordBatch.from_arrays(columns, schema=ENTRIES)


def _facts(handle: int, names: Sequence[str | bytes]) -> Sequence[os.stat_result | None]:
    """What the system says of each file of a folder; None where it is gone."""
    try:
        return [os.stat(name, dir_fd=handle, follow_symlinks=False) for name in names]
    except FileNotFoundError:
        return [_fact(handle, name) for name in names]


def _fact(handle: int, name: str | bytes) -> os.stat_result | None:
    try:
        return os.stat(name, dir_fd=handle, follow_symlinks=False)
    except FileNotFoundError:
        return None


def _as_uris(names: list[str]) -> list[str]:
    together = "".join(names)
    if together.isascii() and "%" not in together and "#" not in together:
        return names
    return [uri_from_path(os.fsencode(name)) for name in names]


def _readable(path: bytes, name: str, is_folder: bool) -> str:
    """Path of an entry as patterns are matched against it."""
    return (os.fsdecode(path + b"/") if path else "") + name + "/" * is_folder


def _unseen(notes: Notes, prefix: str, error: OSError) -> None:
    """A folder, or a part of it, could not be listed."""
    if not isinstance(error, FileNotFoundError):  # one that is gone by now holds nothing
        notes.unseen(prefix, f"the folder cannot be listed: {reason_of(error)}")


def ignores(patterns: tuple[str, ...]) -> Callable[[str], bool] | None:
    """Whether a path (folders with a slash at the end) is ignored, by the rules of .gitignore."""
    if not patterns:
        return None
    from pathspec import GitIgnoreSpec  # only who ignores something waits for the import

    return GitIgnoreSpec.from_lines(patterns).match_file
