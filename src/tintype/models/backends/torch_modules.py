"""Models of transformers, timm and open_clip as PyTorch modules, filled from safetensors that were hashed before.

Classes are taken from a list, configurations are only data, and nothing that they say makes a library fetch a file,
open one by its path, or run code of a repository.
"""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import nn

from tintype.core.errors import MissingExtra, ModelError, TintypeError
from tintype.models.card import Card, PixelInput
from tintype.models.card_file import read_file

Tensors = dict[str, torch.Tensor]
Forward = Callable[..., Tensors]

_MAX_CONFIG_BYTES = 10_000_000
_REMOTE = ("auto_map", "quantization_config", "custom_pipelines")
_TIMM_OWN = {"pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "checkpoint_path", "cache_dir", "features_only"}
_TIMM_OWN |= {"scriptable", "exportable", "no_jit", "pretrained_strict", "pretrained_filter_fn", "device", "dtype"}
_LIBRARY_NAMES = (
    "torchvision",
    "transformers",
    "timm",
    "open_clip",
    "safetensors",
    "tokenizers",
    "sentencepiece",
    "huggingface_hub",
)
_UNUSED_BY_TOWERS = {"logit_scale", "logit_bias"}


class Tower(nn.Module):  # type: ignore[misc]  # mypy is not shown PyTorch
    """A model that maps the card's inputs (normalized pixels (n, 3, h, w), or tokens and mask) to its outputs."""

    def __init__(self, model: nn.Module, forward: Forward, names: tuple[str, ...]) -> None:
        super().__init__()
        self.model, self.compute, self.names = model, forward, names

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        made = self.compute(self.model, *inputs)
        return tuple(made[name] for name in self.names)


def tower(card: Card) -> Tower:
    """The card's model in float32 on the processor. Raises ModelError for one that is not what its card says."""
    weights = card.weights_for("torch")
    library, _, name = weights.loader.partition(":")
    load = _LIBRARIES.get(library)
    if load is None or not weights.beside:
        raise ModelError(f"card {card.name}: no library loads {weights.loader!r}; there are {', '.join(_LIBRARIES)}")
    try:
        config = parsed_config(read_file(card, weights.beside[0]), weights.beside[0].name)
        state = _tensors(card)
        with _without_chatter():
            model, forward = load(name, config, state, isinstance(card.input, PixelInput))
    except ModuleNotFoundError as error:
        raise missing_library(error, f"the model {card.name}") from error
    except ModelError as error:
        raise ModelError(f"card {card.name}: {error}") from error
    except Exception as error:  # libraries raise whatever comes where a configuration is not theirs
        raise ModelError(f"card {card.name}: {library} cannot load it: {_one_line(error)}") from error
    made = Tower(model, forward, tuple(output.name for output in card.outputs))
    made.to(torch.float32).eval().requires_grad_(False)
    return made


def missing_library(error: ModuleNotFoundError, what: str) -> TintypeError:
    """What to tell of a library that is not there, or is there and cannot be loaded (transformers says it alike)."""
    if error.name in _LIBRARY_NAMES:
        return MissingExtra(what, "torch")
    cause: BaseException = error
    while cause.__cause__ or cause.__context__:
        cause = cause.__cause__ or cause.__context__ or cause
    return ModelError(
        f"{what}: a library of it cannot be loaded ({_one_line(cause)}). "
        "Install torch and torchvision of one release, for the same device"
    )


def parsed_config(data: bytes, name: str) -> dict[str, Any]:
    """A model's configuration. Raises ModelError where it is none or asks for code of its repository."""
    if len(data) > _MAX_CONFIG_BYTES:
        raise ModelError(f"{name} is too long for a configuration")
    try:
        config = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{name} is not JSON") from error
    if not isinstance(config, dict):
        raise ModelError(f"{name} is not a configuration")
    nested = [part for part in config.values() if isinstance(part, dict)]
    remote = next((key for key in _REMOTE for part in (config, *nested) if key in part), None)
    if remote is not None:
        raise ModelError(f"{name} asks for {remote}, that is for code or formats of its own. Nothing of it was run")
    return config


def _tensors(card: Card) -> Tensors:
    from safetensors.torch import load

    file = card.weights_for("torch").file
    try:
        state: Tensors = load(read_file(card, file))
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"{file.name} is not safetensors: {_one_line(error)}") from error
    return state


# transformers


def _transformers(
    name: str, config: dict[str, Any], state: Tensors, takes_pixels: bool
) -> tuple[nn.Module, Callable[..., Tensors]]:
    import transformers

    known = _TRANSFORMERS.get((name, takes_pixels))
    if known is None:
        there = ", ".join(sorted({class_name for class_name, _ in _TRANSFORMERS}))
        raise ModelError(f"transformers:{name} is not known; there are {there}")
    kind = getattr(transformers, name)
    given = kind.config_class.from_dict(config)
    more = {"add_pooling_layer": False} if name == "ViTModel" else {}
    model, report = kind.from_pretrained(
        None, config=given, state_dict=state, output_loading_info=True, attn_implementation="sdpa", **more
    )
    missing = sorted({*report["missing_keys"], *(str(key) for key in report["mismatched_keys"])})
    if missing:
        raise ModelError(f"its weights lack {missing[0]} ({len(missing)} missing), or have another shape")
    forward, unused = known
    for part in unused:
        setattr(model, part, None)
    return model, forward


def _pooled(made: Any) -> torch.Tensor:
    """Version 5 returns a record, earlier ones the vectors themselves."""
    return made if isinstance(made, torch.Tensor) else made.pooler_output


