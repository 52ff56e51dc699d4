"""Makes the built-in copy-detection descriptor: `python -m tintype.train.descriptor --data DIR --output DIR`.

A small pretrained network goes in; edits of photos and of pictures made by program teach its upper layers; a linear
projection fitted in closed form comes behind it; the ONNX file and its card come out. What was chosen and why:
decisions/0019-descriptor.md.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tintype.core.errors import MissingExtra
from tintype.train.edits import Picture, edited
from tintype.train.network import Head, build
from tintype.train.pictures import made, photos, squares
from tintype.train.projection import discriminant, pooled, region_pooling, unit_length
from tintype.train.start import read_layers

START = "models/mobilenet_v1_050_160_imagenet.onnx"
VERSION = 2


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that decides about the result, beside the data and the start."""

    side_px: int = 128
    dimension: int = 256
    region_dimension: int = 128
    ridge: float = 0.1
    emphasis: float = 0.15
    made: int = 1500  # pictures made by program, beside the photos
    made_seed: int = 7
    edits: int = 8  # of each picture
    first_tuned: int = 19  # layers below this index stay as they are
    steps: int = 2000
    seed: int = 1
    photos: int | None = None  # only so many, for tests


def descriptor(data: Path, recipe: Recipe, report: Callable[[str], None]) -> bytes:
    """The ONNX file. Raises SourceError where the data is not there, MissingExtra without torch."""
    try:
        from tintype.train import tuning
    except ImportError as error:
        raise MissingExtra("Training a descriptor", "train") from error
    layers = read_layers(data / START)
    below, above = layers[: recipe.first_tuned], layers[recipe.first_tuned :]
    real = photos(data)[: recipe.photos]
    pictures = real + made(recipe.made, recipe.made_seed)
    report(f"{len(pictures):,} pictures, {recipe.edits} edits of each")
    seen = (
        tuning.lower_features(below, views(picture, real, number, recipe)) for number, picture in enumerate(pictures)
    )
    lower = np.stack([*_counted(seen, len(pictures), report)])
    head, originals = fitted_head(tuning.maps(above, lower), recipe)
    if recipe.steps:
        settings = tuning.Tuning(steps=recipe.steps)
        above = tuning.tune(above, lower, originals, head, settings, recipe.seed, report)
        head, _ = fitted_head(tuning.maps(above, lower), recipe)
    weights: bytes = build([*below, *above], recipe.side_px, head).SerializeToString(deterministic=True)
    return weights


def views(picture: Picture, others: Sequence[Picture], number: int, recipe: Recipe) -> NDArray[np.uint8]:
    """(1 + edits, side, side, 3): a picture and edits of it, as the network gets them."""
    random = np.random.default_rng((recipe.seed, number))
    copies = [edited(picture, random, others) for _ in range(recipe.edits)]
    return squares([picture, *copies], recipe.side_px)


def fitted_head(maps: NDArray[np.float16], recipe: Recipe) -> tuple[Head, NDArray[np.float32]]:
    """The best linear head behind (pictures, views, channels, cells) maps, and the originals' unit vectors by it."""
    pooling = region_pooling(round(maps.shape[3] ** 0.5))
    whole = pooled(maps.reshape(-1, *maps.shape[2:]), pooling[:, :1]).reshape(maps.shape[:3])
    offset, projection = discriminant(whole, recipe.dimension, recipe.ridge, recipe.emphasis)
    return Head(pooling, offset, projection, recipe.region_dimension), unit_length((whole[:, 0] - offset) @ projection)


def card(weights: bytes, recipe: Recipe) -> dict[str, Any]:
    """What the model is, as `tintype.models` reads it; figures are added by whoever measures."""
    regions = region_pooling(1).shape[1] - 1
    return {
        "name": "descriptor",
        "version": VERSION,
        "task": "embed image",
        "weights": [
            {"engine": "onnx", "file": {"name": "descriptor.onnx", "sha256": hashlib.sha256(weights).hexdigest()}}
        ],
        "input": {
            "kind": "pixels",
            "name": "pixels",
            "width": recipe.side_px,
            "height": recipe.side_px,
            "fit": "shared square",
            "layout": "NHWC",
            "dtype": "uint8",
        },
        "outputs": [
            {"name": "descriptor", "shape": [recipe.dimension], "normalized": True},
            {"name": "regions", "shape": [regions, recipe.region_dimension], "normalized": True},
        ],
        "license": "Apache-2.0",
        "source": "started from google-coral/test_data at 104342d2d3480b3e66203073dac24f4e2dbb4c41, "
        "mobilenet_v1_0.5_160_quant.tflite (Apache-2.0)",
        "trained_on": "ImageNet-1k (the start); the train part of clothing-dataset-small (CC0) and pictures made by "
        "program, with random edits",
        "recipe": {"command": "python -m tintype.train.descriptor", **asdict(recipe)},
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="tintype.train.descriptor", description="Make the built-in descriptor.")
    parser.add_argument("--data", type=Path, required=True, help="folder with models/ and clothing-168/")
    parser.add_argument("--output", type=Path, required=True, help="folder for descriptor.onnx and descriptor.json")
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    given = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    recipe = Recipe(seed=given.seed)
    weights = descriptor(given.data, recipe, lambda line: print(line, file=sys.stderr, flush=True))  # noqa: T201  a program's progress
    given.output.mkdir(parents=True, exist_ok=True)
    (given.output / "descriptor.onnx").write_bytes(weights)
    facts = json.dumps(card(weights, recipe), indent=2, ensure_ascii=False)
    (given.output / "descriptor.json").write_text(facts + "\n", encoding="utf-8")


def _counted(parts: Iterable[Any], count: int, report: Callable[[str], None]) -> Iterator[Any]:
    for number, part in enumerate(parts, 1):
        yield part
        if number % 500 == 0 or number == count:
            report(f"picture {number:,} of {count:,}")


if __name__ == "__main__":
    main()
