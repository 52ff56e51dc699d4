"""ONNX Runtime on the processor, the engine that is always there, or on a GPU, where onnxruntime-gpu is installed."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tintype.core.errors import DeviceMemoryFull, ModelError
from tintype.models.backends.onnx_runtime import onnxruntime
from tintype.models.base import RunnerInfo
from tintype.models.card import Card, PixelInput
from tintype.models.card_file import read_file
from tintype.models.preparing import network_input

_ERRORS_ONLY = 3
_GPU = "CUDAExecutionProvider"
_ON_GPU = {"cudnn_conv_algo_search": "HEURISTIC"}  # else all ways are tried anew for each new size of a batch
_NO_GPU = (
    "ONNX Runtime finds no GPU here. It needs the package onnxruntime-gpu in the place of onnxruntime, and the CUDA "
    "and cuDNN that it was built for. Use the processor, or see: tintype doctor"
)

Device = Literal["cpu", "cuda"]
Precision = Literal["fp32", "tf32"]


class OnnxRunner:
    """A session with one thread: there is one worker for each core, and more threads would take turns.

    On a GPU images are still brought to floats on the processor, and operators that the provider lacks run there.
    "tf32" is fp32 whose products are rounded to 10 bits, which is what tensor cores are fast at.
    """

    def __init__(self, card: Card, device: Device = "cpu", precision: Precision = "fp32") -> None:
        self._card, self._device, self._precision = card, device, precision
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        weights = read_file(card, card.weights_for("onnx").file)  # never by path: what was hashed is what runs
        try:
            self._session = onnxruntime.InferenceSession(weights, options, providers=_providers(device, precision))
        except Exception as error:  # the runtime's own exceptions share no base but this
            if device == "cuda" and _is_of_memory(error):
                raise DeviceMemoryFull(f"the model {card.name} does not fit the memory of the GPU") from error
            raise ModelError(f"card {card.name}: ONNX Runtime cannot load it: {_first_line(error)}") from error
        if device == "cuda" and _GPU not in self._session.get_providers():  # it goes on without, and only logs that
            raise ModelError(_NO_GPU)
        self._session.disable_fallback()
        there = {output.name for output in self._session.get_outputs()}
        missing = [output.name for output in card.outputs if output.name not in there]
        inputs = [given.name for given in self._session.get_inputs()]
        if missing or card.input.name not in inputs:
            raise ModelError(
                f"card {card.name}: its inputs or outputs are not those of its weights, which have "
                f"{', '.join(inputs)} and {', '.join(sorted(there))}"
            )

    @property
    def info(self) -> RunnerInfo:
        return RunnerInfo(self._card, "onnx", self._device, self._precision)

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """All outputs of the card by name, float32 (n, ...).

        Raises MemoryError where a GPU has too little memory for so many rows, ModelError for whatever else goes wrong.
        """
        names = [output.name for output in self._card.outputs]
        given = dict(inputs)
        if isinstance(self._card.input, PixelInput):
            given[self._card.input.name] = network_input(given[self._card.input.name], self._card.input)
        try:
            made = self._session.run(names, given)
        except Exception as error:
            if self._device == "cuda" and _is_of_memory(error):
                raise MemoryError(f"{self._card.name}: so many rows do not fit the memory of the GPU") from error
            raise ModelError(f"card {self._card.name}: ONNX Runtime cannot run it: {_first_line(error)}") from error
        return {name: np.asarray(values, np.float32) for name, values in zip(names, made, strict=True)}


class OnnxBackend:
    """Loads cards whose weights are ONNX."""

    def load(self, card: Card, device: Device = "cpu", precision: Precision = "fp32") -> OnnxRunner:
        """Raises ModelError for weights that are not what the card says, and for a GPU that is not there;
        DeviceMemoryFull."""
        if device == "cpu" and precision != "fp32":
            raise ModelError(f"{precision} is for GPUs; on a processor ONNX Runtime runs models in fp32")
        if device == "cuda":
            if not has_gpu():
                raise ModelError(_NO_GPU)
            if hasattr(onnxruntime, "preload_dlls"):  # since 1.21: CUDA's libraries, where pip puts them
                with contextlib.redirect_stdout(io.StringIO()):  # what it lacks, it prints
                    onnxruntime.preload_dlls()
        return OnnxRunner(card, device, precision)


def has_gpu() -> bool:
    """Whether this build of ONNX Runtime can use GPUs; that there is one is not said by it."""
    return _GPU in onnxruntime.get_available_providers()


def _providers(device: Device, precision: Precision) -> list[Any]:
    on_cpu = ["CPUExecutionProvider"]
    return on_cpu if device == "cpu" else [(_GPU, {**_ON_GPU, "use_tf32": str(int(precision == "tf32"))}), *on_cpu]


def _is_of_memory(error: BaseException) -> bool:
    words = str(error)
    return "Failed to allocate memory" in words or "out of memory" in words or "ALLOC_FAILED" in words


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0][:200]
