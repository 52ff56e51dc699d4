"""The pretrained network that a descriptor starts from, read from its ONNX file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from tintype.core.errors import SourceError


@dataclass(frozen=True)
class Layer:
    """A convolution with its bias, followed by ReLU6 (values cut to 0 to 6)."""

    weight: NDArray[np.float32]  # (outputs, inputs of a group, high, wide)
    bias: NDArray[np.float32]  # (outputs,)
    stride: int
    groups: int
    pads: tuple[int, int, int, int]  # zeros added above, left, below, right


def read_layers(path: Path) -> list[Layer]:
    """The convolutions up to the pooling layer; their input is (pixel - 128) / 128, RGB."""
    if not path.is_file():
        raise SourceError(f"No pretrained network at {path}. Name the folder that holds models/: --data DIR.")
    graph = onnx.load(path).graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    layers: list[Layer] = []
    for node in graph.node:
        if node.op_type == "AveragePool":
            return layers
        if node.op_type == "Conv":
            stem = node.name or node.output[0]
            weight = constants[f"{stem}_wq"].astype(np.float32) - constants[f"{stem}_zp"]
            settings = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
            layers.append(
                Layer(
                    (weight * constants[f"{stem}_scale"]).astype(np.float32),
                    constants[node.input[2]].astype(np.float32),
                    settings["strides"][0],
                    settings["group"],
                    tuple(settings["pads"]),
                )
            )
    raise SourceError(f"{path} is no network of convolutions that ends in a pooling layer.")
