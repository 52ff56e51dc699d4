"""`tintype models add` and `show`, as users type them."""

import json
from pathlib import Path

import pytest

from tintype.cli.main import main

TOLD = ("--fit", "crop", "--shorter", "256", "--filter", "bilinear", "--mean", "128,128,128", "--std", "128,128,128")


@pytest.fixture(autouse=True)
def own_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TINTYPE_MODELS", str(tmp_path / "models"))


def test_a_model_is_added_and_shown(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(data / "models" / "mobilenet_v1_025_128_imagenet.onnx")
    labels = str(data / "models" / "imagenet_labels.txt")
    assert main(["models", "add", path, *TOLD, "--labels", labels, "--name", "small"]) == 0
    printed = capsys.readouterr().out
    assert "small was added (classify; runs on onnx)" in printed
    assert "license is not known" in printed
    assert main(["models", "show", "small"]) == 0
    assert "128 x 128 px (shorter side to 256 px, center cropped, bilinear)" in capsys.readouterr().out
    assert main(["models", "add", path, *TOLD, "--name", "again", "--license", "Apache-2.0", "--json"]) == 0
    (card,) = json.loads(capsys.readouterr().out)["models"]
    assert (card["name"], card["license"], card["input"]["mean"]) == ("again", "Apache-2.0", [128.0, 128.0, 128.0])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--mean", "1,2"), "--mean 1,2: not three numbers"),
        (("--std", "1,2,nan"), "--std 1,2,nan: not three finite numbers"),
        (("--size", "wide"), "--size wide: not WIDTHxHEIGHT"),
        (("--size", "-1x3"), "--size -1x3: not WIDTHxHEIGHT"),
    ],
)
def test_a_slip_in_an_option_is_one_line(words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "add", "x.onnx", *words]) == 2
    assert said in capsys.readouterr().err


def test_what_cannot_be_added_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "weights.pt").write_bytes(b"pickle")
    assert main(["models", "add", str(tmp_path / "weights.pt")]) == 16
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "can run code" in error
