"""Models of transformers: classes from a list, filled from tensors, never by a path."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn

from tintype.core.errors import ModelError
from tintype.models.backends.torch_detectors import FAMILIES as DETECTORS
from tintype.models.backends.torch_masks import FAMILIES as MASKS
from tintype.models.backends.torch_vectors import FAMILIES as VECTORS
from tintype.models.backends.torch_weights import Configs, Family, Forward, Tensors, check_timm_name
from tintype.models.backends.torch_writers import FAMILIES as WRITERS

FAMILIES: dict[tuple[str, str], Family] = VECTORS | DETECTORS | WRITERS | MASKS


def load(name: str, configs: Configs, state: Tensors, kind: str) -> tuple[nn.Module, Forward]:
    """A model of the class `name`, and what it computes. Raises ModelError."""
    import transformers

    family = FAMILIES.get((name, kind))
    if family is None:
        there = ", ".join(sorted({class_name for class_name, _ in FAMILIES}))
        raise ModelError(f"transformers:{name} is not known; there are {there}")
    config = configs["config.json"]
    _check_backbones(config)
    made = getattr(transformers, name)
    model, report = made.from_pretrained(
        None,
        config=made.config_class.from_dict(config),
        state_dict=state,
        output_loading_info=True,
        **{"attn_implementation": "sdpa", **family.settings},
    )
    missing = sorted({*report["missing_keys"], *(str(key) for key in report["mismatched_keys"])})
    if missing:
        raise ModelError(f"its weights lack {missing[0]} ({len(missing)} missing), or have another shape")
    for part in family.unused:
        setattr(model, part, None)
    if family.tune is not None:
        family.tune(model, configs)
    return model, family.forward


def _check_backbones(config: dict[str, Any]) -> None:
    """transformers looks a backbone that is only named up on the hub, unless it is one of timm's; and timm takes
    addresses for names."""
    for part in _parts(config):
        named = part.get("backbone")
        if named is None:
            continue
        check_timm_name(named)
        if not part.get("backbone_config") and (part.get("use_timm_backbone") is False or part.get("backbone_kwargs")):
            raise ModelError(f"its backbone ({named!r}) is of another repository, which is not read")


def _parts(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The configuration and all that are nested in it."""
    yield config
    for part in config.values():
        if isinstance(part, dict):
            yield from _parts(part)
