"""Decisions are appended, read again, and survive what happens to files."""

import json
import multiprocessing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tintype.store.decisions import NOT_DUPLICATE, UNDECIDED, append, decision, read, standing

A, B, C = (bytes([number]) * 16 for number in (1, 2, 3))


def test_the_last_word_counts_and_can_be_taken_back(tmp_path: Path) -> None:
    file = tmp_path / "decisions.jsonl"
    append(file, [decision(NOT_DUPLICATE, (B, "b.jpg"), (A, "a.jpg"))])
    append(file, [decision(NOT_DUPLICATE, (A, "a.jpg"), (C, "c.jpg"))])
    append(file, [decision(UNDECIDED, (A, "elsewhere.jpg"), (B, "b.jpg"))])
    made, lost = read(file)
    assert (len(made), lost) == (3, 0)
    assert made[0].a_uri == "a.jpg"  # in the order of the digests
    assert [(one.a, one.b) for one in standing(made)] == [(A, C)]


def test_no_file_means_no_decisions(tmp_path: Path) -> None:
    assert read(tmp_path / "decisions.jsonl") == ([], 0)
    append(tmp_path / "decisions.jsonl", [])
    assert not (tmp_path / "decisions.jsonl").exists()


@given(st.binary(max_size=200))
def test_lines_that_nobody_wrote_are_counted_and_passed_over(tmp_path_factory: pytest.TempPathFactory, junk) -> None:
    file = tmp_path_factory.mktemp("decisions") / "decisions.jsonl"
    append(file, [decision(NOT_DUPLICATE, (A, "a"), (B, "b"))])
    with file.open("ab") as end:
        end.write(junk)
    append(file, [decision(NOT_DUPLICATE, (A, "a"), (C, "c"))])
    made, lost = read(file)
    assert [(one.a, one.b) for one in made] == [(A, B), (A, C)]
    assert lost == len([line for line in junk.split(b"\n") if line.strip()])


@pytest.mark.parametrize(
    "facts",
    [
        {"verdict": "burn"},
        {"a": "zz"},
        {"a": "01"},
        {"a": B.hex(), "b": A.hex()},
        {"b": None},
        {"at": None, "a": 5},
    ],
)
def test_facts_that_do_not_fit_are_lost_lines(tmp_path: Path, facts: dict[str, object]) -> None:
    good = decision(NOT_DUPLICATE, (A, "a"), (B, "b")).to_json()
    (tmp_path / "d.jsonl").write_text(json.dumps({**good, **facts}) + "\n")
    assert read(tmp_path / "d.jsonl") == ([], 1)


def test_a_link_in_its_place_is_not_written_through(tmp_path: Path) -> None:
    other = tmp_path / "other.txt"
    other.write_text("mine")
    (tmp_path / "decisions.jsonl").symlink_to(other)
    with pytest.raises(OSError, match="link"):
        append(tmp_path / "decisions.jsonl", [decision(NOT_DUPLICATE, (A, "a"), (B, "b"))])
    assert other.read_text() == "mine"


def _append_many(file: str, number: int) -> None:
    for _ in range(50):
        append(Path(file), [decision(NOT_DUPLICATE, (A, f"from {number}" * 50), (B, "b"))])


def test_two_processes_lose_no_line(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    file = str(tmp_path / "decisions.jsonl")
    running = [context.Process(target=_append_many, args=(file, number)) for number in range(3)]
    for process in running:
        process.start()
    for process in running:
        process.join()
    made, lost = read(Path(file))
    assert (len(made), lost) == (150, 0)
