"""Verbs about the engines of models: check, triton."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click

from tintype.cli import options
from tintype.cli.output import Block, Line, Table, show
from tintype.core.names import shown

if TYPE_CHECKING:
    from tintype.models.parity_rows import Parity, Row


@click.command()
@click.argument("model")
@click.option("--images", type=click.Path(), metavar="DIR", help="Compare on these images too: the first 200 by name.")
@click.option("--engine", "engines", multiple=True, metavar="ENGINE", help="Only this one, as in torch:bf16:cuda.")
@options.as_json
def check(model: str, images: str | None, engines: tuple[str, ...], as_json: bool) -> None:
    """Compare the engines that run MODEL here with its reference, and measure them.

    The reference decodes in full, prepares images as the model's own library does where that is installed, and runs the
    model in fp32. An engine with a mean cosine below 0.999 or a worst below 0.99, or a classifier with another first
    class (or a model with another answer in boxes, words or masks) for more than one image in a hundred, is not used
    unless it is named.
    """
    from tintype import api

    parity = api.check_model(model, images, engines=engines)
    show({"parity": parity_json(parity)}, parity_blocks(parity), as_json=as_json)
    if not all(row.is_usable for row in parity.rows):
        click.get_current_context().exit(1)


@click.command()
@click.argument("model")
@click.argument("place", metavar="DIR", type=click.Path())
@click.option("--instances", type=click.IntRange(1, 64), default=1, metavar="N", help="On each device. Default: 1.")
@options.as_json
def triton(model: str, place: str, instances: int, as_json: bool) -> None:
    """Write MODEL into DIR, a model repository of Triton Inference Server."""
    from tintype import api

    names = api.write_triton_repository(model, place, instances=instances)
    lines: list[Block] = [Line(f"{shown(place)} has the models {', '.join(names)}.")]
    lines.append(Line(f"Start it: tritonserver --model-repository={shown(place)}"))
    lines.append(Line("Use it: TINTYPE_TRITON=grpc://HOST:8001 and --backend triton"))
    show({"models": list(names), "repository": place}, lines, as_json=as_json)


def parity_json(parity: Parity) -> dict[str, Any]:
    """The table's values, unrounded."""
    rows = [dataclasses.asdict(row) for row in parity.rows]
    return {
        "model": parity.card.name,
        "fingerprint": parity.card.fingerprint,
        "reference": parity.reference,
        "images": parity.count,
        "left_out": parity.left_out,
        "rows": rows,
    }


def parity_blocks(parity: Parity) -> list[Block]:
    """The table, and what it stands on."""
    unit = "text" if parity.card.task == "embed text" else "image"
    left_out = f"; {parity.left_out} could not be read" if parity.left_out else ""
    title = f"{parity.card.name} on {parity.count} {unit}s{left_out}, against: {parity.reference}"
    columns = ("", ">mean cosine", ">worst", ">same class", f">{unit}s/s", "")
    return [Table(shown(title), columns, [_cells(row) for row in parity.rows])]


def _cells(row: Row) -> tuple[str, ...]:
    cosines = ("" if value is None else f"{value:.6f}" for value in (row.cosine_mean, row.cosine_worst))
    agreement = "" if row.top1_agreement is None else f"{row.top1_agreement:.1%}"
    speed = "" if row.per_s is None else f"{row.per_s:,.0f}"
    return row.name, *cosines, agreement, speed, "ok" if row.is_usable else shown(row.reason)
