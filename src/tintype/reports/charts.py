"""Plots as inline SVG and HTML, with text beside them for those who don't see them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from tintype.core.names import shown


@dataclass(frozen=True)
class Mark:
    """One bar: its name, how much, and the amount in words. `rest` sums up what has no bar of its own."""

    name: str
    amount: float
    words: str
    rest: bool = False


def bars(marks: Sequence[Mark]) -> Markup:
    """Lying bars, one a row, as a table: name, bar, amount. The longest that is no rest fills its cell."""
    longest = max((mark.amount for mark in marks if not mark.rest), default=0) or 1
    rows = Markup("").join(
        Markup(
            '<tr><th scope="row">{name}</th><td class="bar" aria-hidden="true"><svg width="100%" height="12">'
            '<rect class="{kind}" width="{width}%" height="12" rx="2"/></svg></td>'
            '<td class="amount">{words}</td></tr>'
        ).format(
            name=shown(mark.name),
            kind="rest" if mark.rest else "mark",
            width=_number(min(max(100 * mark.amount / longest, 0.6), 100)),
            words=mark.words,
        )
        for mark in marks
    )
    return Markup('<table class="bars"><tbody>{}</tbody></table>').format(rows)


def columns(marks: Sequence[Mark], label: str, ticks: Sequence[str], mean: float | None = None) -> Markup:
    """Standing bars side by side, with `ticks` spread below them from edge to edge.

    `label` says the plot in one sentence. `mean` is where a line is drawn, from 0 (left) to 1 (right).
    """
    highest = max((mark.amount for mark in marks), default=0) or 1
    step = 100 / max(len(marks), 1)
    gap = min(0.6, step * 0.16)
    parts = [
        Markup('<rect class="mark" x="{}" y="{}" width="{}" height="{}"><title>{}: {}</title></rect>').format(
            _number(i * step + gap / 2),
            _number(100 - height),
            _number(step - gap),
            _number(height),
            shown(mark.name),
            mark.words,
        )
        for i, mark in enumerate(marks)
        # A bar that stands for something is never too low to be seen.
        if (height := max(100 * mark.amount / highest, 1.5) if mark.amount else 0)
    ]
    if mean is not None:
        parts.append(Markup('<line class="mean" x1="{0}" x2="{0}" y1="0" y2="100"/>').format(_number(100 * mean)))
    return Markup(
        '<div class="columns"><svg role="img" aria-label="{}" viewBox="0 0 100 100" '
        'preserveAspectRatio="none">'
        '{}</svg><div class="ticks" aria-hidden="true">{}</div></div>'
    ).format(label, Markup("").join(parts), _ticks(ticks))


def _ticks(ticks: Sequence[str]) -> Markup:
    return Markup("").join(Markup("<span>{}</span>").format(escape(shown(tick))) for tick in ticks)


def _number(value: float) -> str:
    """At most two decimals, without trailing zeros."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
