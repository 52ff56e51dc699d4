"""Models of transformers that write words about images, as token numbers, or choose among answers."""

from __future__ import annotations

from typing import Any

import torch

from tintype.models.backends.torch_weights import Configs, Family, Tensors

MOST_TOKENS = 256
"""Of what is written about an image, whatever a configuration asks for."""

_DEFAULT_TOKENS = 20  # the library's own, where a configuration asks for no number
_OPENING = 2  # tokens that what is written may begin with

GENERATION = "generation_config.json"
_LENGTHS = ("max_length", "max_new_tokens")
_KEPT = (
    *_LENGTHS,
    *("min_length", "min_new_tokens", "num_beams", "early_stopping", "length_penalty", "repetition_penalty"),
    *("no_repeat_ngram_size", "bad_words_ids", "suppress_tokens", "begin_suppress_tokens"),
    *("forced_bos_token_id", "forced_eos_token_id", "decoder_start_token_id"),
    *("bos_token_id", "eos_token_id", "pad_token_id", "use_cache"),
)
"""Of the settings of a generation. Others sample, write several texts, or are code of other repositories."""


def _captions(model: Any, pixels: torch.Tensor) -> Tensors:
    return {"tokens": _filled_up(model, model.generate(pixel_values=pixels))}


def _answers(model: Any, pixels: torch.Tensor, tokens: torch.Tensor, mask: torch.Tensor | None = None) -> Tensors:
    made = model.generate(pixel_values=pixels, input_ids=tokens, attention_mask=mask)
    return {"tokens": _filled_up(model, made)}


def _chosen(model: Any, pixels: torch.Tensor, tokens: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> Tensors:
    """ViLT shuffles the patches of an image: sums of floats would come out in another order each time."""
    there = torch.ones((len(pixels), *pixels.shape[2:]), dtype=torch.long, device=pixels.device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = model(pixel_values=pixels, pixel_mask=there, input_ids=tokens, attention_mask=mask, token_type_ids=types)
    return {"logits": made.logits}


def _filled_up(model: Any, tokens: torch.Tensor) -> torch.Tensor:
    """(n, length) as long as any can be, -1 after the end."""
    length = max(model.longest, tokens.shape[1])
    return torch.nn.functional.pad(tokens, (0, length - tokens.shape[1]), value=-1)


def _tune(model: Any, configs: Configs) -> None:
    """What is written follows from the image alone: the likeliest words, by as many beams as the model asks for."""
    from transformers import GenerationConfig

    if GENERATION in configs:
        model.generation_config = GenerationConfig.from_dict(configs[GENERATION])
    longest = 0
    for part in model.modules():
        if getattr(part, "generation_config", None) is not None:
            part.generation_config = _plain(part.generation_config)
            longest = max(longest, part.generation_config.max_new_tokens or part.generation_config.max_length)
    model.longest = longest + _OPENING


def _plain(settings: Any) -> Any:
    """What of the settings of a generation leaves nothing to chance, gives one text, and has no code fetched."""
    from transformers import GenerationConfig

    kept = {name: value for name in _KEPT if (value := getattr(settings, name, None)) is not None}
    for name in _LENGTHS:
        if name in kept:
            kept[name] = min(kept[name], MOST_TOKENS)
    if not kept.keys() & set(_LENGTHS):
        kept["max_new_tokens"] = _DEFAULT_TOKENS
    return GenerationConfig(**kept, do_sample=False)


_ANY = {"attn_implementation": None}

FAMILIES: dict[tuple[str, str], Family] = {
    ("BlipForConditionalGeneration", "pixels"): Family(_captions, settings=_ANY, tune=_tune),
    ("VisionEncoderDecoderModel", "pixels"): Family(_captions, settings=_ANY, tune=_tune),
    ("GitForCausalLM", "pixels"): Family(_captions, settings=_ANY, tune=_tune),
    ("BlipForQuestionAnswering", "pixels"): Family(_answers, settings=_ANY, tune=_tune),
    ("ViltForQuestionAnswering", "pixels"): Family(_chosen, settings=_ANY),
}
"""By class and kind of the card's input."""
