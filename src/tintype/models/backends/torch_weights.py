"""What the loaders of all libraries share: tensors by name, and how they fill an architecture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from tintype.core.errors import ModelError

Tensors = dict[str, torch.Tensor]
Forward = Callable[..., Tensors]
Configs = Mapping[str, dict[str, Any]]
"""The JSON files that a card's weights name, by name."""

Loader = Callable[[str, Configs, Tensors, str], tuple[nn.Module, Forward]]
"""From the name of a class or architecture, its configurations, its weights and the kind of the card's input."""


@dataclass(frozen=True)
class Family:
    """How a class of transformers is filled and run.

    `forward` maps the model and the card's inputs, in their order, to outputs by name; `unused` are parts that it does
    not need; `settings` go to `from_pretrained`; `tune` sees the model and its configurations once it is filled.
    """

    forward: Forward
    unused: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    tune: Callable[[Any, Configs], None] | None = None


_UNUSED_BY_TOWERS = {"logit_scale", "logit_bias"}


def fill(model: nn.Module, state: Tensors) -> None:
    """Raises ModelError unless all weights are there in their shapes, and no others."""
    wanted = {name: tensor.shape for name, tensor in model.state_dict().items() if name not in _UNUSED_BY_TOWERS}
    given = {name: tensor for name, tensor in state.items() if name not in _UNUSED_BY_TOWERS}
    wrong = sorted(wanted.keys() ^ given.keys()) or [key for key in wanted if wanted[key] != given[key].shape]
    if wrong:
        raise ModelError(f"its weights do not fit its architecture: {wrong[0]} ({len(wrong)} do not)")
    model.load_state_dict(given, strict=False, assign=True)


def check_timm_name(name: object) -> None:
    """Raises ModelError for what is not the plain name of an architecture: timm takes addresses as well."""
    import timm

    if not isinstance(name, str) or not name.isidentifier() or not timm.is_model(name):
        raise ModelError(f"timm has no architecture {name!r}")
