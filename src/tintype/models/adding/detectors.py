"""Cards of transformers' detectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tintype.models.adding import tokenizing
from tintype.models.adding.maker import Maker
from tintype.models.card import Card, Detection, Output, PixelInput

_SOFTMAX = Detection("pred_boxes", "logits", background="last")
_SIGMOID = Detection("pred_boxes", "logits", scoring="sigmoid", pick="each")

_BY_WORDS = Detection("pred_boxes", "logits", scoring="sigmoid")

DETECTIONS = {
    "DetrForObjectDetection": _SOFTMAX,
    "YolosForObjectDetection": _SOFTMAX,
    "ConditionalDetrForObjectDetection": replace(_SIGMOID, most=100),
    "DeformableDetrForObjectDetection": replace(_SIGMOID, most=100),
    "RTDetrForObjectDetection": _SIGMOID,
    "RTDetrV2ForObjectDetection": _SIGMOID,
}
"""By class: what its processor's `post_process_object_detection` does."""

ARCHITECTURES: dict[tuple[object, object], str] = {
    ("detr", "DetrForObjectDetection"): "DetrForObjectDetection",
    ("yolos", "YolosForObjectDetection"): "YolosForObjectDetection",
    ("conditional_detr", "ConditionalDetrForObjectDetection"): "ConditionalDetrForObjectDetection",
    ("deformable_detr", "DeformableDetrForObjectDetection"): "DeformableDetrForObjectDetection",
    ("rt_detr", "RTDetrForObjectDetection"): "RTDetrForObjectDetection",
    ("rt_detr_v2", "RTDetrV2ForObjectDetection"): "RTDetrV2ForObjectDetection",
}
"""By model_type and architecture: the class that loads it."""


FINDERS: dict[tuple[object, object], str] = {
    ("grounding-dino", "GroundingDinoForObjectDetection"): "GroundingDinoForObjectDetection",
    ("owlvit", "OwlViTForObjectDetection"): "OwlViTForObjectDetection",
}
"""By model_type and architecture: those that find what is told in words."""


def card_of(maker: Maker, name: str, loader: str, given: PixelInput, beside: Sequence[str]) -> Card:
    """The card of a detector of the class `name`. Raises ModelError where its classes have no names."""
    detection = replace(DETECTIONS[name], labels=maker.labels(maker.class_names()))
    if name.startswith("RTDetr"):
        detection = replace(detection, most=int(maker.config.get("num_queries", 300)))  # the library's own default
    outputs = Output("logits", (), meaning="logits"), Output("pred_boxes", (), meaning="boxes")
    return maker.card(maker.name, "detect", loader, given, outputs, beside=beside, detection=detection)


def card_of_finder(maker: Maker, name: str, loader: str, given: PixelInput, beside: Sequence[str]) -> Card:
    """The card of a detector that is told in words what to find. Raises ModelError where its tokenizer is of no use."""
    if name == "GroundingDinoForObjectDetection":
        length = int(maker.config.get("max_text_len") or 256)  # the library's own default
        words = tokenizing.beside_images(maker.folder, length, types=True)
    else:
        length = int((maker.config.get("text_config") or {}).get("max_position_embeddings") or 16)
        words = tokenizing.beside_images(maker.folder, length, pads=True, several=True)
    outputs = Output("logits", (), meaning="logits"), Output("pred_boxes", (), meaning="boxes")
    told = (words.input_in(maker.place(maker.name)),)
    card = maker.card(maker.name, "find", loader, given, outputs, beside=beside, detection=_BY_WORDS, words=told)
    words.check(card)
    return card
