"""Models of transformers, timm and open_clip as PyTorch modules, filled from safetensors that were hashed before.

Classes are taken from a list, configurations are only data, and nothing that they say makes a library fetch a file,
open one by its path, or run code of a repository.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from tintype.core.errors import MissingExtra, ModelError, TintypeError
from tintype.models.backends import torch_open_clip, torch_timm, torch_transformers
from tintype.models.backends.torch_weights import Forward, Loader, Tensors
from tintype.models.card import Card
from tintype.models.card_file import read_file

_MAX_CONFIG_BYTES = 10_000_000
_REMOTE = ("auto_map", "quantization_config", "custom_pipelines")
_LIBRARY_NAMES = (
    "torchvision",
    "transformers",
    "timm",
    "open_clip",
    "safetensors",
    "tokenizers",
    "sentencepiece",
    "huggingface_hub",
)


class Tower(nn.Module):  # type: ignore[misc]  # mypy is not shown PyTorch
    """A model that maps the card's inputs (normalized pixels (n, 3, h, w), or tokens and mask) to its outputs."""

    def __init__(self, model: nn.Module, forward: Forward, names: tuple[str, ...]) -> None:
        super().__init__()
        self.model, self.compute, self.names = model, forward, names

    def forward(self, *inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        made = self.compute(self.model, *inputs)
        return tuple(made[name] for name in self.names)


def tower(card: Card) -> Tower:
    """The card's model in float32 on the processor. Raises ModelError for one that is not what its card says."""
    weights = card.weights_for("torch")
    library, _, name = weights.loader.partition(":")
    load = _LIBRARIES.get(library)
    if load is None or not weights.beside:
        raise ModelError(f"card {card.name}: no library loads {weights.loader!r}; there are {', '.join(_LIBRARIES)}")
    try:
        configs = {
            file.name: parsed_config(read_file(card, file), file.name)
            for file in weights.beside
            if file.name.endswith(".json")
        }
        state = _tensors(card)
        with _without_chatter():
            model, forward = load(name, configs, state, card.input.kind)
    except ModuleNotFoundError as error:
        raise missing_library(error, f"the model {card.name}") from error
    except ModelError as error:
        raise ModelError(f"card {card.name}: {error}") from error
    except Exception as error:  # libraries raise whatever comes where a configuration is not theirs
        raise ModelError(f"card {card.name}: {library} cannot load it: {_one_line(error)}") from error
    made = Tower(model, forward, tuple(output.name for output in card.outputs))
    made.to(torch.float32).eval().requires_grad_(False)
    return made


def missing_library(error: ModuleNotFoundError, what: str) -> TintypeError:
    """What to tell of a library that is not there, or is there and cannot be loaded (transformers says it alike)."""
    if error.name in _LIBRARY_NAMES:
        return MissingExtra(what, "torch")
    cause: BaseException = error
    while cause.__cause__ or cause.__context__:
        cause = cause.__cause__ or cause.__context__ or cause
    return ModelError(
        f"{what}: a library of it cannot be loaded ({_one_line(cause)}). "
        "Install torch and torchvision of one release, for the same device"
    )


def parsed_config(data: bytes, name: str) -> dict[str, Any]:
    """A model's configuration. Raises ModelError where it is none or asks for code of its repository."""
    if len(data) > _MAX_CONFIG_BYTES:
        raise ModelError(f"{name} is too long for a configuration")
    try:
        config = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{name} is not JSON") from error
    if not isinstance(config, dict):
        raise ModelError(f"{name} is not a configuration")
    nested = [part for part in config.values() if isinstance(part, dict)]
    remote = next((key for key in _REMOTE for part in (config, *nested) if key in part), None)
    if remote is not None:
        raise ModelError(f"{name} asks for {remote}, that is for code or formats of its own. Nothing of it was run")
    return config


def _tensors(card: Card) -> Tensors:
    from safetensors.torch import load

    file = card.weights_for("torch").file
    try:
        state: Tensors = load(read_file(card, file))
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"{file.name} is not safetensors: {_one_line(error)}") from error
    return state


_LIBRARIES: dict[str, Loader] = {
    "transformers": torch_transformers.load,
    "timm": torch_timm.load,
    "open_clip": torch_open_clip.load,
}


@contextlib.contextmanager
def _without_chatter() -> Iterator[None]:
    """transformers draws progress bars and tables of its own; what went wrong is said by an exception here."""
    try:
        from transformers.utils import logging
    except ModuleNotFoundError:
        yield
        return
    verbosity, has_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if has_bars:
            logging.enable_progress_bar()


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
