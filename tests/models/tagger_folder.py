"""A small tagger in the layout of SmilingWolf's, and its makers' own preparation of images, with Pillow alone."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

SIDE = 64
RATINGS = ("general", "sensitive", "questionable", "explicit")
GENERAL = (
    "1girl",
    "long_hair",
    "^_^",
    "o_o",
    ":3",
    "hat_(clothing)",
    "multiple_girls",
    "k-on!",
    "||_||",
    "b,c",
    *"efgh",
)
CHARACTERS = ("hatsune_miku", "d.va_(overwatch)", "2b_(nier:automata)")

ROWS = tuple(
    (str(9_999_900 + number), name, category, "17")
    for number, (name, category) in enumerate(
        [*((name, "9") for name in RATINGS), *((name, "0") for name in GENERAL), *((name, "4") for name in CHARACTERS)]
    )
)


def save_tagger(folder: Path, rows: Sequence[Sequence[str]] = ROWS, outputs: int | None = None, **model: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    save_network(folder / "model.onnx", len(rows) if outputs is None else outputs, **model)
    with (folder / "selected_tags.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([("tag_id", "name", "category", "count"), *rows])
    return folder


def save_network(
    path: Path, outputs: int, ending: str = "Sigmoid", shape: tuple[Any, ...] = ("batch", SIDE, SIDE, 3)
) -> Path:
    """From smooth filters over all levels to as many values; like a trained one it looks at more than single pixels."""
    coarse = np.random.default_rng(0).standard_normal((outputs, 4, 4, 3))
    filters = coarse.repeat(SIDE // 4, axis=1).repeat(SIDE // 4, axis=2).reshape(outputs, -1).T * 0.3 / SIDE**2
    weight = filters[:, :outputs].astype(np.float32)
    nodes = [
        helper.make_node("Flatten", ["input"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "weight"], ["mixed"]),
        helper.make_node(ending, ["mixed"], ["output"]),
    ]
    given = helper.make_tensor_value_info("input", TensorProto.FLOAT, shape)
    made = helper.make_tensor_value_info("output", TensorProto.FLOAT, (shape[0], outputs))
    graph = helper.make_graph(nodes, "tagger", [given], [made], [numpy_helper.from_array(weight, "weight")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def reference_input(path: Path, side: int = SIDE) -> np.ndarray:
    """float32 (1, side, side, 3): on white, in the middle of a white square, bicubic, blue first, levels."""
    with Image.open(path) as picture:
        rgba = picture.convert("RGBA")
    whole = Image.new("RGBA", rgba.size, "white")
    whole.alpha_composite(rgba)
    longer = max(rgba.size)
    square = Image.new("RGB", (longer, longer), "white")
    square.paste(whole.convert("RGB"), ((longer - rgba.width) // 2, (longer - rgba.height) // 2))
    if longer != side:
        square = square.resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(square, np.float32)[None, :, :, ::-1]


def reference_tags(confidence: np.ndarray, general: float = 0.35, character: float = 0.85) -> list[tuple[str, float]]:
    """The likeliest rating and all others above their thresholds, the surest first; names with blanks but for faces."""
    faces = {"^_^", "o_o", "||_||"}
    named = [
        (name if name in faces else name.replace("_", " "), float(value))
        for (_, name, *_), value in zip(ROWS, confidence, strict=True)
    ]
    ratings, others = named[: len(RATINGS)], named[len(RATINGS) :]
    split = len(GENERAL)
    kept = [max(ratings, key=lambda one: one[1])]
    kept += [one for one in others[:split] if one[1] > general] + [one for one in others[split:] if one[1] > character]
    return sorted(kept, key=lambda one: -one[1])
