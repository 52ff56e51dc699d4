"""The report: one HTML file that needs nothing else, made of what it is handed."""

from __future__ import annotations

import re
from base64 import b64encode
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from tintype.core.errors import TintypeError, UsageError
from tintype.core.names import shown
from tintype.core.platform import write_atomically
from tintype.reports import overview, words
from tintype.reports.content import Bounds, ReportContent
from tintype.reports.shots import (
    Shot,
    shot,
    status_totals,
    view_failures,
    view_groups,
    view_issues,
    view_problems,
)
from tintype.reports.thumbnails import collect, spread, woven

_HERE = Path(__file__).resolve().parent
_MARK = b'<!doctype html>\n<html lang="en" data-made-by="tintype">'
_BREAKS = re.compile(r"(?<=[_,;+=)-])(?=[^\W_])")
_STRIP = 14  # pictures of the strip at the top


def write_report(destination: Path, content: ReportContent, bounds: Bounds | None = None) -> None:
    """Write the report to a file, which is wholly old or wholly new whatever happens.

    Only a report of ours is written over. Raises UsageError where something else stands at `destination` or
    its folder is missing, StorageFull, or TintypeError where the system refuses.
    """
    try:
        place = destination.resolve()
        _refuse_others(place)
    except (OSError, RuntimeError) as error:
        raise _unwritable(destination, error) from error
    page = render(content, bounds).encode("utf-8")
    try:
        write_atomically(place, page)
    except OSError as error:
        raise _unwritable(destination, error) from error


def render(content: ReportContent, bounds: Bounds | None = None) -> str:
    """The page. Equal content gives equal text; all names are escaped, and nothing is loaded from outside."""
    bounds = bounds or Bounds()
    groups = None if content.groups is None else view_groups(content.groups, bounds)
    kinds = None if content.issues is None else view_issues(content.issues, bounds)
    every = -(-len(content.pictures) // bounds.pictures)  # each picture, or each second, third, …
    sheet = [shot(picture) for picture in content.pictures[:: every or 1]]
    grouped = [one for group in (groups.shown if groups else ()) for one in group.shots]
    faulted = list(woven(*((kind.shots, 1) for kind in kinds or ())))
    strip = _strip(sheet, grouped, faulted)
    # Where not all fit, the sections share: of six thumbnails three go to groups, two to issues.
    wanted = (*strip, *woven((grouped, 3), (faulted, 2), (spread(sheet), 1)))
    max_characters = int(bounds.max_megabytes * 1_000_000)
    album = collect((one.uri for one in wanted), content.thumbnails, max_characters)
    page = _templates().get_template("page.html")
    return page.render(
        content=content,
        summary=content.summary,
        tiles=overview.tiles(content.summary),
        plots=overview.plots(content.summary),
        measures=overview.measures(content.summary),
        groups=groups,
        kinds=kinds,
        issue_count=sum(kind.total for kind in kinds or ()),
        failures=view_failures(content.failures, bounds),
        statuses=status_totals(content.summary.status),
        problems=view_problems(content.problems, bounds),
        sheet=[one for one in sheet if one.uri in album.numbers],
        bare=[one.uri for one in sheet if one.uri not in album.numbers],
        strip=[one for one in strip if one.uri in album.numbers],
        album=album,
        bounds=bounds,
        **_assets(),
    )


def _strip(sheet: list[Shot], grouped: list[Shot], faulted: list[Shot]) -> list[Shot]:
    """Pictures to greet with: without fault or copy where there are such, else the kept ones."""
    others = {one.uri for one in (*grouped, *faulted)}
    fine = [one for one in spread(sheet) if one.uri not in others]
    return (fine or [one for one in grouped if one.kept])[:_STRIP]


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


@cache
def _templates() -> Environment:
    templates = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_harmless,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters |= {
        "count": words.count,
        "plural": words.plural,
        "size": words.size,
        "breakable": _breakable,
        "status": lambda name: words.STATUS_WORDS.get(name, name),
    }
    return templates


def _harmless(value: Any) -> Any:
    """Control and other invisible characters are shown as text, in whatever is put into the page."""
    return shown(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _breakable(name: str) -> Markup:
    """A name that may break after its marks rather than within a word; its text stays the same."""
    return Markup("<wbr>").join(_BREAKS.split(shown(name)))


@cache
def _assets() -> dict[str, str]:
    style, script, icon = (_asset(name) for name in ("report.css", "report.js", "icon.svg"))
    return {
        "style": style,
        "script": script,
        "icon": b64encode(icon.encode("utf-8")).decode("ascii"),
        "policy": f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'",
    }


def _asset(name: str) -> str:
    return (_HERE / "assets" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return "sha256-" + b64encode(sha256(text.encode("utf-8")).digest()).decode("ascii")
