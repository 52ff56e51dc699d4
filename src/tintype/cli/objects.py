"""The verb that makes boxes into rows of their own: objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import click

from tintype.cli import options
from tintype.cli.output import Line, show

if TYPE_CHECKING:
    from tintype.core.progress import ScanSummary
    from tintype.sources.annotations.base import Unit
    from tintype.sources.annotations.resolve import Format
    from tintype.sources.box_places import Orientation


@click.command()
@options.place
@click.option(
    "--boxes",
    type=click.Path(),
    multiple=True,
    metavar="ANNOTATIONS",
    help="A file of COCO or CVAT, a folder of YOLO or Pascal VOC, or a table of boxes; several may be named.",
)
@click.option("--from", "column", metavar="COLUMN", help="A column of boxes that a stage found, as in objects_CARD.")
@click.option(
    "--format",
    "kind",
    type=click.Choice(("coco", "yolo", "voc", "cvat", "table")),
    help="What ANNOTATIONS are, where their name does not tell.",
)
@click.option("--images", default="", metavar="FOLDER", help="The folder in PLACE that the images' names begin from.")
@click.option(
    "--unit", type=click.Choice(("px", "share")), help="What a table's numbers are; told from them if not given."
)
@click.option(
    "--orientation",
    type=click.Choice(("auto", "upright", "stored")),
    default="auto",
    show_default=True,
    help="Which pixels the numbers speak of where EXIF turns an image.",
)
@options.collection
@options.stages
@options.workers
@options.settings
@options.quiet
@options.as_json
def objects(
    place: str,
    boxes: tuple[str, ...],
    column: str | None,
    kind: str | None,
    images: str,
    unit: str | None,
    orientation: str,
    collection: str | None,
    stages: str | None,
    workers: int | None,
    settings: tuple[str, ...],
    quiet: bool,
    as_json: bool,
) -> None:
    """Cut boxes out of the images at PLACE, and remember what they are.

    PLACE was scanned before. The objects become a collection of their own inside the one of the images, which all
    other commands take as their PLACE: PLACE/.tintype/objects. The same command again cuts only what is new or changed.
    """
    from tintype import api
    from tintype.api.objects import scan_objects
    from tintype.cli.progress import watched
    from tintype.cli.words import scan_blocks

    opened = api.open(place, collection)
    names = None if stages is None else [name.strip() for name in stages.split(",") if name.strip()]
    try:
        with watched(is_quiet=quiet) as progress:
            made = scan_objects(
                place,
                *boxes,
                kind=cast("Format | None", kind),
                images=images,
                unit=cast("Unit | None", unit),
                orientation=cast("Orientation", orientation),
                column=column,
                collection=collection,
                stages=names,
                workers=workers,
                config=options.config_for(opened.sources, settings),
                progress=progress,
            )
    except KeyboardInterrupt:
        raise KeyboardInterrupt("What was finished is kept; the same command goes on where this one stopped") from None
    document = {**cast("ScanSummary", made.last_scan).to_json(), "collection": str(made.place)}
    blocks = [*scan_blocks(document), Line(f"Look at them: tintype report {made.place}")]
    show(document, blocks, as_json=as_json)
