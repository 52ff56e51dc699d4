"""Which runner a process uses for a card: loaded on first use, then kept."""

from __future__ import annotations

from functools import lru_cache

from tintype.models.base import Runner
from tintype.models.card import Card


@lru_cache(maxsize=8)
def runner(card: Card) -> Runner:
    """The card's runner on this machine. Raises ModelError."""
    from tintype.models.backends.onnx import OnnxBackend  # the runtime is slow to load

    return OnnxBackend().load(card)
