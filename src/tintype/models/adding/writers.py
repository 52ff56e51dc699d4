"""Cards of transformers' models that write words about images."""

from __future__ import annotations

from collections.abc import Sequence

from tintype.models.adding import tokenizing
from tintype.models.adding.maker import Maker
from tintype.models.backends.torch_writers import GENERATION
from tintype.models.card import Card, Output, PixelInput

ARCHITECTURES: dict[tuple[object, object], str] = {
    ("blip", "BlipForConditionalGeneration"): "BlipForConditionalGeneration",
    ("git", "GitForCausalLM"): "GitForCausalLM",
    ("vision-encoder-decoder", "VisionEncoderDecoderModel"): "VisionEncoderDecoderModel",
}
"""By model_type and architecture: the class that loads it."""

ANSWERING: dict[tuple[object, object], str] = {
    ("blip", "BlipForQuestionAnswering"): "BlipForQuestionAnswering",
    ("vilt", "ViltForQuestionAnswering"): "ViltForQuestionAnswering",
}
"""Those that answer questions."""

_DEFAULT_LENGTHS = {"BlipForQuestionAnswering": 512, "ViltForQuestionAnswering": 40}  # the library's own


def card_of(maker: Maker, loader: str, given: PixelInput, beside: Sequence[str]) -> Card:
    """The card of a model that writes captions. Raises ModelError where its tokenizer cannot be used."""
    reader, output = _written(maker)
    card = maker.card(maker.name, "caption", loader, given, (output,), beside=[*_generation(maker), *beside])
    reader.check(card)
    return card


def card_of_answering(maker: Maker, name: str, loader: str, given: PixelInput, beside: Sequence[str]) -> Card:
    """The card of a model that answers questions: BLIP writes answers, ViLT chooses among some. Raises ModelError."""
    text = maker.config.get("text_config") or maker.config
    length = int(text.get("max_position_embeddings") or _DEFAULT_LENGTHS[name])
    if name == "ViltForQuestionAnswering":
        words = tokenizing.beside_images(maker.folder, length, types=True)
        chosen = Output("logits", (), meaning="logits", labels=maker.labels(maker.class_names()))
        told = (words.input_in(maker.place(maker.name)),)
        card = maker.card(maker.name, "answer", loader, given, (chosen,), beside=beside, words=told)
    else:
        words = tokenizing.beside_images(maker.folder, length)
        reader, output = _written(maker)
        told = (words.input_in(maker.place(maker.name)),)
        files = [*_generation(maker), *beside]
        card = maker.card(maker.name, "answer", loader, given, (output,), beside=files, words=told)
        reader.check(card)
    words.check(card)
    return card


def _written(maker: Maker) -> tuple[tokenizing.Reader, Output]:
    reader = tokenizing.reader_of(maker.folder)
    file = reader.written_in(maker.place(maker.name))
    return reader, Output("tokens", (), meaning="text", tokenizer=file, tidied=reader.is_tidied)


def _generation(maker: Maker) -> list[str]:
    """The file that says how words are sought, where there is one."""
    return [GENERATION] if maker.folder.has(GENERATION) else []
