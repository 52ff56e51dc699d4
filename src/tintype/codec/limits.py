"""How much one image may ask for before it is rejected."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds for one image. What is over one of them gets the status `rejected` or `timeout`."""

    pixels: int = 200_000_000  # width × height at full size
    side_px: int = 100_000  # the longer side
    bytes: int = 1_000_000_000  # of the file
    frames: int = 5_000  # of an animation, or pages
    cpu_seconds: float = 30.0  # for all work on the image; the worker is replaced past it
    memory_mb: int = 2_000  # of a worker while it works on the image; it is replaced past it
    aspect: float = 25_000.0  # longer side by shorter one
