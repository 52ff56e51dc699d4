"""The report: one HTML file that needs nothing else, made of what it is handed."""

from __future__ import annotations

from pathlib import Path

from tintype.core.errors import TintypeError, UsageError
from tintype.core.names import shown
from tintype.core.platform import write_atomically
from tintype.reports import overview
from tintype.reports.content import Bounds, ReportContent
from tintype.reports.environment import assets, templates
from tintype.reports.sections import view
from tintype.reports.thumbnails import collect
from tintype.reports.views.troubles import status_totals

_MARK = b'<!doctype html>\n<html lang="en" data-made-by="tintype">'


def write_report(destination: Path, content: ReportContent, bounds: Bounds | None = None) -> None:
    """Write the report to a file, which is wholly old or wholly new whatever happens.

    Only a report of ours is written over. Raises UsageError where something else stands at `destination` or
    its folder is missing, StorageFull, or TintypeError where the system refuses.
    """
    _resolved(destination)  # before the work of rendering
    write_page(destination, render(content, bounds))


def write_page(destination: Path, page: str) -> None:
    """Write a page of ours over nothing but another one; raises what `write_report` raises."""
    place = _resolved(destination)
    try:
        write_atomically(place, page.encode("utf-8"))
    except OSError as error:
        raise _unwritable(destination, error) from error


def render(content: ReportContent, bounds: Bounds | None = None) -> str:
    """The page. Equal content gives equal text; all names are escaped, and nothing is loaded from outside."""
    bounds = bounds or Bounds()
    sections = view(content, bounds)
    strip = sections.strip()
    uris = (one.uri for shots in (strip, sections.wanted()) for one in shots)
    album = collect(uris, content.thumbnails, int(bounds.max_megabytes * 1_000_000))
    return templates().get_template("page.html").render(
        content=content,
        summary=content.summary,
        tiles=overview.tiles(content.summary),
        plots=overview.plots(content.summary),
        measures=overview.measures(content.summary),
        groups=sections.groups,
        pairs=sections.pairs,
        verification=sections.verification,
        series=sections.series,
        leaks=sections.leaks,
        labels=sections.labels,
        outliers=sections.outliers,
        clusters=sections.clusters,
        map=sections.map,
        kinds=sections.kinds,
        issue_count=sum(kind.shots.total for kind in sections.kinds or ()),
        failures=sections.failures,
        statuses=status_totals(content.summary.status),
        problems=sections.problems,
        missing=sections.missing,
        sheet=[one for one in sections.sheet if one.uri in album.numbers],
        bare=[one.uri for one in sections.sheet if one.uri not in album.numbers],
        strip=[one for one in strip if one.uri in album.numbers],
        album=album,
        bounds=bounds,
        **assets(),
    )  # fmt: skip


def _resolved(destination: Path) -> Path:
    try:
        place = destination.resolve()
        _refuse_others(place)
    except (OSError, RuntimeError) as error:
        raise _unwritable(destination, error) from error
    return place


def _unwritable(destination: Path, error: OSError | RuntimeError) -> TintypeError:
    # A loop of links is a RuntimeError before Python 3.13.
    reason = (isinstance(error, OSError) and error.strerror) or "its links lead in a circle"
    name = shown(str(destination))
    return TintypeError(f"cannot write the report to {name}: {reason}. Choose another place with -o")


def _refuse_others(place: Path) -> None:
    """Raise UsageError where a file stands that is no report of ours, or nothing can be put."""
    name = shown(str(place))
    if place.is_dir():
        raise UsageError(f"{name} is a folder. Name a file in it: {name}/report.html")
    if not place.parent.is_dir():
        raise UsageError(f"{shown(str(place.parent))}: no such folder. Make it first, or choose another place with -o")
    if not place.exists():
        return
    if not place.is_file():
        raise UsageError(f"{name} is not a plain file. Nothing was written; choose another place with -o")
    with place.open("rb") as file:
        start = file.read(len(_MARK))
    if start not in (b"", _MARK):
        raise UsageError(f"{name} is there and is no report. Nothing was written; choose another name with -o")
