"""A measured figure with its bound, and the table that shows many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

Sense = Literal["at most", "at least"]


@dataclass(frozen=True)
class Figure:
    """One measured number. `bound` is None where the number is only shown, for comparison."""

    name: str
    value: float
    unit: str
    bound: float | None = None
    sense: Sense = "at most"
    detail: str = ""

    @property
    def holds(self) -> bool | None:
        """Whether the bound is kept; None without one."""
        if self.bound is None:
            return None
        return self.value <= self.bound if self.sense == "at most" else self.value >= self.bound


def table(figures: Sequence[Figure], *, judged: bool = True) -> str:
    """A Markdown table, one line a figure; without bounds where the inputs were too small to judge by."""
    if not judged:
        figures = [replace(figure, bound=None) for figure in figures]
    head = ["| figure | measured | bound | holds | detail |", "| --- | --- | --- | --- | --- |"]
    return "\n".join(head + [_line(figure) for figure in figures])


def spread(values: Sequence[float]) -> str:
    """The smallest and the largest of some values, in words."""
    return f"{min(values):.3g} to {max(values):.3g}"


def _line(figure: Figure) -> str:
    words = {True: "yes", False: "**no**", None: ""}
    bound = "" if figure.bound is None else f"{figure.sense} {_number(figure.bound)}"
    measured = f"{_number(figure.value)} {figure.unit}".rstrip()
    return f"| {figure.name} | {measured} | {bound} | {words[figure.holds]} | {figure.detail} |"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
