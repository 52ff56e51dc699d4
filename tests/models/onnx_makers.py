"""Small ONNX detectors with known answers, made without a library of models."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE, CELLS = 64, 4
"""Pixels of a side of the input, and cells along each side."""


def save_bright_cells(path: Path, form: str = "center", *, joined: bool = False, batch: int | str = "n") -> Path:
    """A detector of bright places: the image is CELLS by CELLS boxes, and the score of each is its brightness, 0 to 1.

    Outputs are `boxes` (queries, 4) as shares, of center and size or of corners, and `scores` (queries, 1); `joined` is
    one output `out` (5, queries) instead, boxes in pixels.
    """
    low = np.stack(np.meshgrid(np.arange(CELLS), np.arange(CELLS)), axis=-1).reshape(-1, 2) / CELLS  # x, y by rows
    pair = (low + 0.5 / CELLS, np.full_like(low, 1 / CELLS)) if form == "center" else (low, low + 1 / CELLS)
    boxes = np.concatenate(pair, axis=1).astype(np.float32)[None] * (SIDE if joined else 1)
    count, step = CELLS * CELLS, SIDE // CELLS
    nodes = [
        helper.make_node("AveragePool", ["image"], ["cells"], kernel_shape=[step, step], strides=[step, step]),
        helper.make_node("ReduceMean", ["cells"], ["gray"], axes=[1], keepdims=1),  # (n, 1, cells, cells)
        helper.make_node("Reshape", ["gray", "shape"], ["scores"]),
        helper.make_node("Mul", ["scores", "zeros"], ["nothing"]),  # (n, queries, 4), as many as there are images
        helper.make_node("Add", ["nothing", "grid"], ["boxes"]),
    ]
    arrays = {"shape": np.array([-1, count, 1]), "zeros": np.zeros((1, count, 4), np.float32), "grid": boxes}
    made = [
        helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [batch, count, 4]),
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, [batch, count, 1]),
    ]
    if joined:
        nodes.append(helper.make_node("Concat", ["boxes", "scores"], ["rows"], axis=2))
        nodes.append(helper.make_node("Transpose", ["rows"], ["out"], perm=[0, 2, 1]))
        made = [helper.make_tensor_value_info("out", TensorProto.FLOAT, [batch, 5, count])]
    given = [helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, 3, SIDE, SIDE])]
    constants = [numpy_helper.from_array(values, name) for name, values in arrays.items()]
    graph = helper.make_graph(nodes, "bright_cells", given, made, constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path
