"""Words to the token numbers that a text model takes, by the tokenizer.json that lies beside its card."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tintype.core.errors import MissingExtra, ModelError
from tintype.models.card import Card, TextInput
from tintype.models.card_file import read_file

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def tokenized(card: Card, texts: Sequence[str]) -> dict[str, NDArray[np.int64]]:
    """The inputs of the card's runner: token numbers int64 (n, length), and a mask of 1 and 0 where it takes one.

    A text is cut to `length` tokens and filled up on the right, to `length` or else to the longest of `texts`.
    Raises ModelError for a card that takes no words or whose tokenizer cannot be read, MissingExtra without tokenizers.
    """
    if not isinstance(card.input, TextInput):
        raise ModelError(f"card {card.name} ({card.task}) does not take words")
    wanted, tokenizer = card.input, _tokenizer(card, card.input)
    try:
        encoded = tokenizer.encode_batch([_without_surrogates(text) for text in texts])
    except Exception as error:  # the library's own exceptions share no base but this
        raise ModelError(f"card {card.name}: its tokenizer cannot read this text: {_one_line(error)}") from error
    shape = len(texts), len(encoded[0].ids) if encoded else wanted.length
    made = {wanted.name: np.array([row.ids for row in encoded], np.int64).reshape(shape)}
    if wanted.mask is not None:
        made[wanted.mask] = np.array([row.attention_mask for row in encoded], np.int64).reshape(shape)
    return made


@lru_cache(maxsize=8)
def _tokenizer(card: Card, wanted: TextInput) -> Tokenizer:
    try:
        from tokenizers import Tokenizer
    except ModuleNotFoundError as error:
        raise MissingExtra("turning words into tokens", "text") from error
    definition = read_file(card, wanted.tokenizer)
    try:
        made = Tokenizer.from_str(definition.decode("utf-8"))
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
