"""How a run stands and what it did, as plain values that a terminal, a notebook or a log can draw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Progress:
    """One moment of a scan, or of embedding. `shares` says which part of the workers' time went to what; it adds up
    to 1.

    Or of an answer that takes long: then only the phase is told, the seconds, and counts where they are known.
    """

    phase: str  # of a run "listing", "scanning", "embedding", "compacting", "done"; of an answer its words
    done: int
    total: int
    status: Mapping[str, int]
    seconds: float
    images_per_second: float
    seconds_left: float | None
    shares: Mapping[str, float]  # read, decode, stages or compute, write
    bottleneck: str | None


@dataclass(frozen=True, kw_only=True)
class RunSummary:
    """What a run did. `images` and `status` speak of the whole as it is now, the rest of this run."""

    images: int
    status: Mapping[str, int]
    skipped: Mapping[str, int]
    problems: list[tuple[str, str]]
    seconds: float
    images_per_second: float
    cpu_seconds: float  # of this machine
    time: Mapping[str, Any]  # seconds of all workers together, by activity
    bottleneck: str | None
    advice: str | None

    def to_json(self) -> dict[str, Any]:
        """The document of --json."""
        return {
            "schema": 1,
            "images": self.images,
            "status": dict(self.status),
            **self._own(),
            "skipped": dict(sorted(self.skipped.items())),
            "problems": [{"uri": uri, "reason": reason} for uri, reason in self.problems],
            "seconds": round(self.seconds, 3),
            "images_per_second": round(self.images_per_second, 1),
            "cpu_seconds": round(self.cpu_seconds, 3),
            "time": dict(self.time),
            "bottleneck": self.bottleneck,
            "advice": self.advice,
        }

    def _own(self) -> dict[str, Any]:
        """What this kind of run tells besides."""
        return {}


@dataclass(frozen=True, kw_only=True)
class ScanSummary(RunSummary):
    """What a scan did to its collection."""

    new: int
    changed: int
    moved: int
    gone: int
    unchanged: int
    updated: int
    label_rest: int  # images with label values that did not fit their columns; they are kept in `label_rest`

    def _own(self) -> dict[str, Any]:
        names = ("new", "changed", "moved", "gone", "unchanged", "updated", "label_rest")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, kw_only=True)
class EmbedSummary(RunSummary):
    """What was embedded into an output; `vectors` and `files` are those of the whole."""

    output: str
    is_complete: bool
    vectors: int
    files: int
    embedded: int  # images of this run, here and by its own workers

    def _own(self) -> dict[str, Any]:
        return {
            "output": self.output,
            "complete": self.is_complete,
            "vectors": self.vectors,
            "files": self.files,
            "embedded": self.embedded,
        }
