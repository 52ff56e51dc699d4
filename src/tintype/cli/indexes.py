"""Verbs about indexes of vectors: index build, search, add, remove, info."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tintype.cli import options
from tintype.cli.output import say, show
from tintype.cli.progress import awaited

if TYPE_CHECKING:
    from tintype.api.indexes import SearchIndex

_column = click.option(
    "--column", metavar="NAME", help="Which vectors: of a collection descriptor or embed_CARD, of files another name."
)
_index = click.argument("index_place", metavar="INDEX", type=click.Path())


@click.group()
def index() -> None:
    """Index stored vectors, so that the nearest of any are found quickly."""


@index.command("build")
@click.argument("vectors", type=click.Path())
@_column
@click.option(
    "--memory", default="4GB", show_default=True, metavar="SIZE", help="What building and searching may take."
)
@click.option(
    "--recall",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.95,
    show_default=True,
    help="The share of the ten true nearest that is to be found.",
)
@click.option("--output", type=click.Path(), metavar="DIR", help="Where the index lies; VECTORS.index if not given.")
@options.quiet
@options.as_json
def index_build(
    vectors: str, column: str | None, memory: str, recall: float, output: str | None, quiet: bool, as_json: bool
) -> None:
    """Build an index of VECTORS: a collection's column, or Parquet, npz or npy files.

    The kind of index follows from the number of vectors, the memory and the recall asked for. What it finds, and how
    quickly, is measured. A build that was stopped goes on where it was.
    """
    from tintype.api import indexes
    from tintype.cli.index_words import index_blocks

    try:
        with awaited(is_quiet=quiet or as_json) as progress:
            built = indexes.build_index(
                vectors, memory=memory, recall=recall, output=output, column=column, progress=progress
            )
    except KeyboardInterrupt:
        raise KeyboardInterrupt("What was finished is kept; the same command goes on where this one stopped") from None
    document = built.to_json()
    show(document, index_blocks(document["index"]), as_json=as_json)


@index.command("search")
@_index
@click.option("--image", type=click.Path(), metavar="FILE", help="An image file; its vector is made by --model.")
@click.option("--model", metavar="CARD", help="The card that made the vectors, if INDEX does not know it.")
@click.option("--vector", type=click.Path(), metavar="FILE", help="A file of numpy's with one vector.")
@click.option("--id", "name", metavar="ID", help="A vector of the index; it is not among its own nearest.")
@click.option("-k", "count", type=click.IntRange(1, 100_000), default=10, show_default=True, help="How many.")
@_column
@options.as_json
def index_search(
    index_place: str,
    image: str | None,
    model: str | None,
    vector: str | None,
    name: str | None,
    count: int,
    column: str | None,
    as_json: bool,
) -> None:
    """List what is nearest to an image, a vector or an id, nearest first. INDEX is its folder or its vectors."""
    from tintype.api import indexes
    from tintype.cli.index_words import hit_blocks

    opened = indexes.open_index(index_place, column=column)
    _remark(opened)
    given = None if vector is None else indexes.vector_in(vector)
    found = indexes.search_index(opened, image=image, model=model, vector=given, id=name, k=count)
    document = found.to_json()
    show(document, hit_blocks(document), as_json=as_json)


@index.command("add")
@_index
@click.argument("vectors", type=click.Path())
@_column
@options.quiet
@options.as_json
def index_add(index_place: str, vectors: str, column: str | None, quiet: bool, as_json: bool) -> None:
    """Add those of VECTORS whose ids are not in INDEX yet, without building it anew."""
    from tintype.api import indexes
    from tintype.cli.index_words import change_blocks

    with awaited(is_quiet=quiet or as_json) as progress:
        document = indexes.add_to_index(index_place, vectors, column=column, progress=progress).to_json()
    show(document, change_blocks(document, "added", "were there already"), as_json=as_json)


@index.command("remove")
@_index
@click.argument("ids_file", metavar="IDS-FILE", type=click.Path())
@_column
@options.as_json
def index_remove(index_place: str, ids_file: str, column: str | None, as_json: bool) -> None:
    """Remove the vectors whose ids stand in IDS-FILE, one a line, from INDEX."""
    from tintype.api import indexes
    from tintype.cli.index_words import change_blocks

    document = indexes.remove_from_index(index_place, indexes.ids_in(ids_file), column=column).to_json()
    show(document, change_blocks(document, "removed", "were not there"), as_json=as_json)


@index.command("info")
@_index
@_column
@click.option("--check", is_flag=True, help="Read every byte and compare it with its hash.")
@options.as_json
def index_info(index_place: str, column: str | None, check: bool, as_json: bool) -> None:
    """Say what INDEX holds, and what was measured when it was built."""
    from tintype.api import indexes
    from tintype.cli.index_words import index_blocks

    document = indexes.open_index(index_place, column=column, check=check).to_json()
    show(document, index_blocks(document["index"]), as_json=as_json)


def _remark(opened: SearchIndex) -> None:
    if opened.is_outdated:
        say(f"The index is older than its vectors. Add what is new: tintype index add {opened.place} VECTORS")
