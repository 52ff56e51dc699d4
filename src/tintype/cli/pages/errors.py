"""The page of exit codes and of what can be said of an image."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence

from tintype.cli.pages.markdown import first_line, page, table
from tintype.core import errors
from tintype.core.columns import STATUSES

STATUS_WORDS = {
    "ok": ("It was decoded without a complaint.", "when the file changes"),
    "damaged": (
        "It is broken or cut off, even if other programs show something of it.",
        "when the file, a limit or an extra changes",
    ),
    "rejected": (
        "It is over a limit, or a table asks for a file outside of its folder. Limits are the settings `limits.*`.",
        "when the file, a limit or an extra changes",
    ),
    "unsupported": (
        "It has the name of an image but other content, or a format that is not read here.",
        "when the file, a limit or an extra changes",
    ),
    "unreadable": ("The system did not hand out its bytes: rights, a bad disk, only in the cloud.", "in every scan"),
    "timeout": (
        "It took too long, twice, the second time alone in a fresh worker.",
        "when the file, a limit or an extra changes",
    ),
    "crashed": (
        "It made its decoder die, twice, the second time alone in a fresh worker; or a stage failed at it.",
        "when the file, a limit or an extra changes",
    ),
}
"""What each status means, and when the image is tried again."""

_ANYTHING_ELSE = (
    "Anything else, such as output that cannot be written; also where `tintype doctor` finds something wrong."
)
_OTHERS = ((0, "All went well."), (130, "Interrupted with Ctrl-C."), (141, "Nobody reads the output any more."))


def error_page() -> str:
    """The page of errors, exit codes and statuses."""
    return page(
        (
            "# Errors",
            "A command that cannot do what it was asked for says why in one line on stderr, and ends with a code of "
            "its own, so that scripts can tell the cases apart. In Python the same is an exception; all of them are "
            "`tintype.TintypeError`, and most live in `tintype.core.errors`.",
            "One bad image is no error: it gets a row with a [status](#what-is-said-of-an-image), and the command ends "
            "with 0. `tintype doctor` ends with 1 where something is wrong.",
            "## Exit codes",
            table(("code", "error", "kind of", "meaning"), _error_rows()),
            "A traceback is a bug of Tintype's; the exit code is 1 then.",
            "## What is said of an image",
            table(
                ("status", "meaning", "tried again"),
                ((f"`{status}`", *STATUS_WORDS[status]) for status in STATUSES),
            ),
            "Each status but `ok` comes with a `reason` of one line. A reason never holds paths of your machine.",
        )
    )


def exit_codes() -> str:
    """The table of codes alone."""
    rows = [(kind.exit_code, _words(kind)) for kind in _kinds()]
    return table(("code", "meaning"), ((str(code), words) for code, words in sorted((*rows, *_OTHERS))))


def _words(kind: type[errors.TintypeError]) -> str:
    return _ANYTHING_ELSE if kind is errors.TintypeError else first_line(kind)


def _error_rows() -> Iterator[Sequence[str]]:
    named = [
        (kind.exit_code, f"`{kind.__name__}`", f"`{kind.__base__.__name__ if kind.__base__ else ''}`", _words(kind))
        for kind in _kinds()
    ]
    others = [(code, "", "", words) for code, words in _OTHERS]
    for code, name, base, words in sorted([*named, *others]):
        yield str(code), name, base, words


def _kinds() -> list[type[errors.TintypeError]]:
    """The errors that end a command."""
    return [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, errors.TintypeError)]
