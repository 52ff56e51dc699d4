"""Verbs about heads: models head, predict."""

from __future__ import annotations

import click

from tintype.cli import options
from tintype.cli.output import show
from tintype.cli.progress import awaited


@click.command()
@click.argument("name")
@click.option("--over", required=True, metavar="CARD", help="The model whose vectors it takes; see: tintype models.")
@click.option("--labels", type=click.Path(), metavar="FILE", help="Labels, a line each.")
@click.option("--template", "templates", multiple=True, metavar="TEXT", help="As in 'a photo of {}.'; {} is the label.")
@click.option("--scale", type=float, metavar="X", help="Of cosines with words. Default: 100, which is CLIP's.")
@click.option("--column", metavar="NAME", help="What to learn: a label, a column, or folder.")
@click.option("--from", "place", type=click.Path(), metavar="PLACE", help="The collection with that column.")
@click.option("--kind", type=click.Choice(["classes", "number"]), help="What the column holds, if not what it looks.")
@click.option("--file", "file", type=click.Path(), metavar="FILE", help="Its safetensors, or an .onnx file.")
@click.option(
    "--activation", type=click.Choice(["none", "relu", "gelu"]), help="What stands between the layers of safetensors."
)
@click.option("--license", "license_", metavar="ID", help="Of a file.")
@options.as_json
def head(
    name: str,
    over: str,
    labels: str | None,
    templates: tuple[str, ...],
    scale: float | None,
    column: str | None,
    place: str | None,
    kind: str | None,
    file: str | None,
    activation: str | None,
    license_: str | None,
    as_json: bool,
) -> None:
    """Make NAME, a head: a small model over the vectors of another one.

    \b
    --labels FILE             tells labels apart by their words
    --column NAME --from PLACE   learned from the labels or numbers of a collection
    --file FILE               that others trained: an aesthetic predictor, say

    It runs on stored vectors, never on images: tintype predict PLACE --model NAME.
    """
    from tintype import api
    from tintype.cli.head_words import head_blocks
    from tintype.cli.model_words import card_json

    given = {
        "labels": labels,
        "template": templates or None,
        "scale": scale,
        "column": column,
        "from": place,
        "kind": kind,
        "activation": activation,
        "license": license_,
    }
    said = {option for option, value in given.items() if value is not None}
    if file is not None:
        _refuse(said - {"labels", "activation", "license"}, "--file")
        card = api.file_head(name, over, file, labels=labels or (), activation=activation, license_id=license_)
    elif column is not None and place is not None:
        _refuse(said - {"column", "from", "kind"}, "--column")
        with awaited(is_quiet=as_json) as progress:
            card = api.train_head(name, over, api.open(place), column, kind=kind, progress=progress)
    elif labels is not None:
        _refuse(said - {"labels", "template", "scale"}, "--labels")
        from tintype.models.heads.zero_shot import SCALE
        from tintype.models.words import TEMPLATES

        scale = SCALE if scale is None else scale
        card = api.zero_shot_head(name, over, labels, templates=templates or TEMPLATES, scale=scale)
    else:
        raise click.UsageError(
            "say what the head is made of: --labels FILE, --column NAME --from PLACE, or --file FILE"
        )
    show({"model": card_json(card)}, head_blocks(card), as_json=as_json)


def _refuse(options: set[str], beside: str) -> None:
    if options:
        raise click.UsageError(f"--{min(options)} does not go with {beside}")


@click.command()
@options.place
@options.collection
@click.option("--model", required=True, metavar="NAME", help="Which head; see: tintype models head.")
@click.option(
    "--min-confidence",
    type=click.FloatRange(0, 1),
    default=0.0,
    show_default=True,
    help="Below it an image has no class.",
)
@click.option("--top", type=click.IntRange(1, 1_000), default=5, show_default=True, help="Classes kept of each image.")
@options.as_json
def predict(place: str, collection: str | None, model: str, min_confidence: float, top: int, as_json: bool) -> None:
    """Run a head on the stored vectors of the images at PLACE; what it says become columns.

    predict_NAME is the likeliest class or the number, beside predict_NAME_confidence and predict_NAME_top.
    """
    from tintype import api
    from tintype.cli.head_words import predict_blocks

    opened = api.open(place, collection)
    with awaited(is_quiet=as_json) as progress:
        document = api.predict(opened, model, min_confidence=min_confidence, top=top, progress=progress).to_json()
    show(document, predict_blocks(document), as_json=as_json)
