"""Pairs are compared alike in this process and by others, whatever becomes of those."""

import io
import os
import signal

import cv2
import numpy as np
import pytest
from finder_makers import photos

from tintype.finders.verify import comparing
from tintype.finders.verify.compare import COPY, UNSEEN, VERDICT
from tintype.finders.verify.comparing import Comparer, Comparers, serve


def saved(rgb, quality):
    return cv2.imencode(".jpg", rgb[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def pairs(count):
    """Every other one is a copy; one has no picture, and one a picture that is none."""
    shots = [saved(rgb, 90) for rgb in photos(6, seed=2)]
    small = [saved(np.ascontiguousarray(rgb[::2, ::2]), 80) for rgb in photos(6, seed=2)]
    made = [(shots[at % 6], small[(at + at % 2) % 6], None) for at in range(count)]
    guess = np.array([[1.0, 0, 0], [0, 1, 0]])
    return [*made, (shots[0], None, None), (b"no picture", shots[1], None), (shots[2], small[2], guess)]


@pytest.fixture
def at_once(monkeypatch):
    """Processes are started with the first pair."""
    monkeypatch.setattr(comparing, "_ALONE", 0)


def test_processes_give_what_this_one_gives(at_once):
    asked = pairs(9)
    expected = Comparer()(asked)
    assert set(expected["kind"].tolist()) >= {COPY, UNSEEN}
    chunks = [asked[start : start + 2] for start in range(0, len(asked), 2)]
    with Comparers(2) as compare:
        found = np.concatenate(list(compare(chunks)))
    assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("moment", [0, 3])
def test_processes_that_die_lose_nothing(at_once, moment):
    asked = pairs(9)
    chunks = [[pair] for pair in asked]
    with Comparers(2) as compare:
        answers = compare(chunks)
        found = [next(answers) for _ in range(moment)]
        if moment == 0:
            found.append(next(answers))
        for process in compare._processes:
            os.kill(process.pid, signal.SIGKILL)
        found += answers
    assert np.concatenate(found).tobytes() == Comparer()(asked).tobytes()


def test_a_machine_that_lets_no_process_start_compares_all_the_same(at_once, monkeypatch):
    monkeypatch.setattr(comparing.sys, "executable", "/there is/no such/python")
    asked = pairs(5)
    with Comparers(2) as compare:
        found = np.concatenate(list(compare([[pair] for pair in asked])))
        assert not compare._processes
    assert found.tobytes() == Comparer()(asked).tobytes()


def test_processes_end_with_their_context(at_once):
    with Comparers(2) as compare:
        list(compare([pairs(1)] * 3))
        processes = list(compare._processes)
    assert len(processes) == 2
    assert all(process.returncode is not None for process in processes)


def test_few_pairs_start_no_process():
    with Comparers(2) as compare:
        list(compare([pairs(2)]))
        assert not compare._processes


def test_an_error_in_between_leaves_no_process(at_once):
    processes = []

    def interrupted():
        with Comparers(2) as compare:
            next(compare([pairs(1)] * 9))
            processes.extend(compare._processes)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert processes
    assert all(process.poll() is not None for process in processes)


def test_a_request_without_pairs_is_answered_by_nothing():
    answers = io.BytesIO()
    serve(io.BytesIO(b""), answers)
    assert answers.getvalue() == b""
    assert Comparer()([]).dtype == VERDICT
