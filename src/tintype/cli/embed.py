"""Verbs about vectors: embed, work, status, verify."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import click

from tintype.cli import options
from tintype.cli.output import show

if TYPE_CHECKING:
    from tintype.api.embedding import ImagesFrom
    from tintype.core.progress import ScanSummary

_KEPT = "What was finished is kept; the same command goes on where this one stopped"


@click.command()
@click.argument("sources", nargs=-1, required=True, type=click.Path())
@click.option("--model", required=True, metavar="CARD", help="Which model; see: tintype models.")
@options.collection
@click.option("--output", type=click.Path(), metavar="DIR", help="Write files of vectors there, and no collection.")
@click.option("--backend", metavar="NAME", help="What runs the model: auto, onnx, torch, tensorrt, triton.")
@click.option(
    "--from",
    "images_from",
    type=click.Choice(["originals", "thumbnails"]),
    default="originals",
    help="What of the images is read: their files, or the thumbnails in their collection. Default: originals.",
)
@click.option(
    "--format",
    "format_",
    metavar="NAME",
    help="Of the files: parquet (default), npz, clip-retrieval or lance.",
)
@click.option("--shard-images", type=int, metavar="N", help="Images a file. Default: 10000.")
@click.option("--ledger", metavar="WHERE", help="Who has which shard: sqlite (default) or dynamodb:NAME.")
@click.option("--executor", metavar="NAME", help="Where workers run: processes of this machine (default) or ray.")
@click.option("--address", metavar="HOST:PORT", help="Of a running Ray cluster; by default RAY_ADDRESS says it.")
@options.workers
@options.settings
@options.quiet
@options.as_json
def embed(
    sources: tuple[str, ...],
    model: str,
    collection: str | None,
    output: str | None,
    backend: str | None,
    images_from: str,
    format_: str | None,
    shard_images: int | None,
    ledger: str | None,
    executor: str | None,
    address: str | None,
    workers: int | None,
    settings: tuple[str, ...],
    quiet: bool,
    as_json: bool,
) -> None:
    """Give each image of SOURCES a vector by a model.

    SOURCES are what `tintype scan` takes. Vectors become the column embed_CARD of their collection, which finders take
    by --set as in --set duplicates.vectors=embed_CARD; or, with --output, files that stand alone.
    """
    from tintype import api
    from tintype.cli.embed_words import embedded_blocks
    from tintype.cli.progress import watched
    from tintype.cli.words import scan_blocks

    of_files = {
        "format": format_,
        "shard_images": shard_images,
        "ledger": ledger,
        "executor": executor,
        "address": address,
    }
    given: dict[str, Any] = {name: value for name, value in of_files.items() if value is not None}
    if output is None and given:
        raise click.UsageError(f"--{next(iter(given)).replace('_', '-')} is for files: name an --output")
    if output is not None and collection is not None:
        raise click.UsageError("--collection and --output exclude each other")
    if output is not None and images_from != "originals":
        raise click.UsageError("--from is for collections: files of vectors are made from the images themselves")
    config = options.config_for(sources, settings)
    try:
        with watched(is_quiet=quiet) as progress:
            if output is None:
                embedded = api.embed(
                    *sources,
                    model=model,
                    collection=collection,
                    backend=backend or "",
                    images_from=cast("ImagesFrom", images_from),
                    workers=workers,
                    config=config,
                    progress=progress,
                )
                document = cast("ScanSummary", embedded.last_scan).to_json()
                blocks = scan_blocks(document)
            else:
                document = api.embed_to(
                    output,
                    *sources,
                    model=model,
                    backend=backend or "",
                    **given,
                    workers=workers,
                    config=config,
                    progress=progress,
                ).to_json()
                blocks = embedded_blocks(document)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_KEPT) from None
    show(document, blocks, as_json=as_json)


@click.command()
@click.argument("place", metavar="COLLECTION-OR-OUTPUT", type=click.Path())
@click.option("--workers", type=click.IntRange(1, 1024), default=1, metavar="N", help="How many processes. Default: 1.")
@options.quiet
@options.as_json
def work(place: str, workers: int, quiet: bool, as_json: bool) -> None:
    """Help with the scan of a COLLECTION that is under way, or to embed into an OUTPUT, until nothing is left.

    Start as many as you like: for a collection on its own machine, for an output also on others that reach the same
    sources, model and output.
    """
    from tintype import api
    from tintype.cli.embed_words import embedded_blocks
    from tintype.cli.progress import watched
    from tintype.cli.work_words import helped_blocks

    try:
        with watched(is_quiet=quiet) as progress:
            document = api.work(place, workers=workers, progress=progress).to_json()
    except KeyboardInterrupt:
        raise KeyboardInterrupt("What was finished is kept, and others may go on") from None
    show(document, embedded_blocks(document) if "output" in document else helped_blocks(document), as_json=as_json)


@click.command()
@options.place
@click.option("--retry", is_flag=True, help="Let shards that were given up be tried again.")
@options.as_json
def status(place: str, retry: bool, as_json: bool) -> None:
    """Say how the vectors in PLACE come along, or the scan of its collection: what is done, how fast, what failed and
    why."""
    from tintype import api
    from tintype.cli.work_words import status_blocks

    document = api.status(place, retry=retry).to_json()
    show(document, status_blocks(document), as_json=as_json)


@click.command()
@click.argument("output", type=click.Path())
@options.as_json
def verify(output: str, as_json: bool) -> None:
    """Prove that the vectors in OUTPUT are whole.

    All files are read: hashes, counts, ids and vectors are compared with the manifest and with the listing of the
    sources. Ends with exit code 1 where something is wrong.
    """
    from tintype import api
    from tintype.cli.embed_words import verified_blocks

    found = api.verify(output)
    document = found.to_json()
    show(document, verified_blocks(document), as_json=as_json)
    click.get_current_context().exit(0 if found.is_whole else 1)
