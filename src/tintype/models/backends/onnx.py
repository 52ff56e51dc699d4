"""ONNX Runtime on the processor: the engine that is always there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import onnxruntime
from numpy.typing import NDArray

from tintype.core.errors import ModelError
from tintype.models.base import RunnerInfo
from tintype.models.card import Card, read_weights

_ERRORS_ONLY = 3


class OnnxRunner:
    """A session with one thread: there is one worker for each core, and more threads would take turns."""

    def __init__(self, card: Card) -> None:
        self._card = card
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        weights = read_weights(card)  # never by path: what was hashed is what runs
        try:
            self._session = onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime's own exceptions share no base but this
            line = (str(error).splitlines() or [""])[0][:200]
            raise ModelError(f"card {card.name}: ONNX Runtime cannot load it: {line}") from error
        there = {output.name for output in self._session.get_outputs()}
        missing = [output.name for output in card.outputs if output.name not in there]
        if missing or [given.name for given in self._session.get_inputs()] != [card.input.name]:
            raise ModelError(f"card {card.name}: its inputs or outputs are not those of its weights")

    @property
    def info(self) -> RunnerInfo:
        return RunnerInfo(self._card.name, "onnx", "cpu", "fp32")

    def run(self, inputs: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        names = [output.name for output in self._card.outputs]
        return dict(zip(names, self._session.run(names, dict(inputs)), strict=True))


class OnnxBackend:
    """Loads cards whose weights are ONNX."""

    def load(self, card: Card) -> OnnxRunner:
        return OnnxRunner(card)
