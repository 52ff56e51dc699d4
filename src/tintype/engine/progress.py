"""Adds up what workers report while a run goes on."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from typing import Any

from tintype.core.progress import Progress

_WORKING = ("scanning", "embedding")  # phases with a rate and an end


class Meter:
    """Adds up what workers report and makes Progress of it."""

    _WINDOW_S = 20.0

    def __init__(self, activities: tuple[str, ...] = ("read", "decode", "stages", "write")) -> None:
        """`activities` are those whose shares are told; what is named `stage …` counts as "stages"."""
        self.activities = activities
        self.done = 0
        self.total = 0
        self.status: Counter[str] = Counter()
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._recent: deque[tuple[float, int]] = deque()

    def add(self, images: int, status: Mapping[str, int], seconds: Mapping[str, float], now: float) -> None:
        self.done += images
        self.status.update(status)
        for activity, spent in seconds.items():
            self.seconds[activity] += spent
        self._recent.append((now, images))
        while self._recent and self._recent[0][0] < now - self._WINDOW_S:
            self._recent.popleft()

    def progress(self, phase: str, now: float) -> Progress:
        rate = self._rate(now)
        left = (self.total - self.done) / rate if rate and phase in _WORKING else None
        shares = self.shares()
        bottleneck = max(shares, key=lambda name: shares[name]) if shares else None
        return Progress(
            phase,
            self.done,
            self.total,
            dict(sorted(self.status.items())),
            now,
            rate,
            left,
            shares,
            bottleneck,
        )

    def shares(self) -> dict[str, float]:
        groups: defaultdict[str, float] = defaultdict(float)
        for name, seconds in self.seconds.items():
            groups["stages" if name.startswith("stage ") else name] += seconds
        whole = sum(groups.values())
        return {name: groups[name] / whole for name in self.activities} if whole else {}

    def time(self) -> dict[str, Any]:
        """Seconds of all workers together: read, decode, write, and the stages by name."""
        stages = {
            name.removeprefix("stage "): round(seconds, 3)
            for name, seconds in sorted(self.seconds.items())
            if name.startswith("stage ")
        }
        plain = {name: round(self.seconds[name], 3) for name in ("read", "decode", "write")}
        return {"read": plain["read"], "decode": plain["decode"], "stages": stages, "write": plain["write"]}

    def _rate(self, now: float) -> float:
        begin = min(now - 0.001, self._recent[0][0]) if len(self._recent) > 1 else 0.0
        images = sum(count for _, count in self._recent)
        return images / (now - begin) if now > begin else 0.0


class StageFailures:
    """How many images each stage failed on, and the first of them by uri."""

    def __init__(self) -> None:
        self._by_stage: dict[str, tuple[int, str, str]] = {}

    def add(self, failures: Mapping[str, Sequence[Any]]) -> None:
        """What a shard says: by stage (images, uri, reason)."""
        for stage, (count, uri, reason) in failures.items():
            known = self._by_stage.get(stage, (0, uri, reason))
            self._by_stage[stage] = (known[0] + count, *min(known[1:], (uri, reason)))

    def told(self) -> list[tuple[str, str]]:
        """(uri, in words) of each stage, by its name."""
        return [
            (uri, f"stage {stage} failed on {count} images, which have no values of it; here: {reason}")
            for stage, (count, uri, reason) in sorted(self._by_stage.items())
        ]
