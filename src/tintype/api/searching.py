"""Search: which images show what words say, look like another image, or both."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tintype.api.inputs import require_vectors
from tintype.api.likeness import EMBEDDED, require_count, vector_of
from tintype.api.pictures import mark_of_data, pictures_of, thumbnails_of
from tintype.api.places import Place, absolute
from tintype.core.errors import ModelError, UsageError
from tintype.core.filters import parse
from tintype.core.names import shown
from tintype.core.version import VERSION
from tintype.finders.nearest import Nearest, matrix, nearest
from tintype.index.screening import Screen
from tintype.models import registry
from tintype.models.card import Card
from tintype.models.running import runner
from tintype.models.words import text_vectors
from tintype.reports.answers import Answer, SearchContent
from tintype.reports.answers import write_answers as write_page
from tintype.store.collection import Collection

WITHOUT_WEIGHT = 0.5
"""Of what is not wanted, beside what is: more of it and answers are of anything else."""


_SAMPLE = 4_096
_CANDIDATES, _LEAST_CANDIDATES = 4, 100


@dataclass(frozen=True)
class _Wish:
    """What is wanted, as it was said."""

    words: str | None
    image: str | os.PathLike[str] | None
    without: str | None
    words_weight: float


@dataclass(frozen=True)
class _Question:
    """What rows are compared with: `digest` and `uri` are those of the image that was named, where it is a row."""

    column: str
    query: NDArray[np.float64]
    digest: bytes | None
    uri: str | None


@dataclass(frozen=True)
class Answers:
    """What was asked, by the names of the options, and the images that come nearest to it, the best first.

    `nearest.table` has the columns of `Nearest`: `b` and `b_uri` are an answer, `cosine` (-1 to 1) how near it is.
    """

    asked: Mapping[str, Any]
    nearest: Nearest

    def to_json(self) -> dict[str, Any]:
        """`schema` 1, `asked`, and `answers`: uri and score (0 to 1)."""
        found = self.nearest.to_json()["neighbors"]
        return {
            "schema": 1,
            "asked": dict(self.asked),
            "answers": [{"uri": row["uri"], "score": row["score"]} for row in found],
        }


def search(
    collection: Collection,
    words: str | None = None,
    *,
    image: str | os.PathLike[str] | None = None,
    without: str | None = None,
    k: int = 50,
    where: str | None = None,
    model: str | None = None,
    words_weight: float = 0.5,
) -> Answers:
    """The k images nearest to words, to an image, or to both, among those that pass the filter.

    Words are compared with images by two models that were trained together, such as CLIP's: `model` is the card by
    which the collection was embedded (`tintype.embed`), by default the one that it was. With an image too, a row's
    uri or any file, the words count for `words_weight` (0 to 1) and the image for the rest. What `without` says is
    subtracted. Every row is compared.

    Raises UsageError, FilterError, ModelError, MissingExtra without the extra `text`, SourceError for a file that is
    no image.
    """
    card = _card(collection, model)
    wish = _Wish(words, image, without, words_weight)
    question = _asked(collection, card, wish, k)
    expression = parse(where, collection.schema) if where else None
    batches = collection.store.batches(["uri", "digest", question.column], where=expression)
    found = nearest(batches, question.query, k, question.digest, question.uri)
    return Answers(_told(wish, where, card, k), found)


class Searcher:
    """A collection's vectors in memory, at a byte a number, for many searches of it as it is now."""

    def __init__(self, collection: Collection, model: str | None = None) -> None:
        """Read the vectors of a card, by default the one that the collection was embedded by, and its text model.

        Raises UsageError where there are none, ModelError, MissingExtra.
        """
        self.collection = collection
        self._card = _card(collection, model)
        self._column = EMBEDDED + self._card.name
        require_vectors(collection, self._column)
        if self._card.companion is not None:
            runner(_companion(self._card))
        rows = collection.store.count()
        some = collection.store.take(
            np.linspace(0, max(rows - 1, 0), min(rows, _SAMPLE)).astype(np.int64), [self._column]
        )
        blocks = (matrix(batch.column(0)) for batch in collection.store.batches([self._column]))
        self._screen = Screen(blocks, rows, matrix(some[self._column].combine_chunks()))

    def __repr__(self) -> str:
        return f"<Searcher of {len(self._screen):,} images of {self.collection.place} by {self._card.name}>"

    def search(
        self,
        words: str | None = None,
        *,
        image: str | os.PathLike[str] | None = None,
        without: str | None = None,
        k: int = 50,
        where: str | None = None,
        words_weight: float = 0.5,
    ) -> Answers:
        """As `tintype.search`: the same answers in a fraction of the time.

        All rows that pass the filter are compared at 8 bits; of the nearest four times k these are compared exactly.
        """
        wish = _Wish(words, image, without, words_weight)
        question = _asked(self.collection, self._card, wish, k)
        store, allowed = self.collection.store, None
        if where:
            allowed = np.zeros(len(self._screen), np.bool_)
            allowed[store.rows(parse(where, self.collection.schema))] = True
        candidates = self._screen.candidates(question.query, max(_CANDIDATES * k, _LEAST_CANDIDATES) + 1, allowed)
        rows = store.take(candidates, ["uri", "digest", question.column]).to_batches()
        found = nearest(rows, question.query, k, question.digest, question.uri)
        return Answers(_told(wish, where, self._card, k), found)