def _image_embeds(model: Any, pixels: torch.Tensor) -> Tensors:
    return {"image_embeds": _pooled(model.get_image_features(pixel_values=pixels))}


def _text_embeds(model: Any, tokens: torch.Tensor, mask: torch.Tensor | None = None) -> Tensors:
    return {"text_embeds": _pooled(model.get_text_features(input_ids=tokens, attention_mask=mask))}


def _vit_classes(model: Any, pixels: torch.Tensor) -> Tensors:
    features = model.vit(pixel_values=pixels).last_hidden_state[:, 0]
    return {"logits": model.classifier(features), "features": features}


def _vit_features(model: Any, pixels: torch.Tensor) -> Tensors:
    return {"features": model(pixel_values=pixels).last_hidden_state[:, 0]}


def _dino_features(model: Any, pixels: torch.Tensor) -> Tensors:
    return {"features": model(pixel_values=pixels).pooler_output}


_TRANSFORMERS: dict[tuple[str, bool], tuple[Forward, tuple[str, ...]]] = {
    ("CLIPModel", True): (_image_embeds, ("text_model", "text_projection")),
    ("CLIPModel", False): (_text_embeds, ("vision_model", "visual_projection")),
    ("SiglipModel", True): (_image_embeds, ("text_model",)),
    ("SiglipModel", False): (_text_embeds, ("vision_model",)),
    ("ViTForImageClassification", True): (_vit_classes, ()),
    ("ViTModel", True): (_vit_features, ()),
    ("Dinov2Model", True): (_dino_features, ()),
}


# timm


def _timm(name: str, config: dict[str, Any], state: Tensors, takes_pixels: bool) -> tuple[nn.Module, Forward]:
    import timm

    arguments = dict(config.get("model_args") or {})
    refused = sorted(_TIMM_OWN & arguments.keys())
    if refused:
        raise ModelError(f"its model_args set {refused[0]}, which is not for a configuration to set")
    _check_timm_name(name)
    for key in ("num_classes", "global_pool"):
        if config.get(key) is not None:
            arguments.setdefault(key, config[key])
    model = timm.create_model(name, pretrained=False, **arguments)
    _fill(model, state)
    return model, _timm_classes if model.num_classes else _timm_features


def _check_timm_name(name: object) -> None:
    import timm

    if not isinstance(name, str) or not name.isidentifier() or not timm.is_model(name):
        raise ModelError(f"timm has no architecture {name!r}")


def _timm_classes(model: Any, pixels: torch.Tensor) -> Tensors:
    maps = model.forward_features(pixels)
    return {"logits": model.forward_head(maps), "features": model.forward_head(maps, pre_logits=True)}


def _timm_features(model: Any, pixels: torch.Tensor) -> Tensors:
    return {"features": model(pixels)}


# open_clip


def _open_clip(name: str, config: dict[str, Any], state: Tensors, takes_pixels: bool) -> tuple[nn.Module, Forward]:
    import open_clip.model

    if name not in ("CLIP", "CustomTextCLIP"):
        raise ModelError(f"open_clip:{name} is not known; there are CLIP and CustomTextCLIP")
    model_config = copy.deepcopy(config.get("model_cfg"))
    if not isinstance(model_config, dict):
        raise ModelError("its configuration has no model_cfg")
    is_custom = bool(model_config.pop("custom_text", False))
    if is_custom != (name == "CustomTextCLIP") or "multimodal_cfg" in model_config:
        raise ModelError("its configuration is of another class than its card says")
    vision, text = (dict(model_config.get(part) or {}) for part in ("vision_cfg", "text_cfg"))
    if text.get("hf_model_name"):
        raise ModelError(f"its text tower is of another repository ({text['hf_model_name']!r}), which is not read")
    if vision.get("timm_model_name") is not None:
        _check_timm_name(vision["timm_model_name"])
        vision["timm_model_pretrained"] = False
    model = getattr(open_clip.model, name)(**(model_config | {"vision_cfg": vision, "text_cfg": text}))
    if is_custom and "positional_embedding" in state:
        state = open_clip.model.convert_to_custom_text_state_dict(state)
    _fill(model, state)
    return model, _open_clip_image if takes_pixels else _open_clip_text


def _open_clip_image(model: Any, pixels: torch.Tensor) -> Tensors:
    return {"image_embeds": model.encode_image(pixels)}


def _open_clip_text(model: Any, tokens: torch.Tensor) -> Tensors:
    return {"text_embeds": model.encode_text(tokens)}


def _fill(model: nn.Module, state: Tensors) -> None:
    """Raises ModelError unless all weights are there in their shapes, and no others."""
    wanted = {name: tensor.shape for name, tensor in model.state_dict().items() if name not in _UNUSED_BY_TOWERS}
    given = {name: tensor for name, tensor in state.items() if name not in _UNUSED_BY_TOWERS}
    wrong = sorted(wanted.keys() ^ given.keys()) or [key for key in wanted if wanted[key] != given[key].shape]
    if wrong:
        raise ModelError(f"its weights do not fit its architecture: {wrong[0]} ({len(wrong)} do not)")
    model.load_state_dict(given, strict=False, assign=True)


_LIBRARIES: Mapping[str, Callable[[str, dict[str, Any], Tensors, bool], tuple[nn.Module, Forward]]] = {
    "transformers": _transformers,
    "timm": _timm,
    "open_clip": _open_clip,
}


@contextlib.contextmanager
def _without_chatter() -> Iterator[None]:
    """transformers draws progress bars and tables of its own; what went wrong is said by an exception here."""
    try:
        from transformers.utils import logging
    except ModuleNotFoundError:
        yield
        return
    verbosity, has_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if has_bars:
            logging.enable_progress_bar()


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
