"""The command `tintype`: finds the verb, runs it, and turns errors into one line and an exit code."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Sequence

import click

from tintype.cli.output import json_text, put_aside, say, write
from tintype.core.errors import TintypeError, UsageError
from tintype.core.names import shown

COMMANDS = {
    "scan": ("tintype.cli.scan:scan", "Read images once and remember what they are."),
    "objects": ("tintype.cli.objects:objects", "Make boxes in images into rows of their own."),
    "info": ("tintype.cli.answers:info", "Say what a collection holds."),
    "duplicates": ("tintype.cli.answers:duplicates", "List groups of copies, with reasons."),
    "issues": ("tintype.cli.answers:issues", "List images with something amiss."),
    "neighbors": ("tintype.cli.findings:neighbors", "List what is like one image."),
    "search": ("tintype.cli.search:search", "List images that show what words say."),
    "outliers": ("tintype.cli.findings:outliers", "List images unlike all others."),
    "clusters": ("tintype.cli.findings:clusters", "Sort images into clusters that look alike."),
    "leaks": ("tintype.cli.findings:leaks", "List pictures on both sides of a split."),
    "labels": ("tintype.cli.findings:labels", "List labels that are likely wrong."),
    "select": ("tintype.cli.findings:select", "Select a diverse subset."),
    "map": ("tintype.cli.findings:map_", "Lay images out on a plane, like near like."),
    "decide": ("tintype.cli.decisions:decide", "Say that images are no copies of each other."),
    "decisions": ("tintype.cli.decisions:decisions", "List what was decided."),
    "models": ("tintype.cli.models:models", "List, add and remove models."),
    "embed": ("tintype.cli.embed:embed", "Give each image a vector by a model."),
    "predict": ("tintype.cli.heads:predict", "Run a head on stored vectors."),
    "work": ("tintype.cli.embed:work", "Help to scan or embed, as one more process."),
    "status": ("tintype.cli.embed:status", "Say how vectors or a scan come along."),
    "verify": ("tintype.cli.embed:verify", "Prove that vectors are whole."),
    "index": ("tintype.cli.indexes:index", "Index vectors; find the nearest of any."),
    "report": ("tintype.cli.answers:report", "Write one HTML file to look at."),
    "trust": ("tintype.cli.scan:trust", "Use a collection that came from elsewhere."),
    "config": ("tintype.cli.setup:config", "Show the settings and where each comes from."),
    "doctor": ("tintype.cli.setup:doctor", "Say what is installed and what is wrong."),
    "plugins": ("tintype.cli.setup:plugins", "List stages, finders and other parts."),
    "completion": ("tintype.cli.setup:completion", "Print the completion script of a shell."),
    "version": ("tintype.cli.setup:version", "Show the version."),
}
"""Where each verb is, and what it does in a line; its file is imported when it is asked for."""

COMPLETION_VARIABLE = "_TINTYPE_COMPLETE"
INTERRUPTED = 130  # 128 + SIGINT, as shells have it
OUTPUT_CLOSED = 141  # 128 + SIGPIPE


class Verbs(click.Group):
    """The verbs in the order of their use, each imported on first use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (_, words) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            ctx.fail(f"no command {args[0]!r}." + (f" Did you mean {near[0]}?" if near else " See tintype --help"))
        return super().resolve_command(ctx, args)


def _print_version(ctx: click.Context, _: click.Parameter, is_asked: bool) -> None:
    if is_asked and not ctx.resilient_parsing:
        from tintype import __version__

        write(f"tintype {__version__}\n")
        ctx.exit()


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_print_version, help="Show the version."
)
def tintype() -> None:
    """Scan a pile of images once; then ask, find and act.

    Data goes to stdout, words to stderr. Every command has --json.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code. A traceback means a bug."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    _take_any_text()
    try:
        if instruction := os.environ.get(COMPLETION_VARIABLE):
            from click.shell_completion import shell_complete

            return shell_complete(tintype, {}, "tintype", COMPLETION_VARIABLE, instruction)
        with tintype.make_context("tintype", words) as context:
            tintype.invoke(context)
        return 0
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        say(error.format_message())
        return error.exit_code
    except click.ClickException as error:
        return _fail(words, UsageError.__name__, _usage(error), error.exit_code)
    except TintypeError as error:
        return _fail(words, type(error).__name__, str(error), error.exit_code)
    except (KeyboardInterrupt, click.Abort) as stop:
        return _fail(words, "Interrupted", f"interrupted. {stop}".rstrip(". "), INTERRUPTED)
    except BrokenPipeError:
        if not _is_output_closed():
            raise
        return OUTPUT_CLOSED


def run() -> None:
    """The entry point of `python -m tintype.cli.main`."""
    sys.exit(main())


def _usage(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    message = " ".join(error.format_message().split()).rstrip(".")
    if context is None or "--help" in message or message.endswith("?"):
        return message
    return f"{message}. See {context.command_path} --help"


def _fail(words: Sequence[str], name: str, message: str, exit_code: int) -> int:
    """One line on stderr; where JSON was asked for, the error is the one document on stdout."""
    line = shown(message)
    say(f"tintype: {line}")
    if "--json" in words[: words.index("--") if "--" in words else len(words)]:
        with contextlib.suppress(OSError):
            write(json_text({"error": {"class": name, "message": line, "exit_code": exit_code}}))
    return exit_code


def _take_any_text() -> None:
    """A terminal that cannot show a character gets its number: a name must never stop a command."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _is_output_closed() -> bool:
    """Whether it was stdout that broke; if so it is put aside."""
    import select

    try:
        watch = select.poll()
        watch.register(sys.stdout.fileno(), select.POLLOUT)
        is_broken = any(event & (select.POLLERR | select.POLLHUP) for _, event in watch.poll(0))
    except (AttributeError, OSError, ValueError):  # no stdout, no file behind it, or a system without poll
        return False
    if is_broken:
        put_aside()
    return is_broken


if __name__ == "__main__":
    run()