def open_search(collection: Collection, *, model: str | None = None) -> Searcher:
    """Read a collection's vectors into memory, for many searches: one byte a number. Raises as `Searcher` does."""
    return Searcher(collection, model)


def write_answers(collection: Collection, answers: Answers, output: Place) -> Path:
    """Write one HTML file with the answers and their thumbnails; returns its path.

    Raises UsageError where `output` cannot be written, or is a file that is no page of Tintype's.
    """
    rows = answers.to_json()["answers"]
    known = pictures_of(collection, [row["uri"] for row in rows])
    asked = answers.asked
    sentences = [f"By the model {asked['model']}."]
    if asked["where"]:
        sentences.append(f"Only where {asked['where']}.")
    content = SearchContent(
        title=title(asked),
        place=Path(collection.sources[0]).name if len(collection.sources) == 1 else "several sources",
        asked=sentences,
        answers=[Answer(picture=known[row["uri"]], score=row["score"]) for row in rows],
        thumbnails=lambda uris: thumbnails_of(collection, uris),
        version=VERSION,
        data_version=mark_of_data(collection),
    )
    destination = Path(absolute(output))
    write_page(destination, content)
    return destination


def _asked(collection: Collection, card: Card, wish: _Wish, k: int) -> _Question:
    """The vector of what is wanted. Raises UsageError, ModelError, MissingExtra, SourceError."""
    require_count(k)
    if not 0 <= wish.words_weight <= 1:
        raise UsageError(f"words_weight must be 0 to 1, not {wish.words_weight}")
    words, without = ((text if text and text.strip() else None) for text in (wish.words, wish.without))
    column, digest, uri = EMBEDDED + card.name, None, None
    require_vectors(collection, column)
    if words is None and wish.image is None:
        raise UsageError("nothing to search for: say it in words, or name an image")
    texts = [text for text in (words, without) if text is not None]
    made = text_vectors(_companion(card), texts).astype(np.float64) if texts else np.empty((0, 0))
    vectors = dict(zip(texts, made, strict=True))
    parts = [] if words is None else [vectors[words]]
    if wish.image is not None:
        seen, digest, uri = vector_of(collection, wish.image, column)
        parts.append(seen.astype(np.float64) / np.linalg.norm(seen.astype(np.float64)))
    query = parts[0] if len(parts) == 1 else wish.words_weight * parts[0] + (1 - wish.words_weight) * parts[1]
    if without is not None:
        query = query - WITHOUT_WEIGHT * vectors[without]
    if not query.any():
        raise UsageError("what is wanted and what is not are the same: nothing is left to search for")
    return _Question(column, query, digest, uri)


def _told(wish: _Wish, where: str | None, card: Card, k: int) -> dict[str, Any]:
    image = None if wish.image is None else os.fspath(wish.image)
    asked = {"words": wish.words, "image": image, "without": wish.without}
    return {**asked, "where": where, "model": card.name, "k": k}


def _card(collection: Collection, model: str | None) -> Card:
    """The card that is meant: the one that is named, or the one that the collection was embedded by."""
    if model is not None:
        card = registry.card(model)
        if EMBEDDED + card.name not in collection.schema.names:
            raise UsageError(
                f"{collection.place} has no vectors of {card.name}. Make them: tintype embed PLACE --model {card.name}"
            )
        return card
    names = [field.name.removeprefix(EMBEDDED) for field in collection.schema if _is_embedded(field)]
    if not names:
        raise UsageError(
            f"{collection.place} was not embedded by any model. Make vectors first: tintype embed PLACE --model CARD"
        )
    with_words = [card for card in map(registry.card, names) if card.companion]
    if len(with_words) != 1 and len(names) != 1:
        raise UsageError(f"there are vectors of several models: name one of {', '.join(map(shown, names))} by --model")
    return with_words[0] if with_words else registry.card(names[0])


def _is_embedded(field: pa.Field) -> bool:
    return bool(field.name.startswith(EMBEDDED) and pa.types.is_fixed_size_list(field.type))


def _companion(card: Card) -> Card:
    if card.companion is None:
        raise ModelError(
            f"card {card.name} has no companion for words, so it can be asked by an image only. "
            "Models that take both come in pairs: tintype models add openai/clip-vit-base-patch32"
        )
    return registry.card(card.companion)


def title(asked: Mapping[str, Any]) -> str:
    """What was asked, in a line."""
    parts: Sequence[str | None] = (
        asked["words"],
        f"like {asked['image']}" if asked["image"] else None,
        f"without {asked['without']}" if asked["without"] else None,
    )
    return ", ".join(part for part in parts if part)
