"""What an ONNX file says of itself, as ONNX Runtime reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tintype.core.errors import ModelError
from tintype.models.backends.onnx_runtime import onnxruntime

_ERRORS_ONLY = 3


@dataclass(frozen=True)
class Tensor:
    """An input or output: `shape` has None where a side is free; `type` as ONNX Runtime writes it, "tensor(float)"."""

    name: str
    type: str
    shape: tuple[int | None, ...]


@dataclass(frozen=True)
class FileFacts:
    """The inputs and outputs of a model, and the metadata (`metadata_props`) that its makers put in."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    metadata: Mapping[str, str]


def file_facts(data: bytes, place: str) -> FileFacts:
    """Raises ModelError, which names `place`, for bytes that are no model, or one with weights in further files."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # nothing is run
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime's own exceptions share no base but this
        first = (str(error).splitlines() or [""])[0][:160]
        raise ModelError(f"{place}: ONNX Runtime cannot load it: {first}") from error
    inputs, outputs = ([_tensor(given) for given in part] for part in (session.get_inputs(), session.get_outputs()))
    return FileFacts(tuple(inputs), tuple(outputs), dict(session.get_modelmeta().custom_metadata_map))


def _tensor(given: onnxruntime.NodeArg) -> Tensor:
    shape = tuple(side if isinstance(side, int) and side > 0 else None for side in given.shape)
    return Tensor(given.name, given.type, shape)
