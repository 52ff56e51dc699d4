"""Colors that tell clusters apart on light and dark paper alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice

COLORS = (
    "#c4553b",
    "#2f7fb0",
    "#5a8f3c",
    "#8f63bd",
    "#a8762a",
    "#178a7c",
    "#c2568c",
    "#4f6bd0",
    "#7c7f2c",
)
"""sRGB; each has a contrast of 3 or more with the grounds of both themes."""

GRAY = "#857d74"
"""For what is in no cluster that has a color."""


def colored(numbers: Iterable[int]) -> Mapping[int, str]:
    """A color for each of the first clusters."""
    return dict(zip(islice(dict.fromkeys(numbers), len(COLORS)), COLORS, strict=False))
