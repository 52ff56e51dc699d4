"""Verbs that ask a collection: info, duplicates, issues, report. None of them changes an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tintype.cli import options
from tintype.cli.output import Line, say, show
from tintype.cli.progress import awaited

if TYPE_CHECKING:
    from tintype.store.collection import Collection


@click.command()
@options.place
@options.collection
@options.where
@options.as_json
def info(place: str, collection: str | None, where: str | None, as_json: bool) -> None:
    """Say what the collection at PLACE holds: counts, formats, sizes, cameras, years."""
    from tintype import api
    from tintype.cli.words import info_blocks

    opened = api.open(place, collection)
    remark(opened)
    document = api.info(opened, where).to_json()
    show(document, info_blocks(document), as_json=as_json)


@click.command()
@options.place
@options.collection
@click.option("--max-distance", type=click.IntRange(0, 16), metavar="BITS", help="How far hashes of copies may differ.")
@click.option("--against", type=click.Path(), metavar="PLACE", help="Only copies of images of another collection.")
@options.settings
@options.as_json
def duplicates(
    place: str,
    collection: str | None,
    max_distance: int | None,
    against: str | None,
    settings: tuple[str, ...],
    as_json: bool,
) -> None:
    """List groups of copies: the same bytes, or the same picture changed, turned or mirrored.

    Each group names the image to keep and why, and for each other one how it is related. Reads only.
    """
    from tintype import api
    from tintype.cli.finding_words import against_blocks, duplicate_blocks

    opened = api.open(place, collection)
    remark(opened, "duplicates")
    other = None if against is None else api.open(against)
    config = options.config_for(opened.sources, settings)
    with awaited(is_quiet=as_json) as progress:
        document = api.duplicates(opened, max_distance, config, against=other, progress=progress).to_json()
    blocks = duplicate_blocks(document) if other is None else against_blocks(document)
    show(document, blocks, as_json=as_json)


@click.command()
@options.place
@options.collection
@options.settings
@options.as_json
def issues(place: str, collection: str | None, settings: tuple[str, ...], as_json: bool) -> None:
    """List images with something amiss: damaged, dark, bright, blurred, odd in size or shape, gray."""
    from tintype import api
    from tintype.cli.finding_words import issue_blocks

    opened = api.open(place, collection)
    remark(opened, "issues")
    document = api.issues(opened, options.config_for(opened.sources, settings)).to_json()
    show(document, issue_blocks(document), as_json=as_json)


@click.command()
@options.place
@options.collection
@click.option("-o", "--output", type=click.Path(), default="report.html", show_default=True, help="The file to write.")
@options.settings
@options.as_json
def report(place: str, collection: str | None, output: str, settings: tuple[str, ...], as_json: bool) -> None:
    """Write one HTML file that shows the collection at PLACE, to look at in a browser."""
    from tintype import api

    opened = api.open(place, collection)
    remark(opened, "duplicates", "issues")
    config = options.config_for(opened.sources, settings)
    with awaited(is_quiet=as_json) as progress:
        written = str(api.report(opened, output, config, progress))
    show({"report": written}, [Line(f"Report written: {written}")], as_json=as_json)


def remark(opened: Collection, *finders: str) -> None:
    """Say on stderr what the answer cannot: stages that never ran, work that waits."""
    from tintype import api

    for words in api.remarks(opened, *finders):
        say(words)
