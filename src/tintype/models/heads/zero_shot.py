"""Heads of words alone: what a text model says of labels, compared with vectors of images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tintype.core.errors import ModelError, UsageError
from tintype.models import registry
from tintype.models.card import Card
from tintype.models.class_names import checked_names
from tintype.models.heads.making import Made, dimension_of
from tintype.models.heads.network import Linear, network
from tintype.models.words import TEMPLATES, label_vectors

SCALE = 100.0


def zero_shot(over: Card, labels: Sequence[str], templates: Sequence[str] = TEMPLATES, scale: float = SCALE) -> Made:
    """A linear layer of the labels' text vectors times `scale`, then softmax (zero-shot classification; Radford et
    al., "Learning transferable visual models from natural language supervision", 2021).

    `{}` in a template is the label; the unit vectors of a label's sentences are averaged. Raises ModelError for a card
    without a companion for words, UsageError for labels, templates or a scale that make no sense, MissingExtra.
    """
    names = checked_names(labels, "labels")
    if len(names) < 2 or len(set(names)) < len(names):
        raise UsageError("labels must be two different texts or more, each there once")
    if not templates or not all(template.count("{}") == 1 for template in templates):
        raise UsageError("each template must have {} once, where the label goes")
    if not 0 < scale <= 1_000:
        raise UsageError(f"the scale must be above 0, and 1,000 at most, not {scale:g}")
    dimension_of(over)
    if over.companion is None:
        raise ModelError(
            f"card {over.name} has no companion for words, so nothing is known of labels. "
            "Make a head from labeled images instead: --column LABEL --from PLACE"
        )
    words = registry.card(over.companion)
    weight = scale * label_vectors(words, names, templates).T
    layer = Linear(weight.astype(np.float32), np.zeros(len(names), np.float32))
    return Made(
        onnx=network([layer], softmax=True),
        meaning="probabilities",
        labels=names,
        source=f"labels by the words of {words.name}",
        trained_on=over.trained_on,
        license=over.license,
        recipe={"kind": "zero-shot", "words": words.fingerprint, "templates": list(templates), "scale": scale},
    )
