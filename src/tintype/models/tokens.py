"""Words to the token numbers that a text model takes, by the tokenizer.json that lies beside its card."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tintype.core.errors import MissingExtra, ModelError
from tintype.models.card import Card, File, Output, TextInput
from tintype.models.card_file import read_file

_TIDIED: tuple[tuple[str, str], ...] = (
    *((f" {mark}", mark) for mark in (".", "?", "!", ",")),
    (" ' ", "'"),
    *((f" {ending}", ending) for ending in ("n't", "'m", "'s", "'ve", "'re")),
)
"""What transformers makes of blanks before marks."""

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def tokenized(card: Card, texts: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    """The words among the inputs of the card's runner: token numbers int64 (n, length), and where it takes them a mask
    of 1 and 0, and types.

    A text is cut to `length` tokens and filled up on the right, to `length` or else to the longest of `texts`.
    Raises ModelError for a card that takes no words or whose tokenizer cannot be read, MissingExtra without tokenizers.
    """
    wanted = card.words
    tokenizer = _tokenizer(card, wanted)
    try:
        encoded = tokenizer.encode_batch([_without_surrogates(text) for text in texts])
    except Exception as error:  # the library's own exceptions share no base but this
        raise ModelError(f"card {card.name}: its tokenizer cannot read this text: {_one_line(error)}") from error
    shape = len(texts), len(encoded[0].ids) if encoded else wanted.length
    made = {wanted.name: np.array([row.ids for row in encoded], np.int64).reshape(shape)}
    if wanted.mask is not None:
        made[wanted.mask] = np.array([row.attention_mask for row in encoded], np.int64).reshape(shape)
    if wanted.types is not None:
        made[wanted.types] = np.array([row.type_ids for row in encoded], np.int64).reshape(shape)
    return made


def token_places(card: Card, text: str) -> list[tuple[int, int]]:
    """Where in a text each of its tokens stands, from character to character; (0, 0) for special ones.

    Raises ModelError where it has more tokens than the card takes.
    """
    wanted = card.words
    whole = _read(card, wanted.tokenizer)
    whole.no_truncation()
    whole.no_padding()
    places: list[tuple[int, int]] = whole.encode(_without_surrogates(text)).offsets
    if len(places) > wanted.length:
        raise ModelError(
            f"card {card.name} takes {wanted.length} tokens; these words are {len(places)}: say it shorter"
        )
    return places


def texts(card: Card, output: Output, tokens: NDArray[np.int64]) -> list[str]:
    """The words of token numbers (n, length) that end in -1, without special tokens; "" where there are none.

    Raises ModelError for an output that is no text, MissingExtra without tokenizers.
    """
    if output.tokenizer is None:
        raise ModelError(f"card {card.name}: its output {output.name} is no text")
    reader = _reader(card, output.tokenizer)
    try:
        made = [reader.decode(row[row >= 0].tolist(), skip_special_tokens=True) for row in tokens]
    except Exception as error:
        raise ModelError(f"card {card.name}: its tokens are no words: {_one_line(error)}") from error
    if output.tidied:
        for blank, plain in _TIDIED:
            made = [text.replace(blank, plain) for text in made]
    return [" ".join(text.split()) for text in made]


@lru_cache(maxsize=8)
def _reader(card: Card, file: File) -> Tokenizer:
    """A tokenizer that only makes words of tokens."""
    return _read(card, file)


def _read(card: Card, file: File) -> Tokenizer:
    try:
        from tokenizers import Tokenizer
    except ModuleNotFoundError as error:
        raise MissingExtra("turning words into tokens", "text") from error
    definition = read_file(card, file)
    try:
        return Tokenizer.from_str(definition.decode("utf-8"))
    except Exception as error:
        raise ModelError(f"card {card.name}: {file.name} is no tokenizer: {_one_line(error)}") from error


@lru_cache(maxsize=8)
def _tokenizer(card: Card, wanted: TextInput) -> Tokenizer:
    made = _read(card, wanted.tokenizer)
    try:
        made.enable_truncation(wanted.length)
        made.enable_padding(pad_id=wanted.pad_id, length=wanted.length if wanted.pad_to_length else None)
    except Exception as error:
        raise ModelError(f"card {card.name}: {wanted.tokenizer.name} is no tokenizer: {_one_line(error)}") from error
    return made


def _without_surrogates(text: str) -> str:
    """What no UTF-8 can hold comes from broken file names; the tokenizer would refuse the whole text."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
