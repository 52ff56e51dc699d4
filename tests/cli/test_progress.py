"""Progress in a log and in a picture, drawn from plain events."""

import io
import sys
import time

import pytest
from rich.console import Console

from tintype.cli import progress
from tintype.cli.progress import Log, _picture, awaited, duration, sentence, step, watched
from tintype.core.progress import Progress


def moment(phase: str = "scanning", seconds: float = 1.0, done: int = 1200) -> Progress:
    return Progress(
        phase=phase,
        done=done,
        total=5000,
        status={"damaged": 10, "ok": done - 10},
        seconds=seconds,
        images_per_second=240.4,
        seconds_left=15.8,
        shares={"read": 0.1, "decode": 0.61, "stages": 0.25, "write": 0.04},
        bottleneck="decode",
    )


def test_a_log_line_says_how_far_how_fast_how_long_and_what_takes_the_time():
    assert sentence(moment()) == (
        "1,200 of 5,000 images; 240 images/s; 16 s left; ok 1,190, damaged 10; most time goes to: decode"
    )


def test_a_log_says_a_line_a_phase_and_one_every_five_seconds():
    said: list[str] = []
    log = Log(said.append)
    log(moment("listing", 0.0))
    for tenth in range(130):
        log(moment("scanning", 1.0 + tenth / 10))
    log(moment("compacting", 14.0))
    log(moment("done", 14.2))
    assert [line.split(";")[0] for line in said] == [
        "looking for images …",
        *["1,200 of 5,000 images"] * 3,
        "tidying the collection …",
        "1,200 of 5,000 images",
    ]


def test_the_picture_holds_speed_time_left_counts_and_shares():
    target = io.StringIO()
    Console(file=target, width=100).print(_picture(moment()))
    for words in ("1,200 of 5,000", "240 images/s", "16 s left", "ok 1,190, damaged 10", "decode 61%", "to: decode"):
        assert words in target.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (-1, "0 s"),
        (59.4, "59 s"),
        (60, "1 min 0 s"),
        (200, "3 min 20 s"),
        (7500, "2 h 5 min"),
        (4e6, "1,111 h 6 min"),
    ],
)
def test_spans_of_time_are_said_as_people_say_them(seconds, text):
    assert duration(seconds) == text


def test_quiet_watches_nothing():
    with watched(is_quiet=True) as listener:
        assert listener is None


def answer(phase: str, done: int = 0, total: int = 0) -> Progress:
    return Progress(phase, done, total, {}, 0.0, 0.0, None, {}, None)


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        (answer("sorting"), "sorting …"),
        (answer("sorting", 0, 1500), "sorting (1,500) …"),
        (answer("looking", 1500), "looking: 1,500"),
        (answer("looking", 20, 1500), "looking: 20 of 1,500"),
    ],
)
def test_an_answer_says_what_it_is_at_in_one_line(moment, words):
    assert step(moment) == words


def terminal(monkeypatch):
    """In the place of stderr; holds what is drawn."""
    target = io.StringIO()
    target.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", target)
    monkeypatch.setenv("TERM", "xterm")
    return target


def test_an_answer_that_takes_long_is_drawn_on_a_terminal_and_nothing_is_left(monkeypatch):
    drawn = terminal(monkeypatch)
    monkeypatch.setattr(progress, "PATIENCE_S", 0.0)
    with awaited(is_quiet=False) as listener:
        listener(answer("sorting", 0, 1500))
        until(lambda: "sorting (1,500)" in drawn.getvalue())
        listener(answer("looking", 20, 1500))
        until(lambda: "looking: 20 of 1,500" in drawn.getvalue())
    assert drawn.getvalue().endswith("\x1b[2K")  # the line is wiped


def test_an_answer_that_comes_soon_draws_nothing(monkeypatch):
    drawn = terminal(monkeypatch)
    with awaited(is_quiet=False) as listener:
        listener(answer("sorting"))
    assert drawn.getvalue() == ""


def test_with_json_and_off_a_terminal_an_answer_draws_nothing(monkeypatch):
    drawn = terminal(monkeypatch)
    with awaited(is_quiet=True) as listener:
        assert listener is None
    drawn.isatty = lambda: False
    with awaited(is_quiet=False) as listener:
        assert listener is None


def until(is_so) -> None:
    end = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_off_a_terminal_lines_go_to_stderr(capsys):
    with watched(is_quiet=False) as listener:
        listener(moment())
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("1,200 of 5,000 images")
