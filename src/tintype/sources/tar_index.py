"""Where the images of a tar archive lie, and which labels belong to each, as WebDataset groups them."""

from __future__ import annotations

import os
import re
from array import array
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tintype.codec.sniff import HEAD_BYTES, IMAGE_EXTENSIONS, sniff
from tintype.core.errors import SourceError
from tintype.core.names import shown, uri_from_path
from tintype.sources.base import Notes, modified_ns
from tintype.sources.tar_bytes import WINDOW, GzipBytes, PlainBytes, open_archive
from tintype.sources.tar_headers import Member, TarDamage, TarWalk

SIDECARS = (".json", ".txt", ".cls")
_TAIL = 16 << 20
"""How far behind the end marker it is looked for members that were lost."""

_KEY = re.compile(rb"((?:.*/)?[^./][^./]*)(\.[^/]*)", re.DOTALL)
"""WebDataset: a member's key is its path up to the first dot of its last name; the rest is its extension."""


@dataclass(frozen=True)
class Sidecar:
    """The place of a label file; `kind` is one of SIDECARS."""

    kind: str
    offset: int
    size_bytes: int


@dataclass(frozen=True)
class Index:
    """The images in the order they are listed, and their sidecars; compact, 50 bytes or so an image."""

    uris: pa.Array  # string
    offsets: NDArray[np.int64]
    sizes: NDArray[np.int64]
    samples: NDArray[np.int64]  # number of the image's sample; -1 where it has no key
    sidecars: NDArray[np.int64]  # (n, 4): sample, kind, offset, size; ascending
    cut_offset: int | None  # of the image whose data the archive does not hold to its end
    is_packed: bool
    stamp: tuple[int, ...]  # size, mtime in ns, inode and device of the archive
    notes: Notes

    def rows_of(self, uris: pa.Array) -> list[int | None]:
        """Where in this index each uri stands."""
        rows: list[int | None] = pc.index_in(uris, value_set=self.uris).to_pylist()
        return rows

    def sidecars_of(self, row: int) -> list[Sidecar]:
        sample = self.samples[row]
        if sample < 0:
            return []
        begin, end = np.searchsorted(self.sidecars[:, 0], [sample, sample + 1])
        return [Sidecar(SIDECARS[kind], offset, size) for _, kind, offset, size in self.sidecars[begin:end].tolist()]


def index_of(path: Path) -> Index:
    """The index of an archive as it is now; made once for each state of the file. Raises SourceError."""
    return _indexed(path, stamp_of(open_archive(path)))


def stamp_of(archive: PlainBytes | GzipBytes) -> tuple[int, ...]:
    """What tells that an archive is the one that was opened."""
    return _stamp(archive.facts)


def stamp_now(archive: PlainBytes | GzipBytes) -> tuple[int, ...]:
    """The same of the open file as it is now."""
    return _stamp(archive.facts_now())


def _stamp(facts: os.stat_result) -> tuple[int, ...]:
    return (facts.st_size, modified_ns(facts), facts.st_ino, facts.st_dev)


@lru_cache(maxsize=4)
def _indexed(path: Path, stamp: tuple[int, ...]) -> Index:
    return _Builder(open_archive(path)).build()


