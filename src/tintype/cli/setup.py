"""Verbs about the installation: config, doctor, plugins, completion, version."""

from __future__ import annotations

import click

from tintype.cli import options
from tintype.cli.output import Line, Script, show


@click.group()
def config() -> None:
    """Show the settings; they are changed in files, by variables or by --set."""


@config.command("show")
@options.optional_place
@options.settings
@options.as_json
def config_show(place: str | None, settings: tuple[str, ...], as_json: bool) -> None:
    """List every setting with its value and where it comes from.

    Flags go over the environment (TINTYPE_SECTION_KEY), over tintype.yaml in PLACE, over the user's file, over
    the defaults.
    """
    from tintype import api
    from tintype.cli.words import config_blocks

    document = api.config(place, options.flags(settings)).to_json()
    show(document, config_blocks(document), as_json=as_json)


@click.command()
@options.optional_place
@options.as_json
def doctor(place: str | None, as_json: bool) -> None:
    """Say what is installed, what each extra would add, and what is wrong, here or with the collection at PLACE.

    Ends with exit code 1 where something is wrong.
    """
    from tintype import doctor as examiner
    from tintype.cli.words import doctor_blocks

    found = examiner.examine(place)
    document = found.to_json()
    show(document, doctor_blocks(document), as_json=as_json)
    click.get_current_context().exit(0 if found.is_well else 1)


@click.command()
@options.as_json
def plugins(as_json: bool) -> None:
    """List the stages, finders and other parts that are installed, with the package that brings each."""
    from tintype import doctor as examiner
    from tintype.cli.words import plugin_blocks

    document = {"plugins": [plugin.to_json() for plugin in examiner.plugins()]}
    show(document, plugin_blocks(document), as_json=as_json)


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@options.as_json
def completion(shell: str, as_json: bool) -> None:
    """Print the script that completes `tintype` in SHELL.

    \b
    bash:  tintype completion bash > ~/.local/share/bash-completion/completions/tintype
    zsh:   tintype completion zsh > "${fpath[1]}/_tintype"
    fish:  tintype completion fish > ~/.config/fish/completions/tintype.fish
    """
    from click.shell_completion import get_completion_class

    from tintype.cli.main import COMPLETION_VARIABLE, tintype

    kind = get_completion_class(shell)
    assert kind is not None  # noqa: S101 - the shells of the choice are click's own
    script = kind(tintype, {}, "tintype", COMPLETION_VARIABLE).source()
    show({"shell": shell, "script": script}, [Script(script)], as_json=as_json)


@click.command()
@options.as_json
def version(as_json: bool) -> None:
    """Show the version."""
    from tintype import __version__

    show({"version": __version__}, [Line(f"tintype {__version__}")], as_json=as_json)
