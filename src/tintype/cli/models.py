"""Verbs about models."""

from __future__ import annotations

from typing import Any

import click

from tintype.cli import heads, model_checks, options
from tintype.cli.output import Line, show

FILTERS = ("nearest", "box", "bilinear", "hamming", "bicubic", "lanczos")
FORMS = ("center", "corners", "corner and size")
SCORINGS = ("softmax", "sigmoid", "probabilities")


@click.group(invoke_without_command=True)
@options.as_json
@click.pass_context
def models(context: click.Context, as_json: bool) -> None:
    """List the models at hand: what each is for, its size, license, engines, and how fast the fastest was found to be.

    Speeds are of one process on this machine, measured by: tintype models check MODEL.
    """
    if context.invoked_subcommand is not None:
        return
    from tintype import api
    from tintype.cli.model_words import card_json, models_blocks
    from tintype.models.speeds import measured

    cards = list(api.cards())
    speeds = {card.name: measured(card) for card in cards}
    document = {"models": [card_json(card) for card in cards], "speeds": speeds}
    show(document, models_blocks(cards, speeds), as_json=as_json)


@models.command("show")
@click.argument("model")
@options.as_json
def models_show(model: str, as_json: bool) -> None:
    """Show the card of MODEL: what goes in, what comes out, where it comes from."""
    from tintype import api
    from tintype.cli.model_words import card_blocks, card_json

    card = api.card(model)
    show({"model": card_json(card)}, card_blocks(card), as_json=as_json)


@models.command("add")
@click.argument("source", type=click.Path())
@click.option("--name", metavar="NAME", help="What to call it; otherwise made of SOURCE.")
@click.option("--license", "license_", metavar="ID", help="Its license, where its files do not say, as in Apache-2.0.")
@click.option("--accept-license", is_flag=True, help="Add it although its license forbids commercial use.")
@click.option("--trained-on", metavar="TEXT", help="What it was trained on, where its files do not say.")
@click.option("--revision", metavar="COMMIT", help="Which commit, branch or tag of the hub.")
@click.option("--no-onnx", is_flag=True, help="Do not export it to ONNX: it then needs PyTorch to run.")
@click.option(
    "--task", type=click.Choice(["embed image", "classify", "multi-label", "detect"]), help="What an .onnx file is for."
)
@click.option("--labels", type=click.Path(), metavar="FILE", help="The names of an .onnx file's classes, a line each.")
@click.option("--size", metavar="WxH", help="Of the images that an .onnx file takes, in pixels, where it takes any.")
@click.option("--fit", type=click.Choice(["crop", "squeeze", "letterbox"]), help="How images come to that size.")
@click.option("--shorter", type=click.FloatRange(1), metavar="PX", help="The shorter side that --fit crop scales to.")
@click.option("--filter", "sampling", type=click.Choice(FILTERS), help="How images are scaled.")
@click.option("--mean", metavar="R,G,B", help="Taken off each channel, in levels of 0 to 255, as in 123.7,116.3,103.5.")
@click.option("--std", metavar="R,G,B", help="What each channel is then divided by, in levels of 0 to 255.")
@click.option("--order", type=click.Choice(["rgb", "bgr"]), help="Of the channels; rgb if not given.")
@click.option("--boxes", type=click.Choice(FORMS), help="What the four numbers of a detector's box are.")
@click.option(
    "--unit", type=click.Choice(["share", "px"]), help="Of these numbers: shares of the input, or its pixels."
)
@click.option("--scores", type=click.Choice(SCORINGS), help="How a detector's scores become 0 to 1.")
@click.option("--overlap", type=click.FloatRange(0, 1), metavar="SHARE", help="Keep one of boxes that overlap by more.")
@options.as_json
def models_add(source: str, as_json: bool, **told: Any) -> None:
    """Add a model. SOURCE is one of these:

    \b
    a card             a JSON file with its weights beside it
    an .onnx file      what it does not say of its images is told by options
    a folder           as transformers, timm and open_clip save models (safetensors)
    an id of the hub   openai/clip-vit-base-patch32, timm/resnet50.a1_in1k
    a library's name   resnet50.a1_in1k (timm), ViT-B-32/laion2b_s34b_b79k (open_clip)

    A model for images and words becomes two cards, NAME and NAME_text.
    """
    from tintype import api
    from tintype.cli.model_words import added_lines, card_json, wishes

    cards = api.add_model(source, wishes(told))
    show({"models": [card_json(card) for card in cards]}, added_lines(cards), as_json=as_json)


@models.command("remove")
@click.argument("model")
@options.as_json
def models_remove(model: str, as_json: bool) -> None:
    """Remove MODEL, one of your own, with its files."""
    from tintype import api

    place = str(api.remove_model(model))
    show({"removed": place}, [Line(f"{place} was removed.")], as_json=as_json)


models.add_command(model_checks.check)
models.add_command(model_checks.triton)
models.add_command(heads.head)
