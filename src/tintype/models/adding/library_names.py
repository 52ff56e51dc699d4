"""Names that timm and open_clip give to models, and the repositories of the hub that they stand for."""

from __future__ import annotations

import re
from importlib import import_module
from types import ModuleType

from tintype.core.errors import ModelError
from tintype.core.names import shown

_TIMM = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)?", re.IGNORECASE)
_OPEN_CLIP = re.compile(r"(?:open_clip:)?([\w.-]+)(?:[/:]([\w-]+))?", re.IGNORECASE)
_MOST_NAMED = 8


def hub_id(name: str) -> str | None:
    """The id of the repository of "resnet50", "resnet50.a1_in1k", "ViT-B-32/laion2b_s34b_b79k" or
    "open_clip:ViT-B-32/openai"; None where no library that is installed has such a name.

    timm's names without a tag stand for the one that timm itself takes. Raises ModelError for a name of open_clip's
    without a tag or with one that there is not, and for weights that are not on the hub.
    """
    return _of_open_clip(name) or _of_timm(name)


def _of_open_clip(name: str) -> str | None:
    given = _OPEN_CLIP.fullmatch(name)
    open_clip = _library("open_clip") if given else None
    if given is None or open_clip is None:
        return None
    model, tag = given.groups()
    known = {known.lower(): known for known in open_clip.list_models()}
    if model.lower() not in known:
        return None
    tags = open_clip.list_pretrained_tags_by_model(known[model.lower()])
    if tag is None or tag not in tags:
        named = ", ".join(tags[:_MOST_NAMED]) or "none"
        more = ", …" if len(tags) > _MOST_NAMED else ""
        raise ModelError(
            f"{shown(name)}: say which weights, as in {model}/{(tags or ['TAG'])[-1]}; there are {named}{more}"
        )
    place = str(open_clip.pretrained.get_pretrained_cfg(known[model.lower()], tag).get("hf_hub", "")).strip("/")
    return _on_hub(name, place)


def _of_timm(name: str) -> str | None:
    timm = _library("timm") if _TIMM.fullmatch(name) else None
    if timm is None:
        return None
    try:
        facts = timm.get_pretrained_cfg(name)
    except RuntimeError as error:  # an architecture that it has, with a tag that it has not
        raise ModelError(f"{shown(name)}: {' '.join(str(error).split())[:160]} See timm.list_pretrained()") from error
    return None if facts is None else _on_hub(name, facts.hf_hub_id or "")


def _library(name: str) -> ModuleType | None:
    """None where it is not installed, or does not fit the PyTorch that is: then it has no names."""
    try:
        return import_module(name)
    except (ImportError, RuntimeError):
        return None


def _on_hub(name: str, place: str) -> str:
    if place.count("/") != 1:
        raise ModelError(
            f"{shown(name)}: these weights are not on the hub. Bring the model as a folder with safetensors, or as ONNX"
        )
    return place
