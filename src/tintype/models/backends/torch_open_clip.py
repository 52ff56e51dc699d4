"""CLIP models of open_clip, with towers of its own or one of timm's for images."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn

from tintype.core.errors import ModelError
from tintype.models.backends.torch_weights import Configs, Forward, Tensors, check_timm_name, fill


def load(name: str, configs: Configs, state: Tensors, kind: str) -> tuple[nn.Module, Forward]:
    """A CLIP of open_clip. Raises ModelError."""
    import open_clip.model

    if name not in ("CLIP", "CustomTextCLIP"):
        raise ModelError(f"open_clip:{name} is not known; there are CLIP and CustomTextCLIP")
    model_config = copy.deepcopy(configs["open_clip_config.json"].get("model_cfg"))
    if not isinstance(model_config, dict):
        raise ModelError("its configuration has no model_cfg")
    is_custom = bool(model_config.pop("custom_text", False))
    if is_custom != (name == "CustomTextCLIP") or "multimodal_cfg" in model_config:
        raise ModelError("its configuration is of another class than its card says")
    vision, text = (dict(model_config.get(part) or {}) for part in ("vision_cfg", "text_cfg"))
    if text.get("hf_model_name"):
        raise ModelError(f"its text tower is of another repository ({text['hf_model_name']!r}), which is not read")
    if vision.get("timm_model_name") is not None:
        check_timm_name(vision["timm_model_name"])
        vision["timm_model_pretrained"] = False
    model = getattr(open_clip.model, name)(**(model_config | {"vision_cfg": vision, "text_cfg": text}))
    if is_custom and "positional_embedding" in state:
        state = open_clip.model.convert_to_custom_text_state_dict(state)
    fill(model, state)
    return model, _open_clip_image if kind == "pixels" else _open_clip_text


def _open_clip_image(model: Any, pixels: torch.Tensor) -> Tensors:
    return {"image_embeds": model.encode_image(pixels)}


def _open_clip_text(model: Any, tokens: torch.Tensor) -> Tensors:
    return {"text_embeds": model.encode_text(tokens)}
