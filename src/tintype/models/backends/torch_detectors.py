"""Detectors of transformers: boxes and the scores of their classes."""

from __future__ import annotations

from typing import Any

import torch

from tintype.models.backends.torch_weights import Family, Tensors


def _detections(model: Any, pixels: torch.Tensor) -> Tensors:
    """Without a mask of pixels: images of one size run together, so none is filled up."""
    made = model(pixel_values=pixels)
    return {"logits": made.logits, "pred_boxes": made.pred_boxes}


def _grounded(
    model: Any, pixels: torch.Tensor, tokens: torch.Tensor, mask: torch.Tensor, types: torch.Tensor
) -> Tensors:
    """A score for each token; the library fills them up to its longest text."""
    made = model(pixel_values=pixels, input_ids=tokens, attention_mask=mask, token_type_ids=types)
    return {"logits": made.logits[..., : tokens.shape[1]], "pred_boxes": made.pred_boxes}


def _queried(model: Any, pixels: torch.Tensor, tokens: torch.Tensor, mask: torch.Tensor) -> Tensors:
    """A score for each of an image's texts, (n, texts, length)."""
    made = model(pixel_values=pixels, input_ids=tokens.flatten(0, 1), attention_mask=mask.flatten(0, 1))
    return {"logits": made.logits, "pred_boxes": made.pred_boxes}


_ANY = {"attn_implementation": None}

FAMILIES: dict[tuple[str, str], Family] = {
    (name, "pixels"): Family(_detections, settings=_ANY)
    for name in (
        "DetrForObjectDetection",
        "ConditionalDetrForObjectDetection",
        "DeformableDetrForObjectDetection",
        "YolosForObjectDetection",
        "RTDetrForObjectDetection",
        "RTDetrV2ForObjectDetection",
    )
} | {
    ("GroundingDinoForObjectDetection", "pixels"): Family(_grounded, settings=_ANY),
    ("OwlViTForObjectDetection", "pixels"): Family(_queried, settings=_ANY),
}
"""By class and kind of the card's input."""
