"""How an output comes along, whoever works on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class EmbedSummary:
    """What a run did. `images`, `vectors` and `status` speak of the whole output, the rest of this run alone."""

    output: str
    is_complete: bool
    images: int
    vectors: int
    status: Mapping[str, int]
    files: int
    embedded: int  # images of this run, here and by its own workers
    skipped: Mapping[str, int]
    problems: list[tuple[str, str]]
    seconds: float
    images_per_second: float
    cpu_seconds: float
    time: Mapping[str, float]  # seconds of all workers together: read, decode, compute, write
    bottleneck: str | None
    advice: str | None

    def to_json(self) -> dict[str, Any]:
        """The document of `tintype embed --output --json`."""
        return {
            "schema": 1,
            "output": self.output,
            "complete": self.is_complete,
            "images": self.images,
            "vectors": self.vectors,
            "status": dict(self.status),
            "files": self.files,
            "embedded": self.embedded,
            "skipped": dict(sorted(self.skipped.items())),
            "problems": [{"uri": uri, "reason": reason} for uri, reason in self.problems],
            "seconds": round(self.seconds, 3),
            "images_per_second": round(self.images_per_second, 1),
            "cpu_seconds": round(self.cpu_seconds, 3),
            "time": dict(self.time),
            "bottleneck": self.bottleneck,
            "advice": self.advice,
        }


@dataclass(frozen=True, kw_only=True)
class OutputStatus:
    """How an output stands."""

    output: str
    is_complete: bool
    shards: Mapping[str, int]  # by state: pending, leased, done, abandoned
    images: int
    done: int  # images in shards that are done
    vectors: int
    status: Mapping[str, int]  # of images that are done
    images_per_second: float | None  # of late, all workers together; None where nobody works
    seconds_left: float | None
    failures: list[dict[str, Any]]  # images: id, status, reason; the first of each shard that has some
    abandoned: list[dict[str, Any]]  # shards: shard, images, reason
    retried: int = 0

    def to_json(self) -> dict[str, Any]:
        """The document of `tintype status --json`."""
        return {
            "schema": 1,
            "output": self.output,
            "complete": self.is_complete,
            "shards": dict(self.shards),
            "images": self.images,
            "done": self.done,
            "vectors": self.vectors,
            "status": dict(self.status),
            "images_per_second": self.images_per_second,
            "seconds_left": self.seconds_left,
            "failures": self.failures,
            "abandoned": self.abandoned,
            "retried": self.retried,
        }
