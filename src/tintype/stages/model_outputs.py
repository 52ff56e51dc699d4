"""What a stage's model gives for the images of a batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tintype.core.errors import ModelError
from tintype.models.card import Output
from tintype.models.preparing import prepared, prepared_size
from tintype.stages.base import Batch, Model

AT_ONCE = 8
"""Images that a model runs on together: of 32 the layers' results no longer fit a processor's cache, and the
built-in descriptor takes a seventh longer."""


def model_output(batch: Batch, output: Output) -> NDArray[np.float32]:
    """(n, *output.shape) float32: one output of the model for all images. Raises ModelError without a model."""
    return model_outputs(batch, (output,))[0]


def model_outputs(batch: Batch, outputs: tuple[Output, ...]) -> list[NDArray[np.float32]]:
    """Several outputs of one run over the images."""
    if batch.runner is None:
        raise ModelError("a stage that needs a model was run without one")
    if len(batch) == 0:
        return [np.empty((0, *output.shape), np.float32) for output in outputs]
    card = batch.runner.info.card
    pixels = batch.rgb(card.pixels.width) if Model(card).is_shared else batch.prepared()
    at_once = AT_ONCE if batch.runner.info.device == "cpu" else len(pixels)
    parts = [
        batch.runner.run({card.input.name: pixels[start : start + at_once]}) for start in range(0, len(pixels), at_once)
    ]
    return [np.concatenate([part[output.name] for part in parts]) for output in outputs]


def outputs_each(
    batch: Batch, beside: Mapping[str, NDArray[Any]] = MappingProxyType({})
) -> list[dict[str, NDArray[Any]]]:
    """All outputs of the model for each image, without the batch, of images that may differ in size once prepared.

    Those of one size run together on a GPU, and one by one on a processor, where large images gain nothing from
    company. `beside` are further inputs, (1, ...), the same for all images. Raises ModelError without a model.
    """
    if batch.runner is None:
        raise ModelError("a stage that needs a model was run without one")
    info, wanted = batch.runner.info, batch.runner.info.card.pixels
    sizes = [(image.width, image.height) for image in batch.images]
    alike: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for row, size in enumerate(sizes):
        alike[prepared_size(size, wanted)].append(row)
    at_once = 1 if info.device == "cpu" else AT_ONCE
    made: list[dict[str, NDArray[Any]]] = [{} for _ in sizes]
    for rows in alike.values():
        for start in range(0, len(rows), at_once):
            part = rows[start : start + at_once]
            pixels = prepared([batch.images[row].rgb for row in part], wanted, [sizes[row] for row in part])
            further = {name: np.repeat(values, len(part), axis=0) for name, values in beside.items()}
            outputs = batch.runner.run({wanted.name: pixels, **further})
            for number, row in enumerate(part):
                made[row] = {name: values[number] for name, values in outputs.items()}
    return made
