"""Which engine a process runs a card on, and its runner: loaded on first use, then kept."""

from __future__ import annotations

from functools import lru_cache

from tintype.models.base import Runner
from tintype.models.card import Card
from tintype.models.engines import AUTO, Engine, default, load


@lru_cache(maxsize=8)
def runner(card: Card, backend: str = "", precision: str = "") -> Runner:
    """The card's runner on this machine.

    `backend` is "" for ONNX Runtime where the card has such weights and PyTorch otherwise, both on the processor; an
    engine's word, which is run or refused; one of `BACKENDS`; or "auto". Of what the last two and `precision` leave
    open the fastest is taken that passes parity (`choosing.choose`). Raises ModelError, MissingExtra, UsageError.
    """
    if ":" in backend:
        return load(card, Engine.of(backend))
    if not backend and not precision:
        return load(card, default(card))
    from tintype.models.choosing import choose

    return load(card, choose(card, backend or AUTO, precision).engine)
