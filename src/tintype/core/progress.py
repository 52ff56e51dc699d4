"""How a scan stands and what it did, as plain values that a terminal, a notebook or a log can draw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Progress:
    """One moment of a scan. `shares` says which part of the workers' time went to what; it adds up to 1.

    Or of an answer that takes long: then only the phase is told, the seconds, and counts where they are known.
    """

    phase: str  # of a scan "listing", "scanning", "compacting", "done"; of an answer its words
    done: int
    total: int
    status: Mapping[str, int]
    seconds: float
    images_per_second: float
    seconds_left: float | None
    shares: Mapping[str, float]  # read, decode, stages, write
    bottleneck: str | None


@dataclass(frozen=True)
class ScanSummary:
    """What a scan did. `images` and `status` speak of the collection as it is now, the rest of this scan."""

    images: int
    status: Mapping[str, int]
    new: int
    changed: int
    moved: int
    gone: int
    unchanged: int
    updated: int
    skipped: Mapping[str, int]
    problems: list[tuple[str, str]]
    label_rest: int  # images with label values that did not fit their columns; they are kept in `label_rest`
    seconds: float
    images_per_second: float
    cpu_seconds: float
    time: Mapping[str, Any] = field(default_factory=dict)
    bottleneck: str | None = None
    advice: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The document of `tintype scan --json`."""
        return {
            "schema": 1,
            "images": self.images,
            "status": dict(self.status),
            "new": self.new,
            "changed": self.changed,
            "moved": self.moved,
            "gone": self.gone,
            "unchanged": self.unchanged,
            "updated": self.updated,
            "skipped": dict(sorted(self.skipped.items())),
            "label_rest": self.label_rest,
            "problems": [{"uri": uri, "reason": reason} for uri, reason in self.problems],
            "seconds": round(self.seconds, 3),
            "images_per_second": round(self.images_per_second, 1),
            "cpu_seconds": round(self.cpu_seconds, 3),
            "time": dict(self.time),
            "bottleneck": self.bottleneck,
            "advice": self.advice,
        }
