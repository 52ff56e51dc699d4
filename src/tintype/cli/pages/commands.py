"""The page of all commands with their options and exit codes."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from tintype.cli.pages.errors import exit_codes
from tintype.cli.pages.markdown import page, table


def command_page() -> str:
    """The page of all commands."""
    from tintype.cli.main import tintype

    parts = ["# Command line", inspect.cleandoc(tintype.help or "")]
    parts.append("Examples, and the JSON of each command, are in [commands.md](../commands.md).")
    for command, context in _commands(tintype, click.Context(tintype, info_name="tintype")):
        parts += _command_parts(command, context)
    parts += [
        "## Exit codes",
        exit_codes(),
        "An error is one line on stderr. With `--json` it is also the document on stdout: "
        '`{"schema": 1, "error": {"class": …, "message": …, "exit_code": …}}`. '
        "[errors.md](errors.md) says more about each.",
    ]
    return page(parts)


def _commands(group: click.Group, context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None:
            continue
        inner = click.Context(command, info_name=name, parent=context)
        yield command, inner
        if isinstance(command, click.Group):
            yield from _commands(command, inner)


def _command_parts(command: click.Command, context: click.Context) -> Iterator[str]:
    yield f"## {context.command_path}"
    yield _help(command)
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"```\n{context.command_path} {usage}\n```"
    rows = [
        (", ".join(f"`{name}`" for name in option.opts) + _value_of(option), option.help or "")
        for option in command.params
        if isinstance(option, click.Option)
    ]
    if rows:
        yield table(("option", "what it does"), rows)


def _help(command: click.Command) -> str:
    """The help; paragraphs whose line ends click keeps become blocks."""
    paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
    return "\n\n".join(
        f"```\n{paragraph.removeprefix(chr(8)).strip(chr(10))}\n```" if paragraph.startswith("\b") else paragraph
        for paragraph in paragraphs
    )


def _value_of(option: click.Option) -> str:
    if option.is_flag:
        return ""
    return f" {option.metavar or option.type.name.upper()}"
