"""Arguments and options that several commands share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from tintype.core.settings import Config

place = click.argument("place", type=click.Path())
optional_place = click.argument("place", type=click.Path(), required=False)
as_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON document, for scripts.")
collection = click.option(
    "--collection",
    type=click.Path(),
    metavar="DIR",
    help="Where the collection lies, if not in the folder itself.",
)
stages = click.option("--stages", metavar="NAMES", help="What to compute, separated by commas; see: tintype plugins.")
workers = click.option(
    "--workers",
    type=click.IntRange(1, 1024),
    metavar="N",
    help="How many processes work; one a processor if not given.",
)
quiet = click.option("--quiet", is_flag=True, help="Show no progress.")
where = click.option(
    "--where", metavar="FILTER", help="Only these images, as in: \"taken_at >= '2024-01-01' and width > 1000\"."
)
settings = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a setting for this run, as in --set limits.pixels=50000000; see: tintype config show.",
)


def config_for(sources: Sequence[str], settings: Sequence[str]) -> Config:
    """The settings for these sources, with `KEY=VALUE` words laid over them; only a single folder has its own."""
    from tintype import api

    return api.config(sources[0] if len(sources) == 1 else None, flags(settings))


def flags(settings: Sequence[str]) -> dict[str, object]:
    """Dotted keys and the text of their values, from `KEY=VALUE` words."""
    found: dict[str, object] = {}
    for setting in settings:
        key, sign, value = setting.partition("=")
        if not sign:
            raise click.BadParameter(f"{setting!r} is not KEY=VALUE", param_hint="--set")
        found[key.strip()] = value
    return found
