"""The verb that answers a question in words: search."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import click

from tintype.cli import options
from tintype.cli.output import Block, Line, Table, show


@click.command()
@options.place
@click.argument("words", required=False)
@options.collection
@click.option("--image", metavar="IMAGE", help="Also like this one: a name in the collection, or any file.")
@click.option("--without", metavar="WORDS", help="And nothing of this.")
@click.option("-k", "count", type=click.IntRange(1, 100_000), default=50, show_default=True, help="How many.")
@options.where
@click.option("--model", metavar="CARD", help="Which model's vectors, if there are several.")
@click.option(
    "--words-weight",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="How much words count beside an image.",
)
@click.option("-o", "--output", type=click.Path(), metavar="FILE", help="Also write the answers as one HTML file.")
@options.as_json
def search(
    place: str,
    words: str | None,
    collection: str | None,
    image: str | None,
    without: str | None,
    count: int,
    where: str | None,
    model: str | None,
    words_weight: float,
    output: str | None,
    as_json: bool,
) -> None:
    """List the images at PLACE that show what WORDS say, the best first.

    PLACE was embedded by a model of images and words: tintype embed PLACE --model CARD.
    """
    from tintype import api

    opened = api.open(place, collection)
    answers = api.search(
        opened, words, image=image, without=without, k=count, where=where, model=model, words_weight=words_weight
    )
    document = answers.to_json()
    if output is not None:
        document["page"] = str(api.write_answers(opened, answers, output))
    show(document, _blocks(document), as_json=as_json)


def _blocks(document: Mapping[str, Any]) -> Iterator[Block]:
    answers = document["answers"]
    if not answers:
        yield Line("No image passes.")
    else:
        rows = [(row["uri"], f"{row['score']:.3f}") for row in answers]
        yield Table(f"{len(rows):,} images", ("", ">"), rows)
    if "page" in document:
        yield Line(f"Answers written: {document['page']}")
