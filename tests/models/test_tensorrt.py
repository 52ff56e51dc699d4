"""What of TensorRT needs no GPU: names of what is kept, shapes that are asked for, and refusals."""

import dataclasses
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tintype.core.errors import MissingExtra, ModelError
from tintype.models import registry
from tintype.models.backends.tensorrt import Built, TensorRTBackend, shapes
from tintype.models.card import File, PixelInput, TextInput, VectorInput

BUILT = Built("f" * 32, "0" * 64, "NVIDIA H100", "9.0", "10.3.0", "fp16")


def test_whatever_an_engine_depends_on_gives_it_another_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    paths = {BUILT.path}
    for field in dataclasses.fields(Built):
        value = 8 if field.name == "most_rows" else "another"
        paths.add(dataclasses.replace(BUILT, **{field.name: value}).path)
    assert len(paths) == 1 + len(dataclasses.fields(Built))
    assert dataclasses.replace(BUILT).path == BUILT.path
    assert {path.parent for path in paths} == {tmp_path / "tintype" / "tensorrt"}


def test_batches_of_one_to_many_are_asked_for() -> None:
    base = registry.card("descriptor")
    pixels = PixelInput("pixels", "x", 64, 48, "squeeze")
    assert shapes(dataclasses.replace(base, input=pixels)) == {"x": ((1, 3, 48, 64), (64, 3, 48, 64), (256, 3, 48, 64))}
    text = TextInput("text", "ids", 77, File("t", "0" * 64), mask="mask", pad_to_length=False)
    lengths = (1, 1), (64, 77), (256, 77)
    assert shapes(dataclasses.replace(base, input=text)) == {"ids": lengths, "mask": lengths}
    with pytest.raises(ModelError, match="runs on vectors"):
        shapes(dataclasses.replace(base, input=VectorInput("vectors", "v", "c", "f", 3)))


def test_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    card = registry.card("descriptor")
    with pytest.raises(ModelError, match="int4 is not for TensorRT"):
        TensorRTBackend().load(card, "int4")
    with pytest.raises(ModelError, match="no weights for the engine onnx"):
        TensorRTBackend().load(dataclasses.replace(card, weights=()))
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(MissingExtra, match="tensorrt"):
        TensorRTBackend().load(card)


def test_refuses_a_machine_without_a_gpu_and_a_version_that_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The two libraries cannot be had here; these stand for what they answer first."""
    flags: Any = SimpleNamespace(FP16=1)
    library = SimpleNamespace(__version__="10.3.0", BuilderFlag=flags)
    runtime = SimpleNamespace(cudaGetDeviceProperties=lambda at: (100, None))
    monkeypatch.setitem(sys.modules, "tensorrt", library)
    monkeypatch.setitem(sys.modules, "cuda", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "cuda.bindings", SimpleNamespace(runtime=runtime))
    with pytest.raises(ModelError, match="CUDA finds none here"):
        TensorRTBackend().load(registry.card("descriptor"))
    library.BuilderFlag = SimpleNamespace()
    library.__version__ = "11.4.0"
    with pytest.raises(ModelError, match=r"TensorRT 11.4.0 is newer than is known. Install tensorrt<11"):
        TensorRTBackend().load(registry.card("descriptor"))
