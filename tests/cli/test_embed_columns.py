"""`tintype embed` of a collection, as users type it: engines, thumbnails, and words that do not go together."""

import json
from pathlib import Path

import pytest

from tintype.cli.main import main
from tintype.testing.pictures import fill_folder


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def run(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    assert main(list(words)) == code
    ended = capsys.readouterr()
    return ended.out if code == 0 else ended.err


def test_a_collection_is_embedded_from_thumbnails_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill_folder(tmp_path / "photos", 3)
    place = str(tmp_path / "photos")
    common = ("--model", "descriptor", "--workers", "1", "--quiet")
    run(capsys, "scan", place, "--stages", "thumbnail", "--workers", "1", "--quiet")
    made = json.loads(
        run(capsys, "embed", place, *common, "--from", "thumbnails", "--backend", "onnx:fp32:cpu", "--json")
    )
    assert (made["updated"], made["unchanged"], made["time"]["stages"].keys()) == (3, 3, {"embed_descriptor"})
    told = [line.split() for line in run(capsys, "info", place).splitlines()]
    assert ["embed_descriptor", "onnx:fp32:cpu", "thumbnails", "3"] in told
    again = json.loads(run(capsys, "embed", place, *common, "--from", "thumbnails", "--json"))
    assert again["updated"] == 0


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        pytest.param(["--backend", "jax"], 2, "there is no engine 'jax'; there are auto, onnx", id="unknown backend"),
        pytest.param(["--backend", "torch:fp32"], 2, "'torch:fp32' is no engine", id="half an engine"),
        pytest.param(["--backend", "torch"], 16, "torch does not run here or the card has no weights", id="no weights"),
        pytest.param(
            ["--from", "elsewhere"], 2, "'elsewhere' is not one of 'originals', 'thumbnails'", id="from nowhere"
        ),
        pytest.param(["--from", "thumbnails"], 6, "no collection here", id="never scanned"),
        pytest.param(["--from", "thumbnails", "--output", "o"], 2, "--from is for collections", id="files"),
        pytest.param(["--set", "models.backend=jax"], 2, "there is no engine 'jax'", id="setting"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(
    words: list[str], code: int, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fill_folder(tmp_path / "photos", 1)
    said = run(capsys, "embed", str(tmp_path / "photos"), "--model", "descriptor", "--quiet", *words, code=code)
    assert told in said
    assert "Traceback" not in said
    assert not (tmp_path / "photos" / ".tintype").exists()
