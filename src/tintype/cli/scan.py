"""Verbs that make a collection or take one over: scan, trust."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import click

from tintype.cli import options
from tintype.cli.output import Line, show

if TYPE_CHECKING:
    from tintype.core.progress import ScanSummary


@click.command()
@click.argument("sources", nargs=-1, required=True, type=click.Path())
@options.collection
@options.stages
@click.option("--prompt", metavar="TEXT", help='What find:CARD looks for, as in "a red car. a sign."')
@click.option("--question", metavar="TEXT", help="What ask:CARD asks of each image.")
@options.workers
@options.settings
@options.quiet
@options.as_json
def scan(
    sources: tuple[str, ...],
    collection: str | None,
    stages: str | None,
    prompt: str | None,
    question: str | None,
    workers: int | None,
    settings: tuple[str, ...],
    quiet: bool,
    as_json: bool,
) -> None:
    """Read the images of SOURCES and remember what they are.

    SOURCES are folders, tar shards, globs or brace ranges of shards, or Parquet, CSV or JSONL tables; several need
    --collection. A second scan reads only what is new or changed, and goes on where an interrupted one stopped.
    """
    from tintype import api
    from tintype.cli.progress import watched
    from tintype.cli.words import scan_blocks

    asked = {"find.prompt": prompt, "ask.question": question}
    words = [f"{setting}={text}" for setting, text in asked.items() if text is not None]
    config = options.config_for(sources, (*settings, *words))
    names = None if stages is None else [name.strip() for name in stages.split(",") if name.strip()]
    try:
        with watched(is_quiet=quiet) as progress:
            scanned = api.scan(
                *sources, collection=collection, stages=names, workers=workers, config=config, progress=progress
            )
    except KeyboardInterrupt:
        raise KeyboardInterrupt("What was finished is kept; the same command goes on where this one stopped") from None
    document = cast("ScanSummary", scanned.last_scan).to_json()
    show(document, scan_blocks(document), as_json=as_json)


@click.command()
@options.place
@options.as_json
def trust(place: str, as_json: bool) -> None:
    """Use the collection at PLACE like one made here.

    A collection that was copied in or belongs to another user is otherwise only read, without its settings.
    """
    from tintype import api

    trusted = str(api.trust(place))
    show({"collection": trusted}, [Line(f"{trusted} is trusted from now on.")], as_json=as_json)
