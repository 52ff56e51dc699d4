"""Heads over stored vectors: made of words, learned from a collection, or taken from a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tintype.api.head_data import Examples, is_number, labeled, measured
from tintype.api.inputs import Listener, Telling
from tintype.api.places import Place, absolute
from tintype.core.errors import UsageError
from tintype.core.names import shown
from tintype.engine.predicting import stored_vectors
from tintype.finders.learned_heads import Learned, learn_classes, learn_number
from tintype.models import registry
from tintype.models.card import Card
from tintype.models.class_names import checked_names, read_names
from tintype.models.heads import making
from tintype.models.heads.network import Linear, network
from tintype.models.heads.zero_shot import SCALE
from tintype.models.words import TEMPLATES
from tintype.store.collection import Collection

KINDS = ("classes", "number")
MOST_CLASSES = 10_000


def zero_shot_head(
    name: str,
    over: str,
    labels: Sequence[str] | Place,
    *,
    templates: Sequence[str] = TEMPLATES,
    scale: float = SCALE,
) -> Card:
    """Make a head that tells labels apart by their words, and keep it under `name`.

    `over` is a card of images with a companion for words, `labels` the labels or a text file with one a line. `{}` in
    a template is the label; `scale` multiplies cosines before they become probabilities. Raises ModelError, UsageError,
    and MissingExtra without the extra `text`.
    """
    from tintype.models.heads.zero_shot import zero_shot

    known = [*labels] if isinstance(labels, Sequence) and not isinstance(labels, str) else _names(labels)
    card = registry.card(over)
    return making.add_head(name, card, zero_shot(card, known, templates, scale))


def train_head(
    name: str,
    over: str,
    collection: Collection,
    column: str,
    *,
    kind: str | None = None,
    progress: Listener | None = None,
) -> Card:
    """Learn a head from the vectors that a collection has of the card `over`, and keep it under `name`.

    `column` is a label's own name, a column, or `folder`. By default a column of numbers with a fraction is learned as
    a number (ridge regression) and any other as classes (logistic regression); `kind` says "number" or "classes".
    Figures of a cross-validation go into the card's `figures`. The same collection gives the same head. Raises
    UsageError where there are no such labels, or too few; ModelError where vectors are not of this card, or the name is
    taken.
    """
    if kind not in (None, *KINDS):
        raise UsageError(f"the kind must be one of {', '.join(KINDS)}, not {shown(kind)!r}")
    tell = Telling(progress)
    card = registry.card(over)
    making.dimension_of(card)
    making.require_free(name)
    source = stored_vectors(collection.store, card)
    if kind is None:
        kind = "number" if is_number(collection, column) else "classes"
    tell("reading vectors")
    examples = (measured if kind == "number" else labeled)(collection, source, column)
    if not len(examples.values):
        raise UsageError(f"no image here has both a vector of {card.name} and a value of {shown(column)}")
    tell("learning a head", total=len(examples.values))
    learned = _learned(examples, kind)
    return making.add_head(name, card, _made(card, learned, examples, column, kind))


def file_head(
    name: str,
    over: str,
    file: Place,
    *,
    labels: Sequence[str] | Place = (),
    activation: str | None = None,
    license_id: str | None = None,
) -> Card:
    """Take over a head that others trained for the vectors of the card `over`, and keep it under `name`.

    `file` holds the safetensors of linear layers in a row, or an ONNX model of one input of vectors. With one output
    it gives a number; more are classes, whose names are `labels`, or the lines of that file. `activation` is what
    stands between the layers of a safetensors file: none, relu or gelu. Raises ModelError for whatever does not fit.
    """
    from tintype.models.heads.from_file import from_file

    known = [*labels] if isinstance(labels, Sequence) and not isinstance(labels, str) else _names(labels)
    card = registry.card(over)
    made = from_file(card, Path(absolute(file)), labels=known, activation=activation, license_=license_id)
    return making.add_head(name, card, made)


def _names(place: Place) -> tuple[str, ...]:
    return read_names(Path(absolute(place)))


def _learned(examples: Examples, kind: str) -> Learned:
    if kind == "number":
        return learn_number(examples.vectors, examples.values.to_numpy(zero_copy_only=False))
    names = examples.values.unique().to_pylist()
    if len(names) > MOST_CLASSES:
        raise UsageError(f"there are {len(names):,} different labels; a head learns {MOST_CLASSES:,} at most")
    checked_names(names, "labels")
    return learn_classes(examples.vectors, examples.values)


def _made(card: Card, learned: Learned, examples: Examples, column: str, kind: str) -> making.Made:
    used = learned.figures["images"]
    recipe: dict[str, Any] = {"kind": "logistic regression" if learned.classes else "ridge regression"}
    recipe |= {"column": column, "images": used, "images_with_a_value": examples.there}
    return making.Made(
        onnx=network([Linear(learned.weight, learned.bias)], softmax=bool(learned.classes)),
        meaning="probabilities" if learned.classes else "score",
        labels=learned.classes,
        source=f"learned from {shown(column)} of {used:,} images",
        trained_on=f"{used:,} images of the user's",
        license=card.license,
        recipe=recipe,
        figures=learned.figures,
    )
