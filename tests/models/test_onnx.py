"""ONNX Runtime runs cards, each row by itself."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tintype.core.errors import ModelError
from tintype.models.backends.onnx import OnnxBackend
from tintype.models.card import Card, Output, Weights
from tintype.models.card_file import built_in, hashed
from tintype.models.running import runner


def pixels(count: int) -> np.ndarray:
    side = built_in("descriptor").pixels.width
    return np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)


def test_outputs_are_those_of_the_card() -> None:
    card = built_in("descriptor")
    outputs = runner(card).run({card.input.name: pixels(3)})
    for output in card.outputs:
        values = outputs[output.name]
        assert values.shape == (3, *output.shape)
        assert values.dtype == np.float32
        if output.normalized:
            assert np.allclose(np.linalg.norm(values, axis=-1), 1, atol=1e-3)


def test_a_row_does_not_depend_on_the_others() -> None:
    card = built_in("descriptor")
    run = runner(card).run
    whole = run({card.input.name: pixels(9)})
    for size in (1, 2, 4):
        parts = [run({card.input.name: pixels(9)[start : start + size]}) for start in range(0, 9, size)]
        for name, values in whole.items():
            assert np.array_equal(np.concatenate([part[name] for part in parts]), values), (name, size)


def test_what_runs_is_said() -> None:
    info = runner(built_in("descriptor")).info
    assert (info.card.name, info.backend, info.device) == ("descriptor", "onnx", "cpu")


def test_weights_that_are_no_model_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"no model")
    weights = Weights("onnx", hashed(tmp_path / "x.onnx"))
    card = dataclasses.replace(built_in("descriptor"), weights=(weights,), folder=tmp_path)
    with pytest.raises(ModelError, match=r"^[^\n]+$"):
        OnnxBackend().load(card)


def test_a_card_of_other_outputs_is_refused() -> None:
    card: Card = dataclasses.replace(built_in("descriptor"), outputs=(Output("depth", (1,)),))
    with pytest.raises(ModelError, match="inputs or outputs"):
        OnnxBackend().load(card)


def test_the_runtime_neither_writes_a_device_number_nor_sends_anything(tmp_path: Path) -> None:
    """Left to itself it makes both files on first use, and asks for the address of its makers' server.

    It holds back where it sees a build server or a test, so those signs are taken away.
    """
    script = "from tintype.models.card_file import built_in; from tintype.models.running import runner; "
    script += "runner(built_in('descriptor'))"
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH") if name in os.environ}
    env = kept | {f"XDG_{kind}_HOME": str(tmp_path) for kind in ("CONFIG", "STATE", "DATA", "CACHE")}
    subprocess.run([sys.executable, "-c", script], env=env | {"HOME": str(tmp_path)}, check=True)
    assert list(tmp_path.rglob("*")) == []
