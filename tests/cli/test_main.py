"""The way from words to an exit code: help, errors, interrupts, closed pipes."""

import inspect
import json
import os
import subprocess
import sys

import pytest

from cli.conftest import COMMAND
from tintype.cli import main as main_file
from tintype.cli.main import COMMANDS, main
from tintype.core import errors

HEAVY = ("pyarrow", "numpy", "rich", "pydantic", "platformdirs", "yaml", "cv2", "lance", "PIL", "importlib.metadata")


@pytest.fixture
def failing(monkeypatch):
    monkeypatch.setitem(main_file.COMMANDS, "fail", ("cli.failing:fail", "fails"))


@pytest.mark.parametrize("words", [["--help"], ["-h"], ["--version"], ["version"], ["scan", "--help"], ["info", "-h"]])
def test_help_and_version_import_nothing_heavy(words, environment):
    found = f"[name for name in {HEAVY!r} if name in sys.modules]"
    code = f"import sys; from tintype.cli.main import main; main({words!r}); print({found})"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert ended.stdout.splitlines()[-1] == "[]"


def test_help_lists_every_command(tintype):
    ended = tintype("--help")
    assert (ended.code, ended.err) == (0, "")
    for name in COMMANDS:
        assert f"\n  {name} " in ended.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name, tintype):
    ended = tintype(name, "--help")
    assert (ended.code, ended.err) == (0, "")
    assert f"Usage: tintype {name}" in ended.out.replace("python -m tintype.cli.main", "tintype")
    of_group = {"config": "show", "index": "info"}
    words = tintype(name, of_group[name], "--help").out if name in of_group else ended.out
    assert "--json" in words


def test_without_words_help_is_shown_as_an_error(tintype):
    ended = tintype()
    assert (ended.code, ended.out) == (2, "")
    assert "Commands:" in ended.err


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["scna", "x"], "tintype: no command 'scna'. Did you mean scan?"),
        (["frobnicate"], "tintype: no command 'frobnicate'. See tintype --help"),
        (["scan"], "tintype: Missing argument 'SOURCES...'. See tintype scan --help"),
        (["info", "x", "--jsn"], "tintype: No such option '--jsn'. Did you mean '--json'?"),
        (["scan", "x", "--workers", "0"], "tintype: Invalid value for '--workers': 0 is not in the range 1<=x<=1024."),
        (["scan", "x", "--set", "workers"], "tintype: Invalid value for --set: 'workers' is not KEY=VALUE."),
        (["completion", "tcsh"], "tintype: Invalid value for '{bash|zsh|fish}': 'tcsh' is not one of"),
    ],
)
def test_a_slip_in_the_words_is_one_line_and_exit_code_2(words, line, tintype):
    ended = tintype(*words)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(line)
    assert ended.err.count("\n") == 1


def test_errors_are_one_line_with_the_exit_code_of_their_class(failing, capsys):
    assert main(["fail", "locked"]) == errors.CollectionLocked.exit_code
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(r"tintype: /photos\n\x1b[2J is in use by process 7. Nothing was changed.")
    assert captured.err.count("\n") == 1


@pytest.mark.parametrize(
    ("way", "name", "code"),
    [
        ("locked", "CollectionLocked", 7),
        ("filter", "FilterError", 14),
        ("usage", "UsageError", 2),
        ("interrupt", "Interrupted", 130),
    ],
)
def test_with_json_an_error_is_the_one_document(way, name, code, failing, capsys):
    assert main(["fail", way, "--json"]) == code
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    message = captured.err.removeprefix("tintype: ").rstrip("\n")
    assert document == {"schema": 1, "error": {"class": name, "message": message, "exit_code": code}}


def test_a_name_that_looks_like_an_option_asks_for_no_json(failing, capsys):
    assert main(["fail", "--", "filter"]) == 14
    assert main(["info", "--", "--json"]) == 6
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("way", ["interrupt", "abort"])
def test_an_interrupt_is_one_line_and_exit_code_130(way, failing, capsys):
    assert main(["fail", way]) == 130
    assert capsys.readouterr().err == "tintype: interrupted\n"


def test_an_interrupted_scan_says_that_it_goes_on(failing, capsys):
    assert main(["fail", "interrupt-with-words"]) == 130
    assert capsys.readouterr().err == "tintype: interrupted. What was finished is kept\n"


def test_a_bug_shows_a_traceback(failing):
    with pytest.raises(ZeroDivisionError):
        main(["fail", "bug"])


def test_a_pipe_that_broke_elsewhere_is_a_bug(failing):
    with pytest.raises(BrokenPipeError):
        main(["fail", "pipe"])


def test_a_reader_that_leaves_ends_the_command_quietly(environment):
    for words in (["plugins", "--json"], ["--help"], ["scan", "--help"], ["version"], ["--version"]):
        process = subprocess.Popen([*COMMAND, *words], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.close()
        assert (process.stderr.read(), process.wait()) == (b"", 141), words
        process.stderr.close()


def test_output_that_cannot_be_written_is_said_in_one_line(environment):
    for words in (["plugins"], ["version", "--json"]):
        with open("/dev/full", "w") as full:
            ended = subprocess.run(
                [*COMMAND, *words], env=environment, stdout=full, stderr=subprocess.PIPE, check=False
            )
        assert ended.returncode == 1
        assert ended.stderr == b"tintype: the output cannot be written: No space left on device\n"


def test_closed_streams_do_no_harm(environment):
    for closed in ("1", "2"):
        words = " ".join([*COMMAND, "version" if closed == "1" else "frobnicate", f"{closed}>&-"])
        ended = subprocess.run(["sh", "-c", words], env=environment, capture_output=True, check=False)
        assert (ended.returncode, ended.stdout, ended.stderr) == (0 if closed == "1" else 2, b"", b"")


def test_a_terminal_without_unicode_gets_numbers(environment, tmp_path):
    folder = tmp_path / "日本"
    ended = subprocess.run(
        [*COMMAND, "info", folder],
        env=environment | {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"},
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 6
    assert rb"\u65e5\u672c: no collection here" in ended.stderr


def test_paths_that_are_not_utf8_are_shown_in_one_line(environment, tmp_path):
    ended = subprocess.run(
        [*COMMAND, "info", os.fsencode(tmp_path) + b"/\xff\n\x1b[31m", "--json"],
        env=environment,
        capture_output=True,
        check=False,
    )
    assert ended.returncode == 6
    assert ended.stderr.count(b"\n") == 1
    assert b"\x1b" not in ended.stderr
    assert json.loads(ended.stdout)["error"]["class"] == "CollectionNotFound"


def test_exit_codes_are_those_of_the_classes_and_none_is_used_twice():
    kinds = [kind for kind in vars(errors).values() if inspect.isclass(kind) and issubclass(kind, errors.TintypeError)]
    codes = [kind.exit_code for kind in kinds]
    assert len(set(codes)) == len(codes)
    assert not {0, main_file.INTERRUPTED, main_file.OUTPUT_CLOSED} & set(codes)
