"""Progress, on stderr: of a scan a live picture on a terminal, a line now and then in a log; of an answer that takes
long a line on a terminal."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from tintype.cli.output import has_color, is_terminal, say

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.status import Status

    from tintype.core.progress import Progress

LOG_EVERY_S = 5.0
PATIENCE_S = 1.0  # answers that come sooner need no progress

_PHASES = {"listing": "looking for images", "compacting": "tidying the collection"}


Listener = Callable[["Progress"], None]


@contextlib.contextmanager
def watched(*, is_quiet: bool) -> Iterator[Listener | None]:
    """What to hand to a scan as its listener; null where nothing shall be shown."""
    if is_quiet:
        yield None
    elif is_terminal(sys.stderr):
        with _live() as listener:
            yield listener
    else:
        yield Log(say)


@contextlib.contextmanager
def awaited(*, is_quiet: bool) -> Iterator[Listener | None]:
    """What to hand to an answer as its listener; null where nothing shall be shown, as where nobody looks."""
    if is_quiet or not is_terminal(sys.stderr):
        yield None
        return
    line = _Line()
    timer = threading.Timer(PATIENCE_S, line.show)
    timer.daemon = True
    timer.start()
    try:
        yield line
    finally:
        timer.cancel()
        timer.join()
        line.hide()


class _Line:
    """What an answer is at, drawn from `show` to `hide`."""

    def __init__(self) -> None:
        self._words = "working"
        self._status: Status | None = None

    def __call__(self, progress: Progress) -> None:
        self._words = step(progress)
        if self._status is not None:
            self._status.update(self._words)

    def show(self) -> None:
        from rich.console import Console

        console = Console(file=sys.stderr, no_color=not has_color(), highlight=False, emoji=False)
        status = console.status("")
        self._status = status
        status.update(self._words)  # after it can be seen, so that no words fall between
        status.start()

    def hide(self) -> None:
        if self._status is not None:
            self._status.stop()


def step(progress: Progress) -> str:
    """What an answer is at, in one line."""
    if not progress.done:
        return f"{progress.phase} ({progress.total:,}) …" if progress.total else f"{progress.phase} …"
    return f"{progress.phase}: {progress.done:,}" + (f" of {progress.total:,}" if progress.total else "")


class Log:
    """Says one line at the start of each phase and every few seconds within it."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.phase: str | None = None
        self.said_at = 0.0

    def __call__(self, progress: Progress) -> None:
        if progress.phase == self.phase and progress.seconds < self.said_at + LOG_EVERY_S:
            return
        self.phase, self.said_at = progress.phase, progress.seconds
        self.say(sentence(progress))


def sentence(progress: Progress) -> str:
    """The moment in one line."""
    if progress.phase in _PHASES:
        return f"{_PHASES[progress.phase]} …"
    if progress.total == 0:
        return "nothing is new or changed"
    parts = [f"{progress.done:,} of {progress.total:,} images"]
    if progress.done:
        parts.append(f"{progress.images_per_second:,.0f} images/s")
    if progress.seconds_left is not None:
        parts.append(f"{duration(progress.seconds_left)} left")
    if progress.status:
        parts.append(counts(progress.status))
    if progress.bottleneck is not None and progress.phase in ("scanning", "embedding"):
        parts.append(f"most time goes to: {progress.bottleneck}")
    return "; ".join(parts)


def counts(status: Mapping[str, int]) -> str:
    """Counts by status, `ok` first."""
    return ", ".join(f"{name} {status[name]:,}" for name in sorted(status, key=lambda name: (name != "ok", name)))


def duration(seconds: float) -> str:
    """A span of time as people say it: 45 s, 3 min 20 s, 2 h 5 min."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60} min"


@contextlib.contextmanager
def _live() -> Iterator[Listener]:
    from rich.console import Console
    from rich.live import Live

    console = Console(file=sys.stderr, no_color=not has_color(), highlight=False, emoji=False)
    with Live(console=console, auto_refresh=False, transient=True) as live:

        def draw(progress: Progress) -> None:
            with contextlib.suppress(OSError):
                live.update(_picture(progress), refresh=True)

        yield draw


def _picture(progress: Progress) -> RenderableType:
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    if progress.phase in _PHASES:
        return Text(f"{_PHASES[progress.phase]} …", style="dim")
    bar = Table.grid(padding=(0, 2))
    left = "" if progress.seconds_left is None else f"{duration(progress.seconds_left)} left"
    bar.add_row(
        ProgressBar(total=max(1, progress.total), completed=progress.done, width=30),
        f"{progress.done:,} of {progress.total:,}",
        f"{progress.images_per_second:,.0f} images/s" if progress.done else "",
        left,
    )
    shares = "  ".join(f"{name} {share:.0%}" for name, share in progress.shares.items())
    most = f"   most time goes to: {progress.bottleneck}" if progress.bottleneck else ""
    return Group(bar, Text(counts(progress.status)), Text(shares + most, style="dim"))
