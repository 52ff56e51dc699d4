"""Verbs about models: models, embed."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import click

from tintype.cli import options
from tintype.cli.output import Line, show

if TYPE_CHECKING:
    from tintype.core.progress import ScanSummary


@click.group(invoke_without_command=True)
@options.as_json
@click.pass_context
def models(context: click.Context, as_json: bool) -> None:
    """List the models at hand: what each is for, its size, license and engines."""
    if context.invoked_subcommand is not None:
        return
    from tintype import api
    from tintype.cli.model_words import card_json, models_blocks

    cards = list(api.models())
    show({"models": [card_json(card) for card in cards]}, models_blocks(cards), as_json=as_json)


@models.command("show")
@click.argument("model")
@options.as_json
def models_show(model: str, as_json: bool) -> None:
    """Show the card of MODEL: what goes in, what comes out, where it comes from."""
    from tintype import api
    from tintype.cli.model_words import card_blocks, card_json

    card = api.model(model)
    show({"model": card_json(card)}, card_blocks(card), as_json=as_json)


@models.command("add")
@click.argument("source", type=click.Path())
@options.as_json
def models_add(source: str, as_json: bool) -> None:
    """Add a model: SOURCE is a card, a JSON file with its weights beside it."""
    from tintype import api
    from tintype.cli.model_words import card_json

    card = api.add_model(source)
    show({"model": card_json(card)}, [Line(f"{card.name} was added: {card.folder}")], as_json=as_json)


@models.command("remove")
@click.argument("model")
@options.as_json
def models_remove(model: str, as_json: bool) -> None:
    """Remove MODEL, one of your own, with its files."""
    from tintype import api

    place = str(api.remove_model(model))
    show({"removed": place}, [Line(f"{place} was removed.")], as_json=as_json)


@click.command()
@click.argument("sources", nargs=-1, required=True, type=click.Path())
@click.option("--model", required=True, metavar="CARD", help="Which model; see: tintype models.")
@options.collection
@options.workers
@options.settings
@options.quiet
@options.as_json
def embed(
    sources: tuple[str, ...],
    model: str,
    collection: str | None,
    workers: int | None,
    settings: tuple[str, ...],
    quiet: bool,
    as_json: bool,
) -> None:
    """Give each image of SOURCES a vector by a model, as a column of their collection.

    SOURCES are what `tintype scan` takes. The column is named embed_CARD; finders take it by --set as in
    --set duplicates.vectors=embed_CARD.
    """
    from tintype import api
    from tintype.cli.progress import watched
    from tintype.cli.words import scan_blocks

    config = options.config_for(sources, settings)
    try:
        with watched(is_quiet=quiet) as progress:
            embedded = api.embed(
                *sources, model=model, collection=collection, workers=workers, config=config, progress=progress
            )
    except KeyboardInterrupt:
        raise KeyboardInterrupt("What was finished is kept; the same command goes on where this one stopped") from None
    document = cast("ScanSummary", embedded.last_scan).to_json()
    show(document, scan_blocks(document), as_json=as_json)
