"""Architectures of timm."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from tintype.core.errors import ModelError
from tintype.models.backends.torch_weights import Configs, Forward, Tensors, check_timm_name, fill

_TIMM_OWN = {"pretrained", "pretrained_cfg", "pretrained_cfg_overlay", "checkpoint_path", "cache_dir", "features_only"}
_TIMM_OWN |= {"scriptable", "exportable", "no_jit", "pretrained_strict", "pretrained_filter_fn", "device", "dtype"}


def load(name: str, configs: Configs, state: Tensors, _kind: str) -> tuple[nn.Module, Forward]:
    """A model of timm's registry. Raises ModelError."""
    import timm

    config = configs["config.json"]
    arguments = dict(config.get("model_args") or {})
    refused = sorted(_TIMM_OWN & arguments.keys())
    if refused:
        raise ModelError(f"its model_args set {refused[0]}, which is not for a configuration to set")
    check_timm_name(name)
    for key in ("num_classes", "global_pool"):
        if config.get(key) is not None:
            arguments.setdefault(key, config[key])
    model = timm.create_model(name, pretrained=False, **arguments)
    fill(model, state)
    return model, _timm_classes if model.num_classes else _timm_features


def _timm_classes(model: Any, pixels: torch.Tensor) -> Tensors:
    maps = model.forward_features(pixels)
    return {"logits": model.forward_head(maps), "features": model.forward_head(maps, pre_logits=True)}


def _timm_features(model: Any, pixels: torch.Tensor) -> Tensors:
    return {"features": model(pixels)}
