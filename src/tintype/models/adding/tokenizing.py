"""How words become tokens, by a model's own tokenizer: its tokenizer.json, proved equal to what its library makes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tintype.core.errors import ModelError
from tintype.models.adding.folder import Folder
from tintype.models.card import Card, File, TextInput
from tintype.models.card_file import hashed
from tintype.models.tokens import texts, tokenized

TOKENIZER = "tokenizer.json"
PROBES = (
    "a photo of a dog on a beach",
    "",
    "A red CAR, parked.",
    "two  spaces and a\nline",
    "don't stop: it's 2024-01-01 (really)!",
    "ein Straßenfest in Köln, 東京",
    "a_name_with_underscores.jpg",
    "a long text of many words " * 20,
)

_VOCABULARIES = (TOKENIZER, "vocab.json", "vocab.txt", "spiece.model")
_READ_ROWS, _READ_TOKENS = 8, 12

_Tokens = Callable[[Sequence[str]], dict[str, NDArray[np.int64]]]


@dataclass(frozen=True)
class Words:
    """A tokenizer.json, what is known of its use, and the library's own tokenizer to compare with."""

    definition: str
    length: int
    pad_id: int
    takes_mask: bool
    reference: _Tokens
    takes_types: bool = False
    pads: bool = True  # else texts are as long as they are
    several: bool = False  # beside one image

    def input_in(self, place: Path) -> TextInput:
        """The card's input, with the tokenizer written into the card's place."""
        path = place / TOKENIZER
        path.write_text(self.definition, encoding="utf-8")
        return TextInput(
            "text",
            "input_ids",
            self.length,
            hashed(path),
            mask="attention_mask" if self.takes_mask else None,
            pad_id=self.pad_id,
            pad_to_length=self.pads,
            types="token_type_ids" if self.takes_types else None,
            texts="several" if self.several else "one",
        )

    def check(self, card: Card) -> None:
        """Raises ModelError unless the card's tokens of some texts are those of the library."""
        own, reference = tokenized(card, PROBES), self.reference(PROBES)
        for name, values in own.items():
            for text, given, wanted in zip(PROBES, values, reference[name], strict=True):
                if not np.array_equal(given, wanted):
                    raise ModelError(f"{TOKENIZER} gives other tokens than its library for {text[:40]!r}")


def beside_images(
    folder: Folder, length: int, *, types: bool = False, pads: bool = False, several: bool = False
) -> Words:
    """The tokenizer of words that go in with an image, as transformers loads it; `types` of tokens go in as well."""
    library, backend = _with_backend(folder)

    def reference(texts: Sequence[str]) -> dict[str, NDArray[np.int64]]:
        how: dict[str, Any] = {"padding": "max_length" if pads else True, "truncation": True, "max_length": length}
        made = library(list(texts), return_tensors="np", return_token_type_ids=types, return_attention_mask=True, **how)
        return {name: np.asarray(values, np.int64) for name, values in made.items()}

    pad_id = library.pad_token_id
    if pad_id is None:
        raise ModelError("its tokenizer does not say what to fill short texts up with (pad_token)")
    return Words(backend.to_str(), length, int(pad_id), True, reference, types, pads, several)


@dataclass(frozen=True)
class Reader:
    """A tokenizer that makes words of tokens, and the library's own to compare with."""

    definition: str
    is_tidied: bool
    vocabulary: int
    reference: Callable[[Sequence[int]], str]

    def written_in(self, place: Path) -> File:
        """The tokenizer, written into the card's place."""
        path = place / TOKENIZER
        path.write_text(self.definition, encoding="utf-8")
        return hashed(path)

    def check(self, card: Card) -> None:
        """Raises ModelError unless the words of some tokens are those of the library, blanks aside."""
        (output,) = (output for output in card.outputs if output.tokenizer is not None)
        rows = np.random.default_rng(0).integers(0, self.vocabulary, (_READ_ROWS, _READ_TOKENS))
        for row, text in zip(rows, texts(card, output, rows), strict=True):
            if text != " ".join(self.reference(row.tolist()).split()):
                raise ModelError(f"{TOKENIZER} gives other words than its library for the tokens {row.tolist()[:6]} …")


def reader_of(folder: Folder) -> Reader:
    """How transformers makes words of the tokens that a model of the folder writes."""
    library, backend = _with_backend(folder)
    is_tidied = bool(library.clean_up_tokenization_spaces) and type(backend.model).__name__ != "BPE"

    def reference(tokens: Sequence[int]) -> str:
        text: str = library.decode(list(tokens), skip_special_tokens=True)
        return text

    return Reader(backend.to_str(), is_tidied, len(library), reference)