@dataclass
class _Builder:
    archive: PlainBytes | GzipBytes
    uris: list[str] = field(default_factory=list)
    images: array[int] = field(default_factory=lambda: array("q"))  # offset, size, sample of each
    labels: array[int] = field(default_factory=lambda: array("q"))  # sample, kind, offset, size of each
    samples: dict[bytes, int] = field(default_factory=dict)
    cut_offset: int | None = None
    notes: Notes = field(default_factory=Notes)

    def __post_init__(self) -> None:
        self.prefix = uri_from_path(self.archive.path.name) + "#"

    def build(self) -> Index:
        walk = TarWalk(self.archive)
        last: Member | None = None
        try:
            for member in walk:
                last = member
                self._take(member)
            if walk.has_gap:
                self.notes.problem(self.prefix, "a block of zeros stands between members")
            self._look_behind(walk.position)
        except TarDamage as damage:
            self._note_damage(damage, walk.position, last)
        return self._index()

    def _take(self, member: Member) -> None:
        skipped = self.notes.skipped
        if member.refusal:
            self.notes.refuse(self._uri(member), member.refusal)
        elif member.kind == "folder":
            return
        elif member.kind != "file":
            skipped["special"] += 1
        elif member.name.rpartition(b"/")[2].startswith(b"._"):  # what macOS puts beside each file
            skipped["hidden"] += 1
        else:
            self._take_file(member)

    def _take_file(self, member: Member) -> None:
        found = _KEY.fullmatch(member.name)
        sample = self.samples.setdefault(found[1], len(self.samples)) if found else -1
        extension = found[2].decode("latin-1").lower() if found else ""
        if extension in SIDECARS:
            self.labels.extend((sample, SIDECARS.index(extension), member.offset, member.size_bytes))
        elif extension in IMAGE_EXTENSIONS or self._is_image(member):
            self.uris.append(self._uri(member))
            self.images.extend((member.offset, member.size_bytes, sample))
        else:
            self.notes.skipped["other"] += 1

    def _is_image(self, member: Member) -> bool:
        name = member.name.decode("latin-1")
        if name[name.rfind(".") :].lower() in IMAGE_EXTENSIONS:
            return True
        return sniff(self.archive.read(member.offset, min(HEAD_BYTES, member.size_bytes))) is not None

    def _uri(self, member: Member) -> str:
        return self.prefix + uri_from_path(member.name)

    def _look_behind(self, end: int) -> None:
        """Say so where something lies behind the end marker: members that were added, or lost by damage."""
        for offset in range(end, end + _TAIL, 1 << 20):
            part = self.archive.read(offset, 1 << 20)
            if any(part):
                lost = self.archive.left_after(offset)
                self.notes.unseen(self.prefix, f"{lost:,} bytes behind the end marker were not read")
            if any(part) or not part:
                break
        if isinstance(self.archive, GzipBytes) and self.archive.damage:
            raise TarDamage(self.archive.damage)

    def _note_damage(self, damage: TarDamage, position: int, last: Member | None) -> None:
        archive = self.archive
        reason = (isinstance(archive, GzipBytes) and archive.damage) or damage.reason
        if last is None and position == 0:
            empty = not archive.facts.st_size
            raise SourceError(
                f"{shown(str(archive.path))}: "
                + ("an empty file" if empty else f"not a tar archive, or damaged: {reason}")
            )
        if last and archive.size is not None and last.offset + last.size_bytes > archive.size:
            self.cut_offset = last.offset
        lost = archive.left_after(position)
        self.notes.unseen(self.prefix, f"{reason}; {lost:,} bytes were not read" if lost else reason)

    def _index(self) -> Index:
        images = np.array(self.images, np.int64).reshape(-1, 3)
        labels = np.array(self.labels, np.int64).reshape(-1, 4)
        uris = pa.array(self.uris, pa.string())
        self.uris, self.samples = [], {}
        if self.cut_offset is not None:
            for rows, offset, size in ((images, 0, 1), (labels, 2, 3)):
                there = max(0, (self.archive.size or 0) - self.cut_offset)
                rows[rows[:, offset] == self.cut_offset, size] = there
        uris, images = self._without_replaced(uris, images)
        has_image = np.isin(labels[:, 0], images[:, 2])
        if alone := int((~has_image).sum()):
            self.notes.skipped["labels without an image"] += alone
        labels = labels[has_image]
        if self.archive.is_packed:
            labels = self._without_far(labels, images)
        labels = labels[np.lexsort((labels[:, 2], labels[:, 0]))]
        offsets, sizes, samples = images[:, 0].copy(), images[:, 1].copy(), images[:, 2].copy()
        packed, stamp = self.archive.is_packed, stamp_of(self.archive)
        return Index(uris, offsets, sizes, samples, labels, self.cut_offset, packed, stamp, self.notes)

    def _without_replaced(self, uris: pa.Array, images: NDArray[np.int64]) -> tuple[pa.Array, NDArray[np.int64]]:
        """In the order they are listed; of members with one name the last one, which is tar's rule."""
        order = pc.sort_indices(
            pa.table({"uri": uris, "offset": images[:, 0]}),
            sort_keys=[("uri", "ascending"), ("offset", "ascending")],
        )
        uris, images = uris.take(order), images[order.to_numpy()]
        if not len(uris):
            return uris, images
        is_last = np.append(pc.not_equal(uris[:-1], uris[1:]).to_numpy(zero_copy_only=False), True)
        for uri in uris.filter(pa.array(~is_last)).to_pylist():
            self.notes.skipped["replaced"] += 1
            self.notes.problem(uri, "a later member of the same name takes its place")
        if self.archive.is_packed:  # read in the order of the archive: going back costs unpacking anew
            is_last = np.flatnonzero(is_last)
            is_last = is_last[np.argsort(images[is_last, 0])]
            return uris.take(pa.array(is_last)), images[is_last]
        return uris.filter(pa.array(is_last)), images[is_last]

    def _without_far(self, labels: NDArray[np.int64], images: NDArray[np.int64]) -> NDArray[np.int64]:
        """In a gzipped archive, labels that lie far from their image are left out: see WINDOW."""
        begin, end = (np.zeros(labels[:, 0].max(initial=-1) + 1, np.int64) for _ in range(2))
        known = images[(images[:, 2] >= 0) & (images[:, 2] < len(begin))]
        begin[known[:, 2]], end[known[:, 2]] = known[:, 0], known[:, 0] + known[:, 1]
        gap = np.maximum(labels[:, 2] - end[labels[:, 0]], begin[labels[:, 0]] - labels[:, 2] - labels[:, 3])
        if far := int((gap > WINDOW // 2).sum()):
            self.notes.skipped["labels far from their image"] += far
        near: NDArray[np.int64] = labels[gap <= WINDOW // 2]
        return near
