"""SAM: masks for places in an image."""

from __future__ import annotations

from typing import Any

import torch

from tintype.models.backends.torch_weights import Family, Tensors

AT_ONCE = 64
"""Places that masks are made for together."""

MOST_MASKS = 128
"""Masks of an image that are given back, those that the model takes to fit best."""

_OFFSET = 1.0  # of the threshold, either way, that a stable mask hardly changes with (as SAM's makers have it)


def _masks(model: Any, pixels: torch.Tensor, places: torch.Tensor) -> Tensors:
    """Three masks for each place that is a point, one for each that is a box."""
    side = model.config.vision_config.image_size
    filled = torch.nn.functional.pad(pixels, (0, side - pixels.shape[-1], 0, side - pixels.shape[-2]))
    seen = model.get_image_embeddings(filled)
    are_points = bool((places[..., :2] == places[..., 2:]).all())
    best: list[torch.Tensor] = []
    for start in range(0, places.shape[1], AT_ONCE):
        part = places[:, start : start + AT_ONCE]
        told = {"input_points": part[..., None, :2]} if are_points else {"input_boxes": part}
        made = model(image_embeddings=seen, multimask_output=are_points, **told)
        values = [made.iou_scores.flatten(1, 2), made.pred_masks.flatten(1, 2)]
        best = values if not best else [torch.cat(pair, dim=1) for pair in zip(best, values, strict=True)]
        if best[0].shape[1] > MOST_MASKS:
            rows = torch.topk(best[0], MOST_MASKS, dim=1).indices.sort(dim=1).values
            best = [
                best[0].gather(1, rows),
                best[1].gather(1, rows[..., None, None].expand(-1, -1, *best[1].shape[2:])),
            ]
    confidence, masks = best
    return {"masks": masks, "confidence": confidence, "stability": _stability(masks)}


def _stability(masks: torch.Tensor) -> torch.Tensor:
    """Intersection over union of each mask with a higher threshold and with a lower one."""
    inner, outer = ((masks > offset).sum(dim=(-1, -2)) for offset in (_OFFSET, -_OFFSET))
    return inner / outer.clamp(min=1)


FAMILIES: dict[tuple[str, str], Family] = {
    ("SamModel", "pixels"): Family(_masks, settings={"attn_implementation": None}),
}
"""By class and kind of the card's input."""
