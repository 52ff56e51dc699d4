"""Models of transformers that give vectors or classes."""

from __future__ import annotations

from typing import Any

import torch

from tintype.models.backends.torch_weights import Family, Tensors


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


FAMILIES: dict[tuple[str, str], Family] = {
    ("CLIPModel", "pixels"): Family(_image_embeds, unused=("text_model", "text_projection")),
    ("CLIPModel", "text"): Family(_text_embeds, unused=("vision_model", "visual_projection")),
    ("SiglipModel", "pixels"): Family(_image_embeds, unused=("text_model",)),
    ("SiglipModel", "text"): Family(_text_embeds, unused=("vision_model",)),
    ("ViTForImageClassification", "pixels"): Family(_vit_classes),
    ("ViTModel", "pixels"): Family(_vit_features, settings={"add_pooling_layer": False}),
    ("Dinov2Model", "pixels"): Family(_dino_features),
}
"""By class and kind of the card's input."""
