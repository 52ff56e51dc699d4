"""ONNX Runtime on the processor: the engine that is always there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tintype.core.errors import ModelError
from tintype.models.backends.onnx_runtime import onnxruntime
from tintype.models.base import RunnerInfo
from tintype.models.card import Card, PixelInput
from tintype.models.card_file import read_file
from tintype.models.preparing import network_input

_ERRORS_ONLY = 3


class OnnxRunner:
    """A session with one thread: there is one worker for each core, and more threads would take turns."""

    def __init__(self, card: Card) -> None:
        self._card = card
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        weights = read_file(card, card.weights_for("onnx").file)  # never by path: what was hashed is what runs
        try:
            self._session = onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime's own exceptions share no base but this
            raise ModelError(f"card {card.name}: ONNX Runtime cannot load it: {_first_line(error)}") from error
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
        return RunnerInfo(self._card, "onnx", "cpu", "fp32")

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        names = [output.name for output in self._card.outputs]
        given = dict(inputs)
        if isinstance(self._card.input, PixelInput):
            given[self._card.input.name] = network_input(given[self._card.input.name], self._card.input)
        try:
            made = self._session.run(names, given)
        except Exception as error:
            raise ModelError(f"card {self._card.name}: ONNX Runtime cannot run it: {_first_line(error)}") from error
        return {name: np.asarray(values, np.float32) for name, values in zip(names, made, strict=True)}


class OnnxBackend:
    """Loads cards whose weights are ONNX."""

    def load(self, card: Card) -> OnnxRunner:
        return OnnxRunner(card)


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [""])[0][:200]
