"""Small networks of linear layers, written as ONNX without any library for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tintype.core.version import VERSION

Floats = NDArray[np.float32]
Activation = Literal["relu", "gelu"]

INPUT, OUTPUT = "vectors", "result"

_OPSET, _IR_VERSION = 17, 8
_FLOAT = 1  # TensorProto.DataType
_ATTRIBUTE_INT = 2  # AttributeProto.AttributeType
_VARINT, _BYTES = 0, 2  # wire types of protocol buffers


@dataclass(frozen=True, eq=False)
class Linear:
    """x @ weight + bias: weight float32 (inputs, outputs), bias float32 (outputs,)."""

    weight: Floats
    bias: Floats


Step = Linear | Activation


def network(steps: Sequence[Step], *, softmax: bool = False) -> bytes:
    """An ONNX model that takes `vectors` float32 (n, d) through the steps to `result` float32 (n, outputs).

    With `softmax` the result are probabilities. The same steps give the same bytes. Field numbers are those of
    onnx.proto3 (ONNX 1.12, operator set 17), the encoding is that of protocol buffers.
    """
    graph = _Graph()
    value = INPUT
    for step in steps:
        value = graph.linear(value, step) if isinstance(step, Linear) else graph.activation(value, step)
    graph.add("Softmax" if softmax else "Identity", [value], OUTPUT, axis=-1 if softmax else None)
    layers = [step for step in steps if isinstance(step, Linear)]
    return graph.model(layers[0].weight.shape[0], layers[-1].weight.shape[1])


@dataclass
class _Graph:
    nodes: list[bytes] = field(default_factory=list)
    constants: list[bytes] = field(default_factory=list)

    def linear(self, value: str, layer: Linear) -> str:
        return self.add("Gemm", [value, self.constant(layer.weight), self.constant(layer.bias)])

    def activation(self, value: str, kind: Activation) -> str:
        if kind == "relu":
            return self.add("Relu", [value])
        # x (1 + erf(x / √2)) / 2; as one operation it came with operator set 20 only.
        scaled = self.add("Mul", [value, self.constant(np.array(np.sqrt(0.5), np.float32))])
        doubled = self.add("Add", [self.add("Erf", [scaled]), self.constant(np.array(1, np.float32))])
        return self.add("Mul", [self.add("Mul", [value, self.constant(np.array(0.5, np.float32))]), doubled])

    def add(self, operation: str, inputs: Sequence[str], output: str = "", *, axis: int | None = None) -> str:
        output = output or f"v{len(self.nodes)}"
        parts = [_text(1, name) for name in inputs] + [_text(2, output), _text(4, operation)]
        if axis is not None:
            parts.append(_message(5, _text(1, "axis"), _number(3, axis), _number(20, _ATTRIBUTE_INT)))
        self.nodes.append(b"".join(parts))
        return output

    def constant(self, values: Floats) -> str:
        name = f"c{len(self.constants)}"
        dimensions = [_number(1, side) for side in values.shape]
        raw = np.ascontiguousarray(values, "<f4").tobytes()
        self.constants.append(b"".join([*dimensions, _number(2, _FLOAT), _text(8, name), _field(9, raw)]))
        return name

    def model(self, width: int, outputs: int) -> bytes:
        graph = [_field(1, node) for node in self.nodes] + [_text(2, "head")]
        graph += [_field(5, constant) for constant in self.constants]
        graph += [_field(11, _described(INPUT, width)), _field(12, _described(OUTPUT, outputs))]
        parts = [_number(1, _IR_VERSION), _text(2, "tintype"), _text(3, VERSION), _message(7, *graph)]
        return b"".join([*parts, _message(8, _text(1, ""), _number(2, _OPSET))])


def _described(name: str, width: int) -> bytes:
    """A ValueInfoProto of float32 (n, width)."""
    shape = _message(2, _message(1, _text(2, "n")), _message(1, _number(1, width)))
    return _text(1, name) + _message(2, _message(1, _number(1, _FLOAT), shape))


def _message(number: int, *parts: bytes) -> bytes:
    return _field(number, b"".join(parts))


def _text(number: int, text: str) -> bytes:
    return _field(number, text.encode())


def _field(number: int, content: bytes) -> bytes:
    return bytes([*_varint(number << 3 | _BYTES), *_varint(len(content))]) + content


def _number(number: int, value: int) -> bytes:
    return bytes([*_varint(number << 3 | _VARINT), *_varint(value & 0xFFFF_FFFF_FFFF_FFFF)])


def _varint(value: int) -> Iterator[int]:
    """Seven bits a byte, the lowest first; the eighth says that more follow."""
    while value > 0x7F:
        yield value & 0x7F | 0x80
        value >>= 7
    yield value
