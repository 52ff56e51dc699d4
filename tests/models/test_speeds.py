"""What was measured here is remembered for this machine and card; a cache is anybody's to damage."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tintype.api import check_model
from tintype.models import registry, speeds
from tintype.models.parity_rows import Parity, Row


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def _row(name: str, per_s: float | None, is_usable: bool = True) -> Row:
    return Row(name, 1.0, 1.0, None, per_s, is_usable)


def test_a_check_leaves_the_speed_of_its_engines(cache: Path) -> None:
    card = registry.card("descriptor")
    assert speeds.measured(card) == {}
    (row,) = check_model("descriptor", seconds=0.01).rows
    assert speeds.measured(card) == {row.name: row.per_s}


def test_the_latest_of_each_engine_is_kept_and_none_that_is_not_used(cache: Path) -> None:
    card = registry.card("descriptor")
    first = (_row("onnx:fp32:cpu", 10.0), _row("preparation", 99.0), _row("torch:fp32:cpu", 5.0, is_usable=False))
    speeds.note(Parity(card, "", 1, 0, first))
    assert speeds.measured(card) == {"onnx:fp32:cpu": 10.0}
    speeds.note(Parity(card, "", 1, 0, (_row("torch:fp32:cpu", 7.0), _row("onnx:fp32:cpu", None))))
    assert speeds.measured(card) == {"onnx:fp32:cpu": 10.0, "torch:fp32:cpu": 7.0}


@pytest.mark.parametrize(
    "change",
    [
        lambda facts: facts | {"machine": ["another"]},
        lambda facts: facts | {"per_s": {"onnx:fp32:cpu": "fast"}},
        lambda facts: facts | {"per_s": [1]},
        lambda facts: facts | {"per_s": {"onnx:fp32:cpu": float("nan")}},
        lambda facts: [facts],
    ],
    ids=["machine", "words", "list", "nan", "no object"],
)
def test_what_makes_no_sense_is_not_told(change: Callable[[dict[str, object]], object], cache: Path) -> None:
    card = registry.card("descriptor")
    speeds.note(Parity(card, "", 1, 0, (_row("onnx:fp32:cpu", 10.0),)))
    (place,) = cache.rglob("speeds/*.json")
    place.write_text(json.dumps(change(json.loads(place.read_text()))))
    assert speeds.measured(card) == {}


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    speeds.note(Parity(registry.card("descriptor"), "", 1, 0, (_row("onnx:fp32:cpu", 10.0),)))
    assert speeds.measured(registry.card("descriptor")) == {}
