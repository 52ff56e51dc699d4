"""The first screen of the report: figures, and plots of formats, sizes, years, cameras and measures."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from tintype.reports import charts, words
from tintype.reports.summary import MEASURES, Bin, Histogram, Summary
from tintype.reports.tally import Tally

_WIDEST_YEARS = 60  # years from the first to the last that still get a bar each, empty ones too


@dataclass(frozen=True)
class Plot:
    """One plot of the overview: title, drawing, a line below, and its figures as (name, amount)."""

    title: str
    drawing: Markup
    note: str = ""
    rows: tuple[tuple[str, str], ...] = ()
    wide: bool = False


@dataclass(frozen=True)
class Tile:
    """One figure with its words."""

    amount: str
    words: str
    note: str = ""


def tiles(summary: Summary) -> list[Tile]:
    """What the collection comes to, at a glance."""
    found = [
        Tile(words.count(summary.images), "image" if summary.images == 1 else "images"),
        Tile(words.size(summary.bytes), "on disk", _mean_size(summary)),
    ]
    if summary.pixels.known:
        mean = (summary.pixels.mean or 0) / 1e6
        found.append(Tile(f"{words.short(mean)} MP", "mean size", f"largest {_megapixels(summary.pixels)}"))
    for known, what in ((summary.with_date, "with a date"), (summary.with_gps, "with a place")):
        if known is not None:
            found.append(_share(known, summary.images, what))
    if summary.gray is not None:
        found.append(_share(summary.gray, summary.images, "without color"))
    if summary.animated:
        found.append(Tile(words.count(summary.animated), "animated or with pages"))
    return found


def plots(summary: Summary) -> list[Plot]:
    """Plots of all that is known; what no stage has computed has none."""
    found = [_formats(summary)] if summary.formats.named else []
    if summary.years is not None and summary.years.named:
        found.append(_years(summary.years, summary.images))
    if summary.pixels.known:
        found.append(_spread("Megapixels", summary.pixels, 1e6, "MP"))
    if summary.sizes.known:
        found.append(_spread("File sizes", summary.sizes, 1, ""))
    if summary.cameras is not None and summary.cameras.named:
        found.append(_tally("Cameras", summary.cameras, "without a camera's name"))
    found += [
        _tally(words.label_title(name), tally, "without any") for name, tally in summary.labels.items() if tally.named
    ]
    return found


def measures(summary: Summary) -> list[Plot]:
    """A small plot of each measure."""
    return [_measure(name, histogram) for name, histogram in summary.measures.items() if histogram.known]


def _share(part: int, whole: int, what: str) -> Tile:
    return Tile(words.share(part, whole), what, words.plural(part, "image"))


def _formats(summary: Summary) -> Plot:
    formats = summary.formats
    marks = [_mark(name.upper(), number) for name, number in formats.named.items()]
    if formats.others:
        marks.append(_mark("others", formats.others, rest=True))
    note = f"{words.plural(formats.unknown, 'file')} of no known format" if formats.unknown else ""
    return Plot("Formats", charts.bars(marks), note)


def _tally(title: str, tally: Tally, without: str) -> Plot:
    shown = list(tally.named.items())[:8]
    others = tally.known - sum(number for _, number in shown)
    marks = [_mark(name, number) for name, number in shown]
    if others:
        marks.append(_mark("others", others, rest=True))
    note = f"{words.plural(tally.unknown, 'image')} {without}" if tally.unknown else ""
    return Plot(title, charts.bars(marks), note)


def _years(years: Tally, images: int) -> Plot:
    known = {int(year): number for year, number in years.named.items()}
    first, last = min(known), max(known)
    every = range(first, last + 1) if last - first < _WIDEST_YEARS else sorted(known)
    marks = [_mark(str(year), known.get(year, 0)) for year in every]
    busiest = max(known, key=lambda year: (known[year], -year))
    label = f"Images by year, {first} to {last}; most in {busiest}: {words.count(known[busiest])}."
    ticks = [str(first)] if first == last else [str(first), str(last)]
    without = images - years.known
    note = f"{words.plural(without, 'image')} without a date" if without else ""
    return Plot("Years", charts.columns(marks, label, ticks), note, _rows(marks), wide=len(marks) > 12)


def _spread(title: str, histogram: Histogram, scale: float, unit: str) -> Plot:
    bins = _without_empty_ends(histogram.bins)
    marks = [_mark(_range(b, scale, unit), b.count) for b in bins]
    fullest = max(marks, key=lambda mark: mark.amount)
    label = f"{title} of {words.plural(histogram.known, 'image')}; most are {fullest.name}: {fullest.words}."
    inner = [_amount(b.high, scale, unit) for b in bins[:-1] if b.high is not None]
    return Plot(title, charts.columns(marks, label, ["", *inner, ""]), "", _rows(marks))


def _measure(name: str, histogram: Histogram) -> Plot:
    title, lowest, highest = words.measure(name)
    low, high = MEASURES[name]
    marks = [_mark(f"{words.short(b.low or 0)}–{words.short(b.high or 0)}", b.count) for b in histogram.bins]
    mean = histogram.mean or 0
    images = words.plural(histogram.known, "image")
    label = f"{title} of {images}, from {lowest} to {highest}; mean {words.short(mean)}."
    at = min(max((mean - low) / (high - low), 0), 1)
    return Plot(title, charts.columns(marks, label, [lowest, highest], at), f"mean {words.short(mean)}", _rows(marks))


def _mark(name: str, number: int, *, rest: bool = False) -> charts.Mark:
    return charts.Mark(name, number, words.count(number), rest)


def _rows(marks: list[charts.Mark]) -> tuple[tuple[str, str], ...]:
    return tuple((mark.name, mark.words) for mark in marks if mark.amount)


def _without_empty_ends(bins: tuple[Bin, ...]) -> tuple[Bin, ...]:
    filled = [i for i, b in enumerate(bins) if b.count]
    return bins[filled[0] : filled[-1] + 1]


def _range(b: Bin, scale: float, unit: str) -> str:
    if b.low is None:
        return f"below {_amount(b.high or 0, scale, unit)}"
    if b.high is None:
        return f"{_amount(b.low, scale, unit)} and more"
    return f"{_amount(b.low, scale, unit)} to {_amount(b.high, scale, unit)}"


def _amount(value: float, scale: float, unit: str) -> str:
    return f"{words.short(value / scale)} {unit}" if unit else words.size(value)


def _mean_size(summary: Summary) -> str:
    return f"{words.size(summary.sizes.mean)} each" if summary.sizes.mean is not None else ""


def _megapixels(pixels: Histogram) -> str:
    return f"{words.short((pixels.highest or 0) / 1e6)} MP"
