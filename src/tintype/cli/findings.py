"""Verbs that compare images by what they look like: neighbors, outliers, clusters, leaks, labels, select, map."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tintype.cli import options
from tintype.cli.answers import remark
from tintype.cli.output import show
from tintype.cli.progress import awaited

if TYPE_CHECKING:
    from tintype.core.settings import Config
    from tintype.store.collection import Collection


@click.command()
@options.place
@options.collection
@click.option("--image", required=True, metavar="IMAGE", help="An image of the collection by its name, or any file.")
@click.option("-k", "count", type=click.IntRange(1, 100_000), default=10, show_default=True, help="How many.")
@options.where
@click.option("--vectors", default="descriptor", show_default=True, metavar="COLUMN", help="What is compared.")
@options.as_json
def neighbors(
    place: str, collection: str | None, image: str, count: int, where: str | None, vectors: str, as_json: bool
) -> None:
    """List the images at PLACE that are most like one image, nearest first."""
    from tintype import api
    from tintype.cli.finding_words import neighbor_blocks

    opened = api.open(place, collection)
    document = api.neighbors(opened, image, count, where, vectors).to_json()
    show(document, neighbor_blocks(document), as_json=as_json)


@click.command()
@options.place
@options.collection
@options.settings
@options.as_json
def outliers(place: str, collection: str | None, settings: tuple[str, ...], as_json: bool) -> None:
    """List images that are unlike all others at PLACE, with the nearest that there are."""
    from tintype import api
    from tintype.cli.finding_words import outlier_blocks

    opened, config = _opened(place, collection, settings, "outliers")
    with awaited(is_quiet=as_json) as progress:
        document = api.outliers(opened, config, progress).to_json()
    show(document, outlier_blocks(document), as_json=as_json)


@click.command()
@options.place
@options.collection
@options.settings
@options.as_json
def clusters(place: str, collection: str | None, settings: tuple[str, ...], as_json: bool) -> None:
    """Sort the images at PLACE into clusters that look alike, and say what is distinctive of each."""
    from tintype import api
    from tintype.cli.finding_words import cluster_blocks

    opened, config = _opened(place, collection, settings, "clusters")
    with awaited(is_quiet=as_json) as progress:
        document = api.clusters(opened, config, progress).to_json()
    show(document, cluster_blocks(document), as_json=as_json)


@click.command()
@options.place
@options.collection
@click.option(
    "--by", metavar="COLUMN", help="The split: a label such as `split`, or `folder` for the first folder of each name."
)
@options.settings
@options.as_json
def leaks(place: str, collection: str | None, by: str | None, settings: tuple[str, ...], as_json: bool) -> None:
    """List pictures that stand on both sides of a split, such as training and test: exact copies and near ones."""
    from tintype import api
    from tintype.cli.finding_words import leak_blocks

    opened, config = _opened(place, collection, settings, "leaks")
    with awaited(is_quiet=as_json) as progress:
        document = api.leaks(opened, by, config, progress).to_json()
    show(document, leak_blocks(document), as_json=as_json)


@click.command()
@options.place
@options.collection
@click.option("--label", metavar="COLUMN", help="The label that is checked, such as `label`.")
@options.settings
@options.as_json
def labels(place: str, collection: str | None, label: str | None, settings: tuple[str, ...], as_json: bool) -> None:
    """List images whose label is likely wrong, and classes that overlap."""
    from tintype import api
    from tintype.cli.finding_words import label_blocks

    opened, config = _opened(place, collection, settings, "labels")
    with awaited(is_quiet=as_json) as progress:
        document = api.labels(opened, label, config, progress).to_json()
    show(document, label_blocks(document), as_json=as_json)


@click.command()
@options.place
@options.collection
@click.option("-n", "count", type=click.IntRange(1), required=True, help="How many images to select.")
@options.settings
@options.as_json
def select(place: str, collection: str | None, count: int, settings: tuple[str, ...], as_json: bool) -> None:
    """Select a diverse subset of the images at PLACE: no copies, all sorts of pictures, the best first."""
    from tintype import api
    from tintype.cli.finding_words import selection_blocks

    opened, config = _opened(place, collection, settings, "select")
    with awaited(is_quiet=as_json) as progress:
        document = api.select(opened, count, config, progress).to_json()
    show(document, selection_blocks(document), as_json=as_json)


@click.command("map")
@options.place
@options.collection
@options.settings
@options.as_json
def map_(place: str, collection: str | None, settings: tuple[str, ...], as_json: bool) -> None:
    """Lay the images at PLACE out on a plane, like near like; the places become the columns map_x and map_y."""
    from tintype import api
    from tintype.cli.finding_words import map_blocks

    opened, config = _opened(place, collection, settings, "map")
    with awaited(is_quiet=as_json) as progress:
        document = api.map(opened, config, progress).to_json()
    show(document, map_blocks(document, is_kept=opened.is_trusted), as_json=as_json)


def _opened(place: str, collection: str | None, settings: tuple[str, ...], finder: str) -> tuple[Collection, Config]:
    from tintype import api

    opened = api.open(place, collection)
    remark(opened, finder)
    return opened, options.config_for(opened.sources, settings)
