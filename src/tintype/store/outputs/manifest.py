"""What a finished output holds: its files with their hashes, and how many images and vectors. It is written last."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tintype.core.errors import CollectionDamaged
from tintype.store.places.base import Place

SCHEMA = 1
MANIFEST_FILE = "manifest.json"


@dataclass(frozen=True)
class ManifestFile:
    """One file; `rows` are all images of its shard, `vectors` those that have one."""

    name: str
    shard: int
    rows: int
    vectors: int
    bytes: int
    sha256: str  # 64 hexadecimal digits


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Equal runs give equal manifests, whoever did the work."""

    schema: int
    tintype: str  # the version that wrote it
    model: str
    fingerprint: str
    backend: str
    format: str
    dimension: int
    images: int
    vectors: int
    status: Mapping[str, int]
    skipped: Mapping[str, int]
    files: Sequence[ManifestFile]

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def write_manifest(place: Place, manifest: Manifest) -> None:
    place.write(MANIFEST_FILE, (json.dumps(manifest.to_json(), indent=1) + "\n").encode())


def read_manifest(place: Place) -> Manifest | None:
    """None where the output is not finished. Raises CollectionDamaged."""
    try:
        content = place.read(MANIFEST_FILE)
    except FileNotFoundError:
        return None
    try:
        facts = json.loads(content)
        return Manifest(**facts | {"files": [ManifestFile(**file) for file in facts["files"]]})
    except (ValueError, TypeError, KeyError) as error:
        mend = "Delete it and run the same command: it is made again"
        raise CollectionDamaged(place.url, f"{MANIFEST_FILE} cannot be read ({error})", mend) from error
