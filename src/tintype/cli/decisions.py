"""Verbs for what a person decides: decide, decisions."""

from __future__ import annotations

import click

from tintype.cli import options
from tintype.cli.output import Line, show


@click.command()
@options.place
@click.argument("verdict", type=click.Choice(["not-duplicate", "undecided"]))
@click.argument("images", nargs=-1, required=True, metavar="IMAGE IMAGE...")
@options.collection
@options.as_json
def decide(place: str, verdict: str, images: tuple[str, ...], collection: str | None, as_json: bool) -> None:
    """Say that images are no copies of each other, whatever they look like; later answers obey.

    IMAGEs are named as Tintype lists them. `undecided` takes a verdict back. Verdicts are about what the images are,
    so they outlive renames, moves and new scans.
    """
    from tintype import api

    made = [one.to_json() for one in api.decide(api.open(place, collection), verdict, images)]
    show({"decided": made}, [Line(f"{len(made):,} pairs noted as {verdict}")], as_json=as_json)


@click.command()
@options.place
@options.collection
@options.as_json
def decisions(place: str, collection: str | None, as_json: bool) -> None:
    """List the decisions that stand."""
    from tintype import api
    from tintype.cli.finding_words import decision_blocks

    document = {"decisions": [one.to_json() for one in api.decisions(api.open(place, collection))]}
    show(document, decision_blocks(document), as_json=as_json)
