"""What of ONNX Runtime on GPUs needs none: refusals, and its own words about memory."""

from typing import Any

import pytest
from device_models import descriptor, pixels

from tintype.core.errors import DeviceMemoryFull, ModelError, UsageError
from tintype.models.backends import onnx
from tintype.models.backends.onnx_runtime import onnxruntime
from tintype.models.engines import Engine, engines, load

CARD = descriptor()
FULL = onnxruntime.capi.onnxruntime_pybind11_state.RuntimeException(
    "[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Non-zero status code returned while running MatMul node. Name:'' "
    "Status Message: bfc_arena.cc:331 void* onnxruntime::BFCArena::AllocateRawInternal(size_t, bool) Failed to "
    "allocate memory for requested buffer of size 8388608000"
)


@pytest.mark.filterwarnings("ignore:Specified provider")
@pytest.mark.parametrize("has_provider", [False, True], ids=["plain build", "build for GPUs"])
@pytest.mark.parametrize("precision", ["fp32", "tf32"])
def test_a_gpu_that_is_not_there_is_said_in_one_line(
    precision: str, has_provider: bool, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The runtime itself would go on on the processor, and only log that."""
    if has_provider:
        monkeypatch.setattr(onnx, "has_gpu", lambda: True)
    with pytest.raises(
        ModelError, match=r"^ONNX Runtime finds no GPU here\. It needs the package onnxruntime-gpu[^\n]*$"
    ):
        load(CARD, Engine.of(f"onnx:{precision}:cuda"))
    assert capfd.readouterr().out == ""


def test_engines_are_words() -> None:
    assert str(Engine.of("onnx:tf32:cuda")) == "onnx:tf32:cuda"
    with pytest.raises(ModelError, match="tf32 is for GPUs"):
        load(CARD, Engine.of("onnx:tf32:cpu"))
    with pytest.raises(UsageError, match="is no engine"):
        Engine.of("onnx:fp16:cuda")


def test_what_this_build_cannot_use_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {engine.device for engine in engines(CARD) if engine.backend == "onnx"} == {"cpu"}
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    words = [str(engine) for engine in engines(CARD) if engine.backend == "onnx"]
    assert words == ["onnx:fp32:cpu", "onnx:fp32:cuda", "onnx:tf32:cuda"]


def test_too_little_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a batch as what it can be halved for; of the weights as what ends the run."""
    runner = onnx.OnnxBackend().load(CARD)

    def full(*_: Any, **__: Any) -> None:
        raise FULL

    monkeypatch.setattr(runner._session, "run", full)
    with pytest.raises(ModelError, match="ONNX Runtime cannot run it"):
        runner.run({CARD.input.name: pixels(CARD, 1)})
    runner._device = "cuda"
    with pytest.raises(MemoryError):
        runner.run({CARD.input.name: pixels(CARD, 1)})
    monkeypatch.setattr(onnxruntime, "InferenceSession", full)
    monkeypatch.setattr(onnx, "has_gpu", lambda: True)
    with pytest.raises(DeviceMemoryFull, match="does not fit the memory of the GPU"):
        load(CARD, Engine.of("onnx:fp32:cuda"))
