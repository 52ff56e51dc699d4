"""Every example of the documentation runs, and prints what the page says that it prints."""

import contextlib
import io
import os
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pages import Block, blocks, written_pages
from workplace import Workplace

from tintype.cli.main import main

NOT_RUN = ("make", "pip", "#")  # lines of shell blocks that begin so: they set up what the tests run in
COMMANDS = ("tintype", "cp", "mkdir")
NEEDS = {"object-stores.md": "aws", "detection.md": "tiny_models", "triton.md": "triton"}
"""Fixtures that a page's examples need."""

RUNNING_S = 60


@pytest.mark.parametrize("page", written_pages(), ids=lambda page: page.name)
def test_the_examples_of_a_page_run_one_after_the_other(page: Path, workplace: Workplace, monkeypatch, request):
    if page.name in NEEDS:
        request.getfixturevalue(NEEDS[page.name])
    for name in set(os.environ) - set(workplace.environ):
        monkeypatch.delenv(name)
    for name, value in workplace.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(workplace.home)
    names: dict[str, Any] = {"__name__": "example"}
    printed = ""
    for block in blocks(page):
        if block.language == "sh" and block.is_run:
            printed = _run_shell(block, workplace)
        elif block.language == "python" and block.is_run and not block.file:
            printed = _run_python(block, names) or printed
        elif block.language == "text" and printed:
            _check_output(block, printed)
            printed = ""


def test_what_is_not_run_says_why():
    for page in written_pages():
        for block in blocks(page):
            assert block.language in ("", "sh", "text", "python", "yaml", "toml", "json"), f"{page.name}:{block.line}"
            if block.language == "sh" and block.is_run:
                assert _lines(block) or "pip" in block.text or "make" in block.text, f"{page.name}:{block.line}"
            if block.comment:
                known = ("not run: ", "fails with ", "file: ")
                assert block.comment.startswith(known), f"{page.name}:{block.line}: {block.comment}"


def _lines(block: Block) -> list[str]:
    """The lines of a shell block that are run. An unknown command is a mistake of the page."""
    lines = []
    for line in block.text.splitlines():
        words = shlex.split(line, comments=True)
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):  # a variable for this line
            del words[0]
        if words and words[0] not in NOT_RUN:
            assert words[0] in COMMANDS, f"{block.page}:{block.line}: {line}"
            lines.append(line)
    return lines


def _run_shell(block: Block, workplace: Workplace) -> str:
    """What the last line prints, stdout first."""
    printed = ""
    for line in _lines(block):
        words = _words(line)
        code, printed = _run_here(words) if words else _run_by_shell(line, workplace)
        assert code == block.exit_code, f"{block.page}:{block.line}: {line}\n{printed}"
    return printed


def _words(line: str) -> list[str]:
    """Of a command of ours that a shell would only split at its blanks; none of what it would do more with."""
    plain = re.sub(r"'[^']*'|\"[^\"$`\\]*\"", "", line.partition(" #")[0])
    words = shlex.split(line, comments=True)
    if words[0] != "tintype" or re.search(r"[|<>$*?;&`(){}\[\]\\]", plain):
        return []
    return [os.path.expanduser(word) if word.startswith("~") else word for word in words[1:]]


def _run_here(words: list[str]) -> tuple[int, str]:
    """In this process, as starting one takes longer than most examples; other tests start them."""
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        code = main(words)
    return code, out.getvalue() + err.getvalue()


def _run_by_shell(line: str, workplace: Workplace) -> tuple[int, str]:
    ended = subprocess.run(
        ["bash", "-c", line],
        env=workplace.environ,
        cwd=workplace.home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=RUNNING_S,
    )
    return ended.returncode, ended.stdout + ended.stderr


def _run_python(block: Block, names: dict[str, Any]) -> str:
    """What it prints."""
    code = compile("\n" * block.line + block.text, block.page, "exec")
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code, names)
    return printed.getvalue()


def _check_output(block: Block, printed: str) -> None:
    """Each line stands in the output, in this order; `…` is anything, and blanks are as wide as they like."""
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    at = 0
    for wanted in filter(None, (" ".join(line.split()) for line in block.text.splitlines())):
        pattern = re.compile(".*".join(map(re.escape, wanted.split("…"))))
        found = next((i for i, line in enumerate(lines[at:], at) if pattern.fullmatch(line)), None)
        assert found is not None, f"{block.page}:{block.line}: {wanted!r} is not in what follows of:\n{printed}"
        at = found + (wanted != "…")