def of_transformers(folder: Folder, config: dict[str, Any]) -> Words:
    """The tokenizer that transformers loads from the folder.

    A text's vector by CLIP is that of its closing token, which sees only what stands before it: nothing is filled up.
    """
    definition = folder.file(TOKENIZER).read_text(encoding="utf-8")
    library = _library_tokenizer(folder)
    length = (config.get("text_config") or {}).get("max_position_embeddings") or _default_length(config)
    takes_mask = "attention_mask" in library.model_input_names
    pads = config.get("model_type") != "clip"

    def reference(texts: Sequence[str]) -> dict[str, NDArray[np.int64]]:
        padding = "max_length" if pads else True
        made = library(list(texts), padding=padding, truncation=True, max_length=length, return_tensors="np")
        return {name: np.asarray(values, np.int64) for name, values in made.items()}

    if library.pad_token_id is None:
        raise ModelError("its tokenizer does not say what to fill short texts up with (pad_token)")
    return Words(definition, int(length), int(library.pad_token_id), takes_mask, reference, pads=pads)


def _with_backend(folder: Folder) -> tuple[Any, Any]:
    """The tokenizer that transformers loads, and the one inside of it that runs without transformers."""
    if not any(folder.has(name) for name in _VOCABULARIES):  # or the library makes one up that knows no word
        raise ModelError(f"its tokenizer is missing: one of {', '.join(_VOCABULARIES)}")
    library = _library_tokenizer(folder)
    backend = getattr(library, "backend_tokenizer", None)
    if backend is None:
        raise ModelError("its tokenizer has no form that runs without its library")
    return library, backend


def _library_tokenizer(folder: Folder) -> Any:
    """SigLIP's own cleans texts before it reads spiece.model; transformers takes another where that cannot be had."""
    import transformers

    facts = folder.config("tokenizer_config.json") if folder.has("tokenizer_config.json") else {}
    kind: Any = transformers.AutoTokenizer
    if facts.get("tokenizer_class") == "SiglipTokenizer":
        import sentencepiece  # noqa: F401 - or what is missing would not be said

        folder.file("spiece.model")
        kind = transformers.SiglipTokenizer
    return kind.from_pretrained(str(folder.path), local_files_only=True, trust_remote_code=False)


def _default_length(config: dict[str, Any]) -> int:
    """transformers leaves out of a file what is as its classes have it."""
    from transformers import AutoConfig

    kind = AutoConfig.for_model(config["model_type"])
    return int(kind.text_config.max_position_embeddings)


def of_open_clip(folder: Folder, model: dict[str, Any]) -> Words:
    """The tokenizer that open_clip takes for the folder: its own, or one of transformers."""
    import open_clip.tokenizer as library

    text = dict(model.get("text_cfg") or {})
    length = int(text.get("context_length", library.DEFAULT_CONTEXT_LENGTH))
    settings = dict(text.get("tokenizer_kwargs") or {})
    if set(settings) - {"clean"} or text.get("tokenizer_mode"):
        raise ModelError(f"its tokenizer has settings that are not known: {', '.join(sorted(settings)) or 'its mode'}")
    if not text.get("hf_tokenizer_name"):
        own = library.SimpleTokenizer(context_length=length, **settings)
        if settings.get("clean", "lower") != "lower":
            raise ModelError(f"its tokenizer cleans texts by {settings['clean']!r}, which is not known")
        return Words(_of_byte_pairs(own), length, 0, False, lambda texts: {"input_ids": own(list(texts)).numpy()})
    definition = _cleaned(folder.file(TOKENIZER).read_text(encoding="utf-8"), settings.get("clean", "whitespace"))
    other = library.HFTokenizer(str(folder.path), context_length=length, local_files_only=True, **settings)
    pad_id = other.tokenizer.pad_token_id
    if pad_id is None:
        raise ModelError("its tokenizer does not say what to fill short texts up with (pad_token)")
    return Words(definition, length, int(pad_id), False, lambda texts: {"input_ids": other(list(texts)).numpy()})


def _of_byte_pairs(own: Any) -> str:
    """open_clip's own tokenizer as a tokenizer.json: transformers' class for CLIP, with open_clip's pairs."""
    from transformers import CLIPTokenizer

    opening, closing = (own.decoder[number] for number in (own.sot_token_id, own.eot_token_id))
    named = {"bos_token": opening, "eos_token": closing, "unk_token": closing, "pad_token": closing}
    made = CLIPTokenizer(vocab=dict(own.encoder), merges=list(own.bpe_ranks), **named)
    definition: str = made.backend_tokenizer.to_str()
    return definition


def _cleaned(definition: str, cleaning: str) -> str:
    """The tokenizer.json with open_clip's own cleaning of texts put before what it does itself."""
    from tokenizers import Regex, Tokenizer, normalizers

    steps: list[Any] = [normalizers.Replace(Regex(r"\s+"), " "), normalizers.Strip()]
    if cleaning == "canonicalize":
        marks = r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^`{|}~]"""
        steps = [normalizers.Replace("_", " "), normalizers.Replace(Regex(marks), ""), normalizers.Lowercase(), *steps]
    elif cleaning == "lower":
        steps.append(normalizers.Lowercase())
    elif cleaning != "whitespace":
        raise ModelError(f"its tokenizer cleans texts by {cleaning!r}, which is not known")
    made = Tokenizer.from_str(definition)
    made.normalizer = normalizers.Sequence([*steps, *([made.normalizer] if made.normalizer else [])])
    text: str = made.to_str()
    return text
