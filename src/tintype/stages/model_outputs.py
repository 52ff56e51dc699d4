"""What a stage's model gives for the images of a batch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tintype.core.errors import ModelError
from tintype.models.card import Output
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
    parts = [
        batch.runner.run({card.input.name: pixels[start : start + AT_ONCE]}) for start in range(0, len(pixels), AT_ONCE)
    ]
    return [np.concatenate([part[output.name] for part in parts]) for output in outputs]
