"""Writes the descriptor's network as ONNX: pixels in, unit vectors of the whole image and of its regions out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tintype.core.version import VERSION
from tintype.train.start import Layer

OPSET, IR_VERSION = 17, 8
MIDDLE_LEVEL = 128.0


@dataclass(frozen=True)
class Head:
    """What makes vectors of the last feature map: root mean squares over cells, a linear projection, unit length.

    `pooling` holds the weights of one mean a column: the whole image first, then its regions. Of a region's vector only
    the first `region_dimension` numbers are kept, which tell most (decisions/0019-descriptor.md).
    """

    pooling: NDArray[np.float32]  # (cells, 1 + regions), each column sums to 1
    offset: NDArray[np.float32]  # (channels,), taken off before the projection
    projection: NDArray[np.float32]  # (channels, dimension)
    region_dimension: int


def build(layers: Sequence[Layer], side_px: int, head: Head) -> onnx.ModelProto:
    """The model of these layers, with the outputs `descriptor` (n, dimension) and `regions` (n, regions,
    region_dimension).

    Weights of layers are stored in 8 bits with one scale an output channel and become floats once, on loading.
    """
    graph = _Graph()
    value = graph.add("Transpose", ["pixels"], perm=[0, 3, 1, 2])
    value = graph.add("Cast", [value], to=TensorProto.FLOAT)
    value = graph.add("Sub", [value, graph.constant(np.float32(MIDDLE_LEVEL))])
    side = side_px
    for number, layer in enumerate(layers):
        weight = layer.weight / MIDDLE_LEVEL if number == 0 else layer.weight
        value = graph.convolution(value, weight, layer)
        side = (side + layer.pads[0] + layer.pads[2] - layer.weight.shape[2]) // layer.stride + 1
    channels = len(layers[-1].bias)
    value = graph.add("Reshape", [value, graph.constant(np.array([0, channels, side * side]))])
    return graph.model(side_px, graph.head(value, head))


class _Graph:
    """Nodes and constants as they are added; each node's output is named after its number."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, operation: str, inputs: Sequence[str], **settings: object) -> str:
        output = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(operation, list(inputs), [output], **settings))
        return output

    def constant(self, values: NDArray[np.generic] | np.generic) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def renamed(self, value: str, name: str) -> str:
        self.nodes.append(helper.make_node("Identity", [value], [name]))
        return name

    def convolution(self, value: str, weight: NDArray[np.float32], layer: Layer) -> str:
        scale = np.abs(weight).max(axis=(1, 2, 3), keepdims=True).clip(1e-12) / 127
        stored = self.constant(np.round(weight / scale).astype(np.int8))
        as_floats = self.add("Cast", [stored], to=TensorProto.FLOAT)
        restored = self.add("Mul", [as_floats, self.constant(scale.astype(np.float32))])
        stride, kernel = [layer.stride] * 2, list(layer.weight.shape[2:])
        value = self.add(
            "Conv",
            [value, restored, self.constant(layer.bias)],
            **{"strides": stride, "kernel_shape": kernel, "pads": list(layer.pads), "group": layer.groups},
        )
        return self.add("Clip", [value, self.constant(np.float32(0)), self.constant(np.float32(6))])

    def head(self, value: str, head: Head) -> dict[str, tuple[str | int, ...]]:
        dimension, regions = head.projection.shape[1], head.pooling.shape[1] - 1
        value = self.add("Mul", [value, value])
        value = self.add("MatMul", [value, self.constant(head.pooling)])  # (n, channels, 1 + regions)
        value = self.add("Sqrt", [value])
        value = self.add("Transpose", [value], perm=[0, 2, 1])
        value = self.add("Sub", [value, self.constant(head.offset)])
        stored = self.constant(head.projection.astype(np.float16))
        value = self.add("MatMul", [value, self.add("Cast", [stored], to=TensorProto.FLOAT)])
        whole = self.unit_length(self._part(value, (0, 0), (1, dimension)))
        self.nodes.append(helper.make_node("Reshape", [whole, self.constant(np.array([0, dimension]))], ["descriptor"]))
        parts = self._part(value, (1, 0), (1 + regions, head.region_dimension))
        self.renamed(self.unit_length(parts), "regions")
        return {"descriptor": ("n", dimension), "regions": ("n", regions, head.region_dimension)}

    def unit_length(self, value: str) -> str:
        length = self.add("ReduceL2", [value], axes=[-1], keepdims=1)
        return self.add("Div", [value, self.add("Max", [length, self.constant(np.float32(1e-6))])])

    def _part(self, value: str, start: tuple[int, int], end: tuple[int, int]) -> str:
        """Of (n, rows, columns) the rows and columns from `start` to `end`."""
        bounds = (self.constant(np.array(bound)) for bound in (start, end, (1, 2)))
        return self.add("Slice", [value, *bounds])

    def model(self, side_px: int, outputs: dict[str, tuple[str | int, ...]]) -> onnx.ModelProto:
        pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", side_px, side_px, 3])
        infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()]
        graph = helper.make_graph(self.nodes, "descriptor", [pixels], infos, self.constants)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="tintype", producer_version=VERSION
        )
        model.ir_version = IR_VERSION
        onnx.checker.check_model(model)
        return model
