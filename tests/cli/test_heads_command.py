"""`tintype models head` and `predict`, as users type them."""

import json
from pathlib import Path

import numpy as np
import pytest
from head_collections import WIDTH, around, collection_of, directions

import tintype
from tintype.cli.main import main

KINDS = ("cat", "dog")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("TINTYPE_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    classes = np.arange(60) % 2
    vectors = around(directions(2), classes, spread=0.5)
    vectors[0] = np.nan
    labels = [KINDS[number] for number in classes]
    collection_of(tmp_path / "c.tintype", vectors, label_kind=labels, beauty=np.nan_to_num(vectors)[:, 0])
    return str(tmp_path / "c.tintype")


def run(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    assert main(list(words)) == code
    ended = capsys.readouterr()
    return ended.out if code == 0 else ended.err


def test_a_head_is_learned_and_asked(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    made = run(capsys, "models", "head", "kind", "--over", "descriptor", "--column", "kind", "--from", place)
    assert "kind was made over descriptor: learned from kind of 59 images" in made
    assert "Right for 100.0% of 59 images that it had not seen" in made
    assert made.index("cat") < made.index("Use it: tintype predict PLACE --model kind")
    told = run(capsys, "predict", place, "--model", "kind", "--min-confidence", "0.5")
    assert "predict_kind, predict_kind_confidence, predict_kind_top: 60 computed, 0 as they were" in told
    assert "(not sure)" in told
    document = json.loads(run(capsys, "predict", place, "--model", "kind", "--min-confidence", "0.5", "--json"))
    assert document["classes"] == {"dog": 30, "cat": 29}
    assert {key: document[key] for key in ("schema", "model", "computed", "kept", "unsure", "number")} == {
        "schema": 1,
        "model": "kind",
        "computed": 0,
        "kept": 60,
        "unsure": 1,
        "number": None,
    }
    shown = run(capsys, "models", "show", "kind")
    assert "vectors of descriptor, of 256 dimensions" in shown
    card = json.loads(run(capsys, "models", "show", "kind", "--json"))["model"]
    assert card["figures"]["classes"]["cat"]["images"] == 29


def test_a_number_is_learned_and_asked(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("models", "head", "nice", "--over", "descriptor", "--column", "beauty", "--from", place)
    assert "of the variance of 59 images that it had not seen" in run(capsys, *words, "--kind", "number")
    assert "on average, from" in run(capsys, "predict", place, "--model", "nice")
    document = json.loads(run(capsys, "predict", place, "--model", "nice", "--json"))
    values = [value for value in tintype.open(place).table(["predict_nice"])["predict_nice"].to_pylist() if value]
    assert document["number"]["mean"] == pytest.approx(np.mean(values), abs=1e-6)
    assert document["classes"] is None


def test_a_head_is_taken_from_a_file(place: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weight = np.random.default_rng(0).standard_normal((2, WIDTH)).astype("<f4")
    header = json.dumps({"weight": {"dtype": "F32", "shape": [2, WIDTH], "data_offsets": [0, weight.nbytes]}}).encode()
    path = tmp_path / "w.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + weight.tobytes())
    (tmp_path / "labels.txt").write_text("safe\nunsafe\n")
    words = ("models", "head", "safety", "--over", "descriptor", "--file", str(path))
    assert "Give --labels" in run(capsys, *words, code=16)
    made = run(capsys, *words, "--labels", str(tmp_path / "labels.txt"), "--license", "MIT", "--json")
    card = json.loads(made)["model"]
    assert (card["task"], card["license"], card["input"]["card"]) == ("head", "MIT", "descriptor")
    told = json.loads(run(capsys, "predict", place, "--model", "safety", "--json"))
    assert sum(told["classes"].values()) == 59


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param((), "say what the head is made of", id="nothing"),
        pytest.param(("--column", "kind"), "say what the head is made of", id="a column of nothing"),
        pytest.param(("--file", "x.onnx", "--scale", "3"), "--scale does not go with --file", id="scale of a file"),
        pytest.param(("--labels", "l", "--kind", "number"), "--kind does not go with --labels", id="kind of labels"),
        pytest.param(
            ("--column", "c", "--from", "p", "--template", "t"), "--template does not go with --column", id="templates"
        ),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    error = run(capsys, "models", "head", "x", "--over", "descriptor", *words, code=2)
    assert said in error
    assert error.count("\n") == 1


def test_what_is_no_head_is_told_where_it_runs(place: str, capsys: pytest.CaptureFixture[str]) -> None:
    error = run(capsys, "predict", place, "--model", "descriptor", code=16)
    assert "is no head" in error
    assert error.count("\n") == 1
