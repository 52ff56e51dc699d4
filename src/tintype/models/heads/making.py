"""A head as a card among the user's models: its network, what it takes, and the names of what it tells."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from tintype.core.errors import ModelError
from tintype.core.names import shown
from tintype.models import registry
from tintype.models.backends.onnx import OnnxBackend
from tintype.models.card import Card, Meaning, Output, VectorInput, Weights
from tintype.models.card_file import NAME, hashed
from tintype.models.class_names import checked_names
from tintype.models.heads.network import INPUT, OUTPUT
from tintype.models.heads.running import AT_ONCE, Head

_WEIGHTS, _LABELS = "head.onnx", "labels.txt"
_ALONE = 4  # vectors that are also tried without others beside them
_SAME = 1e-3  # of the largest value


@dataclass(frozen=True, kw_only=True)
class Made:
    """What a head is made of. `labels` are the names of its classes, in order; without them it gives one number.

    `source` says how it came about in a few words, `recipe` in values, `figures` how good it is.
    """

    onnx: bytes
    meaning: Meaning
    source: str
    trained_on: str
    license: str
    labels: Sequence[str] = ()
    input_name: str = INPUT
    output_name: str = OUTPUT
    shape: tuple[int, ...] | None = None  # of the output, where it is not (classes,) or (1,)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, Any] = field(default_factory=dict)


def dimension_of(over: Card) -> int:
    """How long the vectors of a card are that a head can be made over. Raises ModelError for one without any."""
    _ = over.pixels  # vectors of words are kept nowhere
    return over.vectors().shape[0]


def require_free(name: str) -> None:
    """Raise ModelError, before any work, where a head cannot have that name."""
    if not NAME.fullmatch(name):
        raise ModelError(f"{shown(name)!r} cannot be a name ({NAME.pattern})")
    if name in registry.BUILT_IN or (registry.folder() / name).exists():
        raise ModelError(f"a card is already named {name}. Take another name, or: tintype models remove {name}")


def add_head(name: str, over: Card, made: Made) -> Card:
    """Run a head once and keep it; it pins the card whose vectors it takes by its fingerprint.

    Raises ModelError where it does not run, what it gives is not finite or depends on the vectors beside it, or the
    name is taken.
    """
    require_free(name)
    labels = checked_names(made.labels, f"head {name}")
    with tempfile.TemporaryDirectory(prefix="tintype-") as work:
        weights = Path(work) / _WEIGHTS
        weights.write_bytes(made.onnx)
        files, named = [weights], None
        if labels:
            text = Path(work) / _LABELS
            text.write_text("".join(f"{label}\n" for label in labels), encoding="utf-8")
            files.append(text)
            named = hashed(text)
        shape = made.shape if made.shape is not None else (max(1, len(labels)),)
        card = Card(
            name=name,
            version=1,
            task="head",
            weights=(Weights("onnx", hashed(weights)),),
            input=VectorInput("vectors", made.input_name, over.name, over.fingerprint, dimension_of(over)),
            outputs=(Output(made.output_name, shape, meaning=made.meaning, labels=named),),
            license=made.license,
            source=made.source,
            trained_on=made.trained_on,
            recipe=dict(made.recipe),
            figures=dict(made.figures),
            folder=Path(work),
        )
        return registry.add(_tried(card), files)


def _tried(card: Card) -> Card:
    """The card, with what its classes' values are seen to be."""
    run = OnnxBackend().load(card)
    head = Head(card, run)
    vectors = np.random.default_rng(0).standard_normal((AT_ONCE, head.input.dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    alone = np.concatenate([head.values(vector[None]) for vector in vectors[:_ALONE]])
    values = head.values(vectors)
    if not np.isfinite(values).all():
        raise ModelError(f"head {card.name}: what it gives for some vectors is not finite")
    if np.abs(values[:_ALONE] - alone).max() > _SAME * np.abs(values).max():
        raise ModelError(f"head {card.name}: what it gives for a vector depends on the vectors beside it")
    (output,) = card.outputs
    if output.meaning == "score" or not (values.min() >= 0 and values.max() <= 1):
        return card
    if not np.allclose(values.sum(axis=1), 1, atol=1e-3):
        raise ModelError(
            f"head {card.name}: its outputs are probabilities that do not add up to 1, so each is of its own: "
            "take the outputs one by one, each as a head that gives a number"
        )
    return replace(card, outputs=(replace(output, meaning="probabilities"),))
