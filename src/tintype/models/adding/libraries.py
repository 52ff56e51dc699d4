"""Cards of models that transformers, timm and open_clip know, from the folder that these save."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from tintype.core.errors import ModelError, TintypeError
from tintype.core.names import shown
from tintype.models.adding import detectors, maskers, pixels, tokenizing, writers
from tintype.models.adding.exporting import finished
from tintype.models.adding.folder import Folder
from tintype.models.adding.maker import Maker
from tintype.models.adding.wishes import Wishes
from tintype.models.backends.torch_modules import missing_library
from tintype.models.card import Card, Input, Output, Task


def cards_of_folder(folder: Folder, wishes: Wishes, work: Path) -> Sequence[Card]:
    """The cards of the model in a folder, run once, with ONNX weights where these agree with PyTorch's.

    Raises ModelError for whatever cannot be taken over, MissingExtra where its library is not installed.
    """
    if folder.has("open_clip_config.json"):
        read: Callable[[Maker], list[Card]] = _open_clip
        config = folder.config("open_clip_config.json")
    else:
        config = folder.config("config.json")
        read = _timm if "architecture" in config and "model_type" not in config else _transformers
    maker = Maker(folder, wishes, work, config)
    threads = torch.get_num_threads()
    try:
        made = read(maker)
        return [finished(card, with_onnx=wishes.with_onnx) for card in made]
    except ModuleNotFoundError as error:
        raise missing_library(error, f"adding {shown(folder.source)}") from error
    except ModelError as error:
        said = str(error)
        where = shown(folder.source)
        raise ModelError(said if where in said else f"{where}: {said}") from error
    except TintypeError:
        raise
    except Exception as error:  # libraries raise whatever comes where a configuration is not theirs
        said = f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
        raise ModelError(f"{shown(folder.source)}: its configuration cannot be read ({shown(said)})") from error
    finally:
        torch.set_num_threads(threads)  # runners on a processor take one


def _transformers(maker: Maker) -> list[Card]:
    from transformers import AutoImageProcessor

    kind, names = maker.config.get("model_type"), maker.config.get("architectures") or [None]
    known = _TRANSFORMERS.get((kind, names[0])) or _TRANSFORMERS.get((kind, None))
    if known is None:
        there = ", ".join(sorted({str(name) for name, _ in _TRANSFORMERS}))
        raise ModelError(f"the architecture {shown(str(kind))} {shown(str(names[0]))} is not known; there are {there}")
    named = [name for name in ("processor_config.json", "preprocessor_config.json") if maker.folder.has(name)]
    maker.folder.config(named[0] if named else "preprocessor_config.json")  # it is there, and asks for no remote code
    processor = AutoImageProcessor.from_pretrained(
        str(maker.folder.path), backend="pil", local_files_only=True, trust_remote_code=False
    )
    pixel_input = pixels.of_transformers(processor.to_dict(), type(processor).__name__, "pixel_values")
    prepares = [named[0] if named else "preprocessor_config.json"]  # the reference that engines are checked against
    loader = f"transformers:{known}"
    if known in ("CLIPModel", "SiglipModel"):
        return _pair(
            maker, loader, pixel_input, tokenizing.of_transformers(maker.folder, maker.config), beside=prepares
        )
    if known in writers.ARCHITECTURES.values():
        return [writers.card_of(maker, loader, pixel_input, prepares)]
    if known in maskers.ARCHITECTURES.values():
        return [maskers.card_of(maker, loader, pixel_input, prepares)]
    if known in writers.ANSWERING.values():
        return [writers.card_of_answering(maker, known, loader, pixel_input, prepares)]
    if known in detectors.FINDERS.values():
        return [detectors.card_of_finder(maker, known, loader, pixel_input, prepares)]
    if known in detectors.DETECTIONS:
        return [detectors.card_of(maker, known, loader, pixel_input, prepares)]
    if known != "ViTForImageClassification":
        outputs = (Output("features", ()),)
        return [maker.card(maker.name, "embed image", loader, pixel_input, outputs, beside=prepares)]
    labels = maker.labels(maker.class_names())
    both = Output("logits", (), meaning="logits", labels=labels), Output("features", ())
    return [maker.card(maker.name, _task(maker.config), loader, pixel_input, both, beside=prepares)]


_TRANSFORMERS: dict[tuple[object, object], str] = {
    ("clip", None): "CLIPModel",
    ("siglip", None): "SiglipModel",
    ("vit", "ViTForImageClassification"): "ViTForImageClassification",
    ("vit", "ViTModel"): "ViTModel",
    ("dinov2", "Dinov2Model"): "Dinov2Model",
    **detectors.ARCHITECTURES,
    **detectors.FINDERS,
    **writers.ARCHITECTURES,
    **writers.ANSWERING,
    **maskers.ARCHITECTURES,
}
"""By model_type and architecture: the class that loads it."""


def _timm(maker: Maker) -> list[Card]:
    from timm.data import resolve_data_config

    facts = maker.config.get("pretrained_cfg")
    if not isinstance(facts, dict):
        raise ModelError("config.json has no pretrained_cfg, so nothing says how its images are prepared")
    missing = [name for name in ("input_size", "interpolation", "mean", "std", "crop_pct") if not facts.get(name)]
    if missing:
        raise ModelError(f"its pretrained_cfg does not say: {', '.join(missing)}")
    if maker.wishes.license is None and maker.folder.license == "unknown" and facts.get("license"):
        maker = dataclasses.replace(maker, wishes=dataclasses.replace(maker.wishes, license=str(facts["license"])))
    pixel_input = pixels.of_timm(resolve_data_config(pretrained_cfg=facts), "pixel_values")
    loader = f"timm:{maker.config['architecture']}"
    classes = maker.config.get("num_classes", facts.get("num_classes"))
    if not classes:
        return [maker.card(maker.name, "embed image", loader, pixel_input, (Output("features", ()),))]
    labels = maker.config.get("label_names") or facts.get("label_names")
    named = [str(label) for label in labels] if isinstance(labels, list) and len(labels) == classes else None
    logits = Output("logits", (), meaning="logits", labels=maker.labels(named) if named else None)
    task = _task(facts if "problem_type" in facts else maker.config)
    return [maker.card(maker.name, task, loader, pixel_input, (logits, Output("features", ())))]


def _task(config: Mapping[str, Any]) -> Task:
    """Of a classifier: whether each of its classes has a probability of its own is said in its configuration."""
    return "multi-label" if config.get("problem_type") == "multi_label_classification" else "classify"


def _open_clip(maker: Maker) -> list[Card]:
    from open_clip.transform import PreprocessCfg, merge_preprocess_dict

    model, given = maker.config.get("model_cfg"), maker.config.get("preprocess_cfg")
    if not isinstance(model, dict) or not isinstance(model.get("vision_cfg"), dict):
        raise ModelError("open_clip_config.json has no model_cfg")
    if not isinstance(given, dict) or not given.get("mean") or not given.get("std"):
        raise ModelError("open_clip_config.json does not say how its images are normalized (preprocess_cfg)")
    if "multimodal_cfg" in model:
        raise ModelError("it is a CoCa, which is not known; there are CLIP and CustomTextCLIP")
    size = model["vision_cfg"].get("image_size", given.get("size"))
    facts = merge_preprocess_dict(PreprocessCfg(), given) | ({"size": size} if size else {})
    kind = "CustomTextCLIP" if model.get("custom_text") else "CLIP"
    pixel_input = pixels.of_open_clip(facts, "pixel_values")
    words = tokenizing.of_open_clip(maker.folder, model)
    return _pair(maker, f"open_clip:{kind}", pixel_input, words, "open_clip_config.json")


def _pair(
    maker: Maker,
    loader: str,
    given: Input,
    words: tokenizing.Words,
    config: str = "config.json",
    beside: Sequence[str] = (),
) -> list[Card]:
    """Two towers whose vectors can be compared: a card for images, and one for words."""
    names = maker.name, f"{maker.name}_text"
    text_input = words.input_in(maker.place(names[1]))
    image = maker.card(names[0], "embed image", loader, given, (Output("image_embeds", ()),), config, names[1], beside)
    text = maker.card(names[1], "embed text", loader, text_input, (Output("text_embeds", ()),), config, names[0])
    words.check(text)
    return [image, text]
