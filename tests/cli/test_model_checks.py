"""`tintype models check` and `models triton`: the table, its JSON, and what they refuse."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tintype.models.made_pictures import made_pictures


@pytest.fixture
def images(tmp_path: Path) -> Path:
    place = tmp_path / "images"
    place.mkdir()
    for number, data in enumerate(made_pictures(2)):
        (place / f"{number}.jpg").write_bytes(data)
    (place / "notes.txt").write_text("no image")
    (place / "folder").mkdir()
    return place


def test_check_shows_a_row_for_each_engine(called: Callable[..., Any], images: Path) -> None:
    ended = called("models", "check", "descriptor", "--images", images)
    assert ended.code == 0, ended.err
    title, *rows = ended.out.splitlines()
    assert title == "descriptor on 18 images; 1 could not be read, against: the same squares, ONNX Runtime in fp32"
    assert [row.split()[:3] for row in rows[1:]] == [["onnx:fp32:cpu", "1.000000", "1.000000"]]
    assert rows[1].endswith("ok")


def test_check_as_json(called: Callable[..., Any], images: Path) -> None:
    words = ("--images", images, "--engine", "onnx:fp32:cpu", "--json")
    ended = called("models", "check", "descriptor", *words)
    parity = json.loads(ended.out)["parity"]
    assert (parity["model"], parity["images"], parity["left_out"]) == ("descriptor", 18, 1)
    (row,) = parity["rows"]
    assert (row["name"], row["is_usable"], row["top1_agreement"]) == ("onnx:fp32:cpu", True, None)
    assert row["cosine_worst"] == pytest.approx(1, abs=1e-6)


def test_an_engine_that_is_not_usable_is_an_exit_code(called: Callable[..., Any]) -> None:
    ended = called("models", "check", "descriptor", "--engine", "torch:fp32:cpu")
    assert ended.code == 1
    assert "has no weights for the engine torch" in ended.out


def test_triton_writes_a_repository(called: Callable[..., Any], tmp_path: Path) -> None:
    ended = called("models", "triton", "descriptor", tmp_path / "models", "--json")
    assert (ended.code, json.loads(ended.out)["models"]) == (0, ["descriptor"])
    assert (tmp_path / "models/descriptor/1/model.onnx").is_file()
    again = called("models", "triton", "descriptor", tmp_path / "models")
    assert (again.code, again.out) == (2, "")
    assert "already has a model descriptor. Nothing was written" in again.err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("nobody",), 16, "no card is named 'nobody'"),
        (("descriptor", "--images", "/nowhere"), 4, "/nowhere: its images cannot be read"),
        (("descriptor", "--engine", "x"), 2, "'x' is no engine"),
    ],
)
def test_what_cannot_be_is_one_line(called: Callable[..., Any], words: tuple[str, ...], code: int, said: str) -> None:
    ended = called("models", "check", *words)
    assert (ended.code, ended.out) == (code, "")
    assert said in ended.err
    assert len(ended.err.splitlines()) == 1
