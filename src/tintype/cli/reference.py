"""Markdown pages made from the code: every command with its options, every setting with its default."""

from __future__ import annotations

import dataclasses
import inspect
import io
import sys
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_type_hints

import click

_MADE = "<!-- Made by `python -m tintype.cli.reference`; do not edit. -->"


def command_page() -> str:
    """The page of all commands."""
    from tintype.cli.main import tintype

    parts = [_MADE, "# Commands", inspect.cleandoc(tintype.help or "")]
    for command, context in _commands(tintype, click.Context(tintype, info_name="tintype")):
        parts += _command_parts(command, context)
    parts += ["## Exit codes", *_exit_codes()]
    return "\n\n".join(parts) + "\n"


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
    yield inspect.cleandoc(command.help or "").replace("\b\n", "")
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"```\n{context.command_path} {usage}\n```"
    rows = [
        _row(", ".join(f"`{name}`" for name in option.opts) + _value_of(option), option.help or "")
        for option in command.params
        if isinstance(option, click.Option)
    ]
    if rows:
        yield "\n".join([_row("option", "what it does"), _row("---", "---"), *rows])


def _value_of(option: click.Option) -> str:
    if option.is_flag:
        return ""
    return f" {option.metavar or option.type.name.upper()}"


def _exit_codes() -> Iterator[str]:
    from tintype.core import errors

    kinds = [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, errors.TintypeError)]
    rows = [_row(str(kind.exit_code), _first_line(kind)) for kind in sorted(kinds, key=lambda kind: kind.exit_code)]
    others = (
        _row("0", "All went well."),
        _row("130", "Interrupted."),
        _row("141", "Nobody reads the output any more."),
    )
    yield "\n".join([_row("code", "meaning"), _row("---", "---"), others[0], *rows, *others[1:]])
    yield (
        "An error is one line on stderr. With `--json` it is also the document on stdout: "
        '`{"schema": 1, "error": {"class": …, "message": …, "exit_code": …}}`.'
    )


def settings_page(sections: Mapping[str, type]) -> str:
    """The page of all settings; each field's words are the comment beside it."""
    parts = [_MADE, "# Settings", *_layers()]
    for section, kind in sections.items():
        parts += [f"## {section}", _first_line(kind)]
        rows = [_setting_row(section, kind, field) for field in dataclasses.fields(kind)]
        parts.append("\n".join([_row("setting", "type", "default", "meaning"), _row(*["---"] * 4), *rows]))
    return "\n\n".join(parts) + "\n"


def _layers() -> Iterator[str]:
    yield (
        "Flags (`--set KEY=VALUE`) go over environment variables (`TINTYPE_SECTION_KEY`, as in "
        "`TINTYPE_LIMITS_PIXELS=50000000`), over `tintype.yaml` in the scanned folder, over the user's "
        "`config.yaml`, over the defaults. `tintype config show` says where each value comes from."
    )
    yield "```yaml\nlimits:\n  pixels: 50000000\n```"


def _setting_row(section: str, kind: type, field: dataclasses.Field[Any]) -> str:
    from tintype.core.settings import variable

    key = f"{section}.{field.name}"
    type_ = get_type_hints(kind)[field.name]
    type_text = type_.__name__ if isinstance(type_, type) and not getattr(type_, "__args__", None) else str(type_)
    default = getattr(kind(), field.name)
    words = _comments(kind).get(field.name, "")
    return _row(f"`{key}`<br>`{variable(key)}`", f"`{type_text}`", f"`{default!r}`", words)


def _comments(kind: type) -> dict[str, str]:
    """Comments by the name of the field that they stand beside; tokens, because a default may hold a `#`."""
    source = inspect.cleandoc(inspect.getsource(kind))
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    names = {token.start[0]: token.string for token in reversed(tokens) if token.type == tokenize.NAME}
    return {
        names[token.start[0]]: token.string.lstrip("# ")
        for token in tokens
        if token.type == tokenize.COMMENT and token.start[0] in names
    }


def _first_line(kind: type) -> str:
    """The first line of a class's own words; a dataclass without any has its signature there, which says nothing."""
    words = inspect.cleandoc(kind.__doc__ or "").split("\n", 1)[0]
    return "" if words.startswith(f"{kind.__name__}(") else words


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"


def main(folder: Path) -> None:
    """Write both pages into a folder."""
    from tintype import api

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cli.md").write_text(command_page(), encoding="utf-8")
    (folder / "configuration.md").write_text(settings_page(api.sections()), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "docs/reference"))
