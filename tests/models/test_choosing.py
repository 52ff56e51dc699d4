"""The fastest engine that passes is taken, remembered, and measured again when something changed or was damaged."""

import dataclasses
import json
from pathlib import Path

import pytest
from torch_libraries import save_clip

from tintype.core.errors import ModelError, UsageError
from tintype.models import choosing, registry
from tintype.models.adding.adding import add
from tintype.models.adding.wishes import Wishes
from tintype.models.card import Card
from tintype.models.engines import ONNX, TORCH, Engine, default, engines, load
from tintype.models.parity import Parity, Row
from tintype.models.running import runner
from tintype.stages.base import Model
from tintype.stages.embedding import stage
from tintype.stages.registry import fingerprint


@pytest.fixture
def card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Card:
    monkeypatch.setenv("TINTYPE_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("TINTYPE_TRITON", raising=False)
    save_clip(tmp_path / "clip")
    return add(str(tmp_path / "clip"), Wishes())[0]


def test_what_is_asked_for_is_run(card: Card) -> None:
    assert engines(card) == (ONNX, TORCH)
    assert runner(card).info.backend == "onnx"
    assert runner(card, "torch").info.backend == "torch"
    assert runner(card, "torch:fp32:cpu").info.precision == "fp32"
    only_torch = dataclasses.replace(card, weights=(card.weights_for("torch"),))
    assert (default(card), default(only_torch)) == (ONNX, TORCH)
    assert runner(only_torch).info.backend == "torch"
    with pytest.raises(ModelError, match=r"onnx does not run here.*there is: torch:fp32:cpu"):
        runner(only_torch, "onnx")
    with pytest.raises(ModelError, match="torch bf16 does not run here"):
        runner(card, "torch", "bf16")
    with pytest.raises(UsageError, match="no engine 'jax'"):
        runner(card, "jax")
    for word in ("torch:fp8:cpu", "onnx:fp32", "torch:fp32:cpu:0", "jax:fp32:cpu"):
        with pytest.raises(UsageError, match="is no engine"):
            runner(card, word)


def test_a_worker_that_lacks_the_settled_engine_refuses(card: Card) -> None:
    with pytest.raises(ModelError, match="no GPU"):
        load(card, Engine.of("torch:bf16:cuda"))


def test_auto_measures_once_and_remembers(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    first = choosing.choose(card)
    assert first.engine in (ONNX, TORCH)
    assert not first.is_remembered
    assert "a second, mean cosine" in first.why
    (kept,) = choosing.folder().iterdir()
    assert kept.stat().st_mode & 0o077 == 0

    monkeypatch.setattr(choosing, "check", None)  # whoever measures now fails
    again = choosing.choose(card)
    assert (again.engine, again.why, again.is_remembered) == (first.engine, first.why, True)
    with pytest.raises(TypeError):  # another machine, card or version
        choosing.choose(dataclasses.replace(card, version=2, task="classify"))
    monkeypatch.setattr(choosing, "versions", lambda: {"onnxruntime": "0.1"})
    with pytest.raises(TypeError):
        choosing.choose(card)


def test_a_damaged_memory_is_measured_again(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = (Row(str(ONNX), 1.0, 1.0, None, 10.0, True), Row(str(TORCH), 1.0, 1.0, None, 20.0, True))
    monkeypatch.setattr(choosing, "check", lambda *given: Parity(card, "", 16, 0, rows))
    assert choosing.choose(card).engine == TORCH
    (kept,) = choosing.folder().iterdir()
    damaged = [b"", b"[]", b'{"engine": 3}', b"\xff", kept.read_bytes()[:40]]
    damaged.append(json.dumps({"engine": "torch:bf16:cuda", "why": "it is not here any more"}).encode())
    for content in damaged:
        kept.write_bytes(content)
        choice = choosing.choose(card)
        assert (choice.engine, choice.is_remembered) == (TORCH, False)
        assert choosing.choose(card).is_remembered


def test_no_cache_folder_costs_time_alone(card: Card, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    rows = (Row(str(ONNX), 1.0, 1.0, None, 10.0, True), Row(str(TORCH), 1.0, 1.0, None, 5.0, True))
    monkeypatch.setattr(choosing, "check", lambda *given: Parity(card, "", 16, 0, rows))
    assert choosing.choose(card).engine == ONNX


def test_the_fastest_that_fails_is_not_taken(card: Card) -> None:
    fast = Row(str(ONNX), 0.9, 0.8, None, 1_000.0, False, "mean cosine 0.90000 is below 0.999")
    slow = Row(str(TORCH), 1.0, 1.0, None, 10.0, True)
    choice = choosing._fastest(card, Parity(card, "", 16, 0, (fast, slow)))
    assert choice.engine == TORCH
    assert "onnx:fp32:cpu: mean cosine 0.90000 is below 0.999" in choice.why
    with pytest.raises(ModelError, match=r"no engine passes parity \(onnx:fp32:cpu mean cosine .* forces it"):
        choosing._fastest(card, Parity(card, "", 16, 0, (fast,)))


def test_one_engine_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TINTYPE_TRITON", raising=False)
    monkeypatch.setattr(choosing, "check", None)
    choice = choosing.choose(registry.card("descriptor"))
    assert (choice.engine, choice.why) == (ONNX, "the only one that runs here")


def test_the_engine_is_part_of_what_makes_rows_stale(card: Card) -> None:
    """Rows of before, whose engine nobody named, stay; another engine, precision or device makes them stale."""
    made = stage(card)
    known = {fingerprint(dataclasses.replace(made, needs=Model(card)), made.settings())}
    assert known == {fingerprint(made, made.settings())}
    for word in ("onnx:fp32:cpu", "torch:fp32:cpu", "torch:fp32:cuda", "torch:bf16:cuda"):
        known.add(fingerprint(dataclasses.replace(made, needs=Model(card, backend=word)), made.settings()))
    assert len(known) == 5
