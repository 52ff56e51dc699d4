"""Proves that an output is whole: files as the manifest has them, a row for each image, vectors that are sound."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tintype.engine.vectors.leavings import is_ours
from tintype.engine.vectors.planning import read_listing
from tintype.store.outputs.base import NO_VECTOR, OUTPUT_STATUSES, Format, Gathers, Part, format_of
from tintype.store.outputs.manifest import Manifest, ManifestFile, read_manifest
from tintype.store.outputs.npz import vectors_of
from tintype.store.outputs.plan import Plan, read_plan
from tintype.store.places.base import Place

_LENGTH_TOLERANCE = 0.01  # float16 has 11 bits
_HASHED_AT_ONCE = 64_000_000  # ids whose hashes are held, 8 bytes each


@dataclass(frozen=True, kw_only=True)
class Verified:
    """What `verify` found; nothing is wrong where `problems` is empty."""

    output: str
    images: int
    vectors: int
    files: int
    bytes: int
    problems: list[tuple[str, str]]  # a file or an image, and what is wrong with it

    @property
    def is_whole(self) -> bool:
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """The document of `tintype verify --json`."""
        return {
            "schema": 1,
            "output": self.output,
            "whole": self.is_whole,
            "images": self.images,
            "vectors": self.vectors,
            "files": self.files,
            "bytes": self.bytes,
            "problems": [{"what": what, "reason": reason} for what, reason in self.problems],
        }


def verify_output(place: Place) -> Verified:
    """Read every file of an output. Raises CollectionNotFound where nothing was planned there."""
    plan = read_plan(place)
    manifest = read_manifest(place)
    if manifest is None:
        return Verified(
            output=place.url, images=0, vectors=0, files=0, bytes=0, problems=[("manifest.json", "is not there yet")]
        )
    return _Verifier(place, plan, manifest).run()


class _Verifier:
    def __init__(self, place: Place, plan: Plan, manifest: Manifest) -> None:
        self.place, self.plan, self.manifest = place, plan, manifest
        self.form: Format = format_of(plan.format)
        self.problems: list[tuple[str, str]] = []
        self.status: Counter[str] = Counter()
        self.images = self.vectors = self.bytes = 0

    def run(self) -> Verified:
        self._compare_plan()
        by_shard = {shard: list(files) for shard, files in groupby(self.manifest.files, key=lambda file: file.shard)}
        for shard in range(self.plan.shards):
            self._shard(shard, by_shard.get(shard, []))
        if (self.images, self.vectors) != (self.manifest.images, self.manifest.vectors):
            self._wrong("manifest.json", f"says {self.manifest.images:,} images with {self.manifest.vectors:,} vectors")
        if dict(self.status) != dict(self.manifest.status):
            self._wrong("manifest.json", "its counts by status are others than those of the rows")
        self._look_for_others()
        self.problems += ((uri, "is in two rows") for uri in _repeated(self._listed_uris, self.plan.images))
        return Verified(
            output=self.place.url,
            images=self.images,
            vectors=self.vectors,
            files=len(self.manifest.files),
            bytes=self.bytes,
            problems=self.problems,
        )

    def _wrong(self, what: str, reason: str) -> None:
        self.problems.append((what, reason))

    def _compare_plan(self) -> None:
        for name in ("fingerprint", "backend", "format", "dimension", "images"):
            if getattr(self.plan, name) != getattr(self.manifest, name):
                self._wrong("manifest.json", f"its {name} is another than the plan's")

    def _shard(self, shard: int, files: Sequence[ManifestFile]) -> None:
        part = Part(shard, self.plan.shards, self.plan.images_of(shard))
        if tuple(file.name for file in files) != self.form.names(part):
            self._wrong(self.form.names(part)[0], "is not in the manifest as it should be")
            return
        contents = [content for file in files if (content := self._content(file)) is not None]
        if len(contents) < len(files):
            return
        try:
            rows = self.form.decode(contents)
        except ValueError as error:
            self._wrong(files[0].name, str(error))
            return
        self._rows(shard, files[0], rows)

    def _content(self, file: ManifestFile) -> bytes | None:
        try:
            content = self.place.read(file.name)
        except OSError as error:
            self._wrong(file.name, "is not there" if isinstance(error, FileNotFoundError) else str(error))
            return None
        self.bytes += len(content)
        if len(content) != file.bytes:
            self._wrong(file.name, f"has {len(content):,} bytes, not {file.bytes:,}")
            return None
        if hashlib.sha256(content).hexdigest() != file.sha256:
            self._wrong(file.name, "its bytes are others than were written (SHA-256)")
            return None
        return content

    def _rows(self, shard: int, file: ManifestFile, rows: pa.Table) -> None:
        good = rows.filter(rows["embedding"].is_valid())
        self.images += rows.num_rows
        self.vectors += good.num_rows
        if (rows.num_rows, good.num_rows) != (file.rows, file.vectors):
            self._wrong(file.name, f"has {rows.num_rows:,} rows and {good.num_rows:,} vectors; others were written")
        statuses = Counter(rows["status"].to_pylist())
        self.status.update(statuses)
        if unknown := set(statuses) - set(OUTPUT_STATUSES):
            self._wrong(file.name, f"has rows of an unknown status {min(unknown)!r}")
        if statuses["ok"] != good.num_rows or statuses[NO_VECTOR] > rows.num_rows - good.num_rows:
            self._wrong(file.name, "has vectors of images that failed, or none of some that did not")
        self._listed(shard, file, rows["id"].to_pylist())
        self._sound(file, good)

    def _listed(self, shard: int, file: ManifestFile, ids: list[str]) -> None:
        try:
            listed = read_listing(self.place, self.plan, shard)["uri"].to_pylist()
        except (OSError, ValueError) as error:
            self._wrong(self.plan.listing(shard), f"cannot be read ({error})")
            return
        if sorted(ids) != sorted(listed):
            missing = sorted(set(listed) - set(ids))
            what = f"{missing[0]} has no row" if missing else "has rows of images that were not listed, or some twice"
            self._wrong(file.name, what)

    def _sound(self, file: ManifestFile, good: pa.Table) -> None:
        if good.schema.field("embedding").type.list_size != self.plan.dimension:
            self._wrong(file.name, "its vectors are of another dimension")
            return
        lengths = np.linalg.norm(vectors_of(good).astype(np.float32), axis=1)
        bad = ~(np.abs(lengths - 1) <= _LENGTH_TOLERANCE)  # true for NaN
        if bad.any():
            image = good["id"][int(np.argmax(bad))].as_py()
            self._wrong(file.name, f"{int(bad.sum()):,} vectors are not of unit length (first: {image})")

    def _look_for_others(self) -> None:
        known = {file.name for file in self.manifest.files}
        gathered = self.form.gathered if isinstance(self.form, Gathers) else None
        for name in self.place.names():
            is_part = gathered is not None and name.startswith(gathered)
            if name not in known and not is_part and not is_ours(name):
                self._wrong(name, "is no file of this output")

    def _listed_uris(self) -> Iterator[list[str]]:
        for shard in range(self.plan.shards):
            try:
                yield read_listing(self.place, self.plan, shard)["uri"].to_pylist()
            except (OSError, ValueError):
                continue  # said above


def _repeated(uris: Any, count: int) -> list[str]:
    """Ids that come more than once. Hashes are compared, part by part, so that memory is bounded; then the ids."""
    parts = -(-count // _HASHED_AT_ONCE)
    suspects: set[int] = set()
    for part in range(parts):
        blocks = (_hashes(block) for block in uris())
        hashes = np.sort(np.concatenate([block[block % parts == part] for block in blocks]))
        suspects.update(hashes[1:][hashes[1:] == hashes[:-1]].tolist())
    if not suspects:
        return []
    seen = Counter(uri for block in uris() for uri in block if hash(uri) in suspects)
    return sorted(uri for uri, times in seen.items() if times > 1)


def _hashes(block: list[str]) -> NDArray[np.int64]:
    return np.fromiter(map(hash, block), np.int64, len(block))
