"""Commands that end badly in every way there is; tests add them to the real ones."""

import click

from tintype.core.errors import CollectionLocked, FilterError


@click.command()
@click.argument("way")
@click.option("--json", "as_json", is_flag=True)
def fail(way: str, as_json: bool) -> None:
    raise {
        "locked": CollectionLocked("/photos\n\x1b[2J", "process 7"),
        "filter": FilterError("no column x"),
        "interrupt": KeyboardInterrupt(),
        "interrupt-with-words": KeyboardInterrupt("What was finished is kept"),
        "abort": click.Abort(),
        "usage": click.UsageError("two of them"),
        "pipe": BrokenPipeError(),
        "bug": ZeroDivisionError("a bug"),
    }[way]
